// The API of the page's own server. While the model loads, calls wait, and the page says how long.
import { element } from './dom.js';

const AGAIN_MS = 1000;
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const KEY = 'naics-embed-key';
const UNAUTHORIZED = 401;
let waiting = () => {};
// One field for all calls that are refused at the same time.
let asking = null;

/** Name what shows that a call waits: it gets a text, or '' once the call goes on. */
export function onWaiting(show) {
  waiting = show;
}

/** What is wrong, in the words of the server. */
async function problem(answer) {
  const type = answer.headers.get('content-type') ?? '';
  if (!type.includes('json')) return new Error(`the server answered ${answer.status}`);
  const content = await answer.json();
  const reasons = (content.errors ?? []).map((fault) => fault.reason);
  return new Error([content.detail, ...reasons].join(': '));
}

export const givenKey = () => sessionStorage.getItem(KEY);

function withKey(options) {
  const key = givenKey();
  return key ? { ...options, headers: { ...options.headers, 'X-API-Key': key } } : options;
}

/** Ask for the key that the service demands; it is kept while this tab is open. */
function askForKey(reason) {
  asking ??= new Promise((resolve) => {
    const field = element('input', {
      id: 'api-key', type: 'password', autocomplete: 'off', required: '', pattern: '[!-~]+',
      title: 'Letters, digits and signs of ASCII, without blanks',
    });
    const form = element(
      'form',
      { class: 'key', 'aria-labelledby': 'key-reason' },
      element('p', { id: 'key-reason', role: 'alert' }, reason),
      element('label', { for: 'api-key' }, 'API key'),
      field,
      element('button', { type: 'submit', class: 'main' }, 'Use this key'),
      element('p', { class: 'quiet' }, 'It is kept in this tab and sent to this service only.'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, field.value);
      form.remove();
      asking = null;
      resolve();
    });
    document.querySelector('main').prepend(form);
    field.focus();
  });
  return asking;
}

function refusal() {
  return givenKey()
    ? 'The service does not know this key, or it was revoked or has expired. Give another one.'
    : 'This service needs an API key. Whoever runs it makes one with: naics-embed keys create';
}

/** Fetch, again and again while the service loads or is not there; `wanted` says whether still. */
export async function call(address, options = {}, wanted = () => true) {
  for (let waited = false; ; waited = true) {
    let answer = null;
    try {
      answer = await fetch(address, withKey(options));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    if (answer?.status === UNAUTHORIZED) {
      // Nothing goes on before there is a key.
      waiting('');
      await askForKey(refusal());
      continue;
    }
    const busy = answer?.status === 503;
    if (answer && !busy) {
      if (waited) waiting('');
      if (!answer.ok) throw await problem(answer);
      return answer;
    }
    const reason = busy ? (await problem(answer)).message : 'the service does not answer';
    if (!wanted()) throw new Error(reason);
    if (reason.includes('did not load')) throw new Error(`${reason}; see where it was started`);
    const usual = reason.includes('loading') ? 'it takes 5 to 30 s as a rule' : 'is it running?';
    waiting(`${reason[0].toUpperCase()}${reason.slice(1)}; ${usual}. The page goes on by itself.`);
    await pause(AGAIN_MS);
  }
}

export async function fetchJson(address, wanted) {
  return (await call(address, { headers: { Accept: 'application/json' } }, wanted)).json();
}

export async function postJson(address, content, wanted) {
  const options = {
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
    body: JSON.stringify(content),
  };
  return (await call(address, options, wanted)).json();
}

const kept = new Map();

/** Fetch what does not change while the service runs, once. */
export function fetchOnce(address) {
  if (!kept.has(address)) {
    kept.set(address, fetchJson(address).catch((error) => {
      kept.delete(address);
      throw error;
    }));
  }
  return kept.get(address);
}
