// The search page: what is asked and shown is in the address, so that Back works and a link leads here.
import { fetchJson, fetchOnce, onWaiting } from './api.js';
import { answerBox, isAnswer, rankedCodes } from './answer.js';
import { codeCard, comparison } from './card.js';
import { byId, button, element, percent, say } from './dom.js';
import { startView } from './start.js';
import { addressOf, readState, remember, searches } from './state.js';
import { tree } from './tree.js';

const TYPED_MS = 350;
const LEAST_TYPED = 3;
const WIDE = matchMedia('(min-width: 60rem)');
const form = byId('form');
let state = readState(location.search);
let latest = 0;
let timer = 0;
// Whether the last entry of the history is of a text that is still being typed.
let typing = false;

const link = (changes = {}) => new URL(addressOf({ ...state, ...changes }), location.href).href;

/** Show another state; it becomes an entry of the history, or replaces the last one. */
function go(changes, replace = false) {
  state = { ...state, ...changes };
  history[replace ? 'replaceState' : 'pushState']({ inside: true }, '', addressOf(state));
  return render();
}

const openCode = (code) => go({ code, compare: [] });
const ask = (q) => {
  byId('query').value = q;
  typing = false;
  return go({ q, code: '', compare: [] });
};

function clear() {
  byId('left').replaceChildren();
  byId('panel').replaceChildren();
}

/** Put a card beside what it belongs to; on a narrow page it takes its place, with a way back. */
function showPanel(content, isAsked) {
  const back = button('‹ Back', () => {
    if (history.state?.inside) history.back();
    else go({ code: '', compare: [] }, true);
  }, { class: 'back small' });
  byId('panel').replaceChildren(back, content);
  document.body.classList.toggle('detail', isAsked);
  byId('panel').scrollTop = 0;
  if (isAsked && !WIDE.matches) {
    scrollTo(0, 0);
    byId('card-title')?.focus({ preventScroll: true });
  }
}

function fill() {
  if (document.activeElement !== byId('query')) byId('query').value = state.q;
  byId('level').value = String(state.digits);
  byId('confidence').value = String(Math.round(100 * state.confidence));
  byId('confidence-shown').textContent = percent(state.confidence);
  document.title = state.q ? `${state.q} · NAICS search` : 'NAICS search';
}

async function render() {
  const number = ++latest;
  const wanted = () => number === latest;
  fill();
  try {
    if (state.q) await showAnswer(wanted);
    else if (state.code) await showCode(state.code, wanted);
    else {
      clear();
      say('');
      document.body.className = 'starting';
      byId('left').replaceChildren(startView({ ask, open: openCode }));
    }
  } catch (error) {
    if (!wanted()) return;
    // An old answer must not stand below an error.
    clear();
    document.body.className = '';
    say(error.message, true);
  }
}

const cardOf = (code) => fetchOnce(`v1/codes/${encodeURIComponent(code)}`);
const drawn = (card) => codeCard(card, { open: openCode, link: (code) => link({ code, compare: [] }) });

async function showCode(code, wanted) {
  const card = await cardOf(code);
  const list = await tree(card.path, openCode);
  if (!wanted()) return;
  document.body.className = 'browsing';
  byId('left').replaceChildren(list);
  say('');
  showPanel(drawn(card), true);
}

let last = { address: '', result: null };

async function answered(wanted) {
  const values = new URLSearchParams({ q: state.q, level: state.digits, confidence: state.confidence });
  const address = `v1/search?${values}`;
  if (last.address !== address) {
    say('Searching …');
    const result = await fetchJson(address, wanted);
    if (wanted()) last = { address, result };
    return result;
  }
  return last.result;
}

async function showAnswer(wanted) {
  const result = await answered(wanted);
  if (!wanted()) return;
  if (result.code) {
    await showCode(state.code || result.code.code, wanted);
    if (wanted()) say(`${result.code.official} is ${result.code.title}.`);
    return;
  }
  const { answer } = result;
  const [best] = answer.hits;
  // Beside an answer stands the card of its best code, where there is room.
  const shown = state.code || (isAnswer(answer.status) && WIDE.matches ? best.code : '');
  const ticked = [...state.compare];
  const tick = (code, on) => {
    // Of three, the last two are compared.
    if (!on) ticked.splice(ticked.indexOf(code), 1);
    else if (ticked.push(code) > 2) ticked.shift();
    if (ticked.length === 2) go({ compare: ticked.slice(), code: '' });
    else if (state.compare.length) go({ compare: [] });
  };
  const focused = document.activeElement?.dataset?.code;
  byId('left').replaceChildren(...[
    answerBox(answer, { open: openCode, link: () => link({ code: '', compare: [] }) }),
    rankedCodes(answer, { open: openCode, tick, ticked, shown }),
    before(),
  ].filter((part) => part !== null));
  if (focused) byId('left').querySelector(`[data-code="${CSS.escape(focused)}"]`)?.focus();
  remember(state.q);
  document.body.className = 'answering';
  if (isAnswer(answer.status)) {
    say(`${answer.hits.length} codes for “${answer.text}”; the first is ${best.official} ${best.title}, at ${percent(best.probability)}.`);
  } else say(`Not enough said in “${answer.text}”.`);
  if (state.compare.length === 2) {
    const [first, second] = state.compare;
    const found = await fetchJson(`v1/compare?${new URLSearchParams({ first, second, q: state.q })}`, wanted);
    if (wanted()) showPanel(comparison(found, answer.hits, openCode), true);
  } else if (shown) {
    const card = await cardOf(shown);
    if (wanted()) showPanel(drawn(card), Boolean(state.code));
  } else byId('panel').replaceChildren();
}

function before() {
  const texts = searches().filter((text) => text !== state.q);
  if (!texts.length) return null;
  return element('details', { class: 'before' }, element('summary', {}, 'Asked before in this tab'),
    element('div', { class: 'chips' }, ...texts.map((text) => button(text, () => ask(text), { class: 'chip' }))));
}

onWaiting((text) => say(text));

form.addEventListener('submit', (event) => {
  event.preventDefault();
  clearTimeout(timer);
  const q = byId('query').value.trim();
  if (!q) {
    clear();
    document.body.className = '';
    say('Type a description first.', true);
    byId('query').focus();
    return;
  }
  const same = q === state.q && !state.code && !state.compare.length;
  go({ q, code: '', compare: [] }, same || typing);
  typing = false;
});

byId('query').addEventListener('input', () => {
  clearTimeout(timer);
  const q = byId('query').value.trim();
  if (q === state.q || (q && q.length < LEAST_TYPED)) return;
  timer = setTimeout(() => {
    go({ q, code: '', compare: [] }, typing);
    typing = true;
  }, TYPED_MS);
});
byId('query').addEventListener('blur', () => { typing = false; });

byId('level').addEventListener('change', () => go({ digits: Number(byId('level').value), code: '', compare: [] }));
byId('confidence').addEventListener('input', () => {
  const confidence = Number(byId('confidence').value) / 100;
  byId('confidence-shown').textContent = percent(confidence);
  clearTimeout(timer);
  timer = setTimeout(() => go({ confidence }, true), TYPED_MS / 2);
});

window.addEventListener('popstate', () => {
  typing = false;
  state = readState(location.search);
  byId('query').value = state.q;
  render();
});
WIDE.addEventListener('change', render);
history.replaceState(history.state, '');
byId('query').value = state.q;
render();
