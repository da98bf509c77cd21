// What stands in place of the map while the model loads, or until there is a key. A link sends no
// header, so the key goes along as a cookie of this page, for the moment that it takes to open it.
import { call, givenKey, onWaiting } from './api.js';
import { say } from './dom.js';

const COOKIE = 'naics-embed-key';
const COOKIE_S = 10;
const OPENED = 'naics-embed-map-opened';

async function open() {
  // Anything that needs the same scope.
  await call('v1/codes');
  const before = Number(sessionStorage.getItem(OPENED) ?? 0);
  if (Date.now() - before < 1000 * COOKIE_S) {
    throw new Error('The map could not be opened. With an API key this page needs cookies: allow them for this site, and reload it.');
  }
  sessionStorage.setItem(OPENED, String(Date.now()));
  const key = givenKey();
  if (key) {
    const value = encodeURIComponent(key);
    document.cookie = `${COOKIE}=${value}; Path=${location.pathname}; Max-Age=${COOKIE_S}; SameSite=Strict`;
  }
  location.reload();
}

onWaiting((text) => say(text));
open().catch((error) => say(error.message, true));
