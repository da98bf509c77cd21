// The page: one text at a time. A decision is shown at once, kept in the outbox, and sent behind.
import { ApiError, get, post, whoami } from './api.js';
import { byId, count, element } from './dom.js';
import { Finder } from './finder.js';
import { showItem } from './item.js';
import { newKey, Outbox } from './outbox.js';
import { showOverview } from './overview.js';

const REFRESH_EVERY = 5;
const POLL_MS = 15000;
const KEPT_HISTORY = 100;
const MOST_WITHOUT = 50;
const REASONS = {
  vague: ['no activity is named', 'goods or service missing', 'makes or sells?', 'several activities'],
  not_business: ['private person', 'test entry', 'not readable', 'address or name only'],
};
const LABELS = { vague: 'too vague', not_business: 'not a business', skip: 'skip', undo: 'undo' };

const state = {
  me: null, batch: null, view: 'review', items: [], conflicts: [], history: [], shownAt: 0, since: 0,
  progress: null, loading: null, exhausted: false,
};
let outbox = null;

const current = () => (state.view === 'conflicts' ? state.conflicts : state.items)[0];
const historyName = () => `naics-review-history:${state.me.name}:${state.batch}`;

function showStatus() {
  if (!outbox) return;
  const waiting = outbox.waiting.length;
  byId('saved').textContent = waiting ? `${count(waiting, 'decision waits', 'decisions wait')} to be saved` : 'All saved';
  byId('saved').classList.toggle('waiting', waiting > 0);
  const failed = outbox.failed;
  byId('failed').hidden = !failed.length;
  if (failed.length) {
    const dismiss = element('button', { type: 'button' }, 'I have seen it');
    dismiss.addEventListener('click', () => outbox.dismiss());
    byId('failed').replaceChildren(element('strong', {}, 'Not saved'),
      element('ul', {}, ...failed.map((entry) => element('li', {}, `${entry.label}: ${entry.failure}`))), dismiss);
  }
}

function showProgress() {
  const now = state.progress;
  if (!now) return;
  byId('progress').max = Math.max(now.people, 1);
  byId('progress').value = now.done;
  byId('progress-text').textContent = `${now.done.toLocaleString('en')} of ${now.people.toLocaleString('en')} settled · ${state.decided} by you`;
  byId('conflict-count').textContent = now.conflicts ? String(now.conflicts) : '';
}

async function refresh() {
  const { batches } = await get('api/batches');
  const own = batches.find((batch) => batch.name === state.batch);
  state.since = 0;
  if (own) {
    state.progress = own.progress;
    state.decided = own.decided;
  }
  showProgress();
  return batches;
}

function show() {
  const item = current();
  const reviewing = state.view !== 'overview';
  for (const button of document.querySelectorAll('#views button')) {
    if (button.dataset.view === state.view) button.setAttribute('aria-current', 'page');
    else button.removeAttribute('aria-current');
  }
  byId('overview').hidden = reviewing;
  byId('bar').hidden = !reviewing;
  byId('skip').disabled = state.view === 'conflicts';
  byId('work').hidden = !reviewing || !item;
  byId('nothing').hidden = !reviewing || Boolean(item);
  byId('undo').disabled = !state.history.length;
  if (reviewing && item) {
    showItem(byId('work'), item, (code) => decide('code', code));
    state.shownAt = performance.now();
  } else if (reviewing) {
    showNothing();
  }
}

function showNothing() {
  const done = state.exhausted || state.view === 'conflicts';
  const title = !done ? 'Loading …' : state.view === 'conflicts' ? 'No conflicts' : 'Nothing left for you';
  const more = element('button', { type: 'button' }, 'Look again');
  more.addEventListener('click', () => load(true));
  const why = state.view === 'conflicts'
    ? 'Where two reviewers differ, the text comes here.'
    : 'All texts are decided, or other reviewers have the rest.';
  byId('nothing').replaceChildren(element('h2', {}, title), ...(done ? [element('p', { class: 'quiet' }, why), more] : []));
}

// Items that the page has, or has decided while the server does not know yet.
function without() {
  const pending = outbox.waiting.map((entry) => entry.body.item);
  return [...new Set([...state.items.map((item) => item.id), ...pending])];
}

async function load(again = false) {
  if (state.loading) return state.loading;
  if (state.exhausted && !again) return null;
  const { batch, view } = state;
  const address = `api/batches/${encodeURIComponent(batch)}`;
  const known = without();
  const work = async () => {
    if (view === 'conflicts') {
      const pending = new Set(outbox.waiting.map((entry) => entry.body.item));
      const answer = await get(`${address}/conflicts`);
      if (batch === state.batch) state.conflicts = answer.items.filter((item) => !pending.has(item.id));
      return;
    }
    if (known.length >= MOST_WITHOUT) return;
    const wanted = Math.max(1, state.me.prefetch + 1 - state.items.length);
    const answer = await post(`${address}/next`, { count: wanted, without: known });
    if (batch !== state.batch) return;
    const have = new Set(state.items.map((item) => item.id));
    state.items.push(...answer.items.filter((item) => !have.has(item.id)));
    state.exhausted = answer.items.length === 0 && !outbox.waiting.length;
  };
  const had = current();
  state.loading = work();
  try {
    await state.loading;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) signedOut();
    else if (error.passing) setTimeout(() => load(), 1000);
    else byId('nothing').replaceChildren(element('h2', {}, error.message));
    return null;
  } finally {
    state.loading = null;
  }
  if (!had) show();
  return null;
}

function advance() {
  (state.view === 'conflicts' ? state.conflicts : state.items).shift();
  show();
  if (state.view === 'review' && state.items.length <= state.me.prefetch) load();
  if (state.view === 'conflicts' && !state.conflicts.length) load();
}

function remember(item, arbiter) {
  state.history.push({ id: item.id, arbiter });
  state.history = state.history.slice(-KEPT_HISTORY);
  localStorage.setItem(historyName(), JSON.stringify(state.history));
}

function decide(action, code = null, reason = null) {
  const item = current();
  if (!item || state.view === 'overview') return;
  const arbiter = state.view === 'conflicts';
  const elapsed = Math.round(Math.min(performance.now() - state.shownAt, 3600000));
  const body = { key: newKey(), item: item.id, action, code, reason, arbiter, elapsed_ms: elapsed };
  remember(item, arbiter);
  outbox.add('decision', body, `Row ${item.row}, ${code ?? LABELS[action]}`);
  if (action !== 'skip') state.decided += 1;
  state.exhausted = false;
  state.since += 1;
  showProgress();
  advance();
}

async function undo() {
  const last = state.history.at(-1);
  if (!last) return;
  let item;
  try {
    item = await get(`api/items/${last.id}`);
  } catch (error) {
    byId('saved').textContent = error.message;
    return;
  }
  state.history.pop();
  localStorage.setItem(historyName(), JSON.stringify(state.history));
  outbox.add('decision', { key: newKey(), item: item.id, action: 'undo', arbiter: last.arbiter }, `Row ${item.row}, undo`);
  const list = last.arbiter ? state.conflicts : state.items;
  state.view = last.arbiter ? 'conflicts' : 'review';
  const at = list.findIndex((one) => one.id === item.id);
  if (at >= 0) list.splice(at, 1);
  list.unshift(item);
  show();
}

function askWords(title, label, reasons, submit, required) {
  const dialog = byId('words');
  byId('words-title').textContent = title;
  byId('words-label').textContent = label;
  byId('words-text').value = '';
  byId('words-text').required = required;
  byId('words-chips').hidden = !reasons.length;
  byId('words-chips').replaceChildren(...reasons.map((reason) => {
    const chip = element('button', { type: 'button' }, reason);
    chip.addEventListener('click', () => {
      dialog.close();
      submit(reason);
    });
    return chip;
  }));
  byId('words-form').onsubmit = (event) => {
    event.preventDefault();
    dialog.close();
    submit(byId('words-text').value.trim());
  };
  dialog.showModal();
  byId('words-text').focus();
}

function addComment() {
  const item = current();
  if (!item) return;
  askWords('Comment', 'Seen by you, and by arbiters once the text is decided', [], (text) => {
    if (!text) return;
    item.comments.push({ user: state.me.name, text });
    outbox.add('comment', { key: newKey(), item: item.id, text }, `Row ${item.row}, comment`);
    show();
  }, true);
}

const finder = new Finder((code) => decide('code', code));

const actions = {
  search: () => current() && finder.open(state.batch, false),
  browse: () => current() && finder.open(state.batch, true),
  vague: () => current() && askWords('Too vague to code', 'What is missing?', REASONS.vague, (reason) => decide('vague', null, reason || null), false),
  not_business: () => current() && askWords('Not a business', 'Why?', REASONS.not_business, (reason) => decide('not_business', null, reason || null), false),
  skip: () => state.view === 'review' && decide('skip'),
  comment: addComment,
  undo,
  help: () => byId('help').showModal(),
};

const KEYS = {
  '/': actions.search, b: actions.browse, v: actions.vague, n: actions.not_business, s: actions.skip,
  c: actions.comment, u: actions.undo, '?': actions.help,
  e: () => {
    const all = [...document.querySelectorAll('.excludes')];
    const open = !all.some((one) => one.open);
    for (const one of all) one.open = open;
  },
  q: () => document.querySelector('.question button')?.focus(),
  r: () => view('review'), o: () => view('overview'),
  k: () => state.me.arbitrates && view('conflicts'),
};

function typed(event) {
  const inside = event.target.closest?.('input, textarea, select, dialog');
  const busy = !state.me || !byId('keys-on').checked || document.querySelector('dialog[open]');
  if (inside || busy || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^[1-9]$/.test(event.key) && state.view !== 'overview') {
    const hit = current()?.suggestions[Number(event.key) - 1];
    if (hit) decide('code', hit.code);
    return;
  }
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

async function view(name) {
  state.view = name;
  show();
  if (name === 'conflicts') await load(true);
  if (name === 'review' && !state.items.length) await load(true);
  if (name !== 'overview') return;
  try {
    await showOverview(byId('overview'), state.batch, state.me, () => view('overview'));
    byId('overview').focus();
  } catch (error) {
    byId('overview').replaceChildren(element('p', {}, error.message));
  }
}

async function openBatch(name) {
  if (state.batch && state.items.length) {
    post(`api/batches/${encodeURIComponent(state.batch)}/release`, { without: state.items.map((item) => item.id) }).catch(() => {});
  }
  Object.assign(state, { batch: name, items: [], conflicts: [], exhausted: false, progress: null, decided: 0 });
  state.history = JSON.parse(localStorage.getItem(historyName()) ?? '[]');
  localStorage.setItem('naics-review-batch', name);
  await refresh();
  await view('review');
}

function signedOut() {
  for (const id of ['work', 'nothing', 'overview', 'bar', 'meter', 'views', 'who', 'batch-field']) byId(id).hidden = true;
  byId('sign-in').hidden = false;
  byId('name').focus();
}

async function begin() {
  state.me = await whoami();
  outbox = new Outbox(state.me.name, showStatus, signedOut, () => {
    if (state.since >= REFRESH_EVERY) refresh().catch(() => {});
    if (!current()) load(true);
  });
  byId('sign-in').hidden = true;
  for (const id of ['meter', 'views', 'who', 'batch-field']) byId(id).hidden = false;
  byId('user').textContent = `${state.me.name}, ${state.me.role}`;
  byId('sign-out').hidden = state.me.by !== 'session';
  byId('conflicts-tab').hidden = !state.me.arbitrates;
  showStatus();
  outbox.send();
  const { batches } = await get('api/batches');
  byId('batch').replaceChildren(...batches.map((batch) =>
    element('option', { value: batch.name }, batch.state === 'open' ? batch.name : `${batch.name} (${batch.state})`)));
  if (!batches.length) {
    byId('nothing').replaceChildren(element('h2', {}, 'There is no batch'),
      element('p', { class: 'quiet' }, 'naics-embed review create FILE --name NAME makes one.'));
    byId('nothing').hidden = false;
    return;
  }
  const wanted = new URLSearchParams(location.search).get('batch') ?? localStorage.getItem('naics-review-batch');
  const chosen = batches.find((batch) => batch.name === wanted) ?? batches.find((batch) => batch.state === 'open') ?? batches[0];
  byId('batch').value = chosen.name;
  await openBatch(chosen.name);
}

function started() {
  begin().catch((error) => {
    if (error instanceof ApiError && error.status === 401) signedOut();
    else {
      byId('nothing').replaceChildren(element('h2', {}, error.message));
      byId('nothing').hidden = false;
      if (error instanceof ApiError && error.passing) setTimeout(started, 1000);
    }
  });
}

byId('words-text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('words-form').requestSubmit();
});
byId('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  byId('sign-in-status').textContent = '';
  try {
    await post('api/sign-in', { name: byId('name').value.trim(), password: byId('password').value });
    byId('password').value = '';
    started();
  } catch (error) {
    byId('sign-in-status').textContent = error.message;
    byId('password').select();
  }
});
byId('sign-out').addEventListener('click', async () => {
  await post('api/sign-out').catch(() => {});
  location.reload();
});
byId('batch').addEventListener('change', () => openBatch(byId('batch').value));
byId('views').addEventListener('click', (event) => {
  const name = event.target.closest('button')?.dataset.view;
  if (name) view(name);
});
byId('bar').addEventListener('click', (event) => actions[event.target.closest('button')?.dataset.do]?.());
for (const dialog of document.querySelectorAll('dialog')) {
  dialog.querySelector('[data-close]')?.addEventListener('click', () => dialog.close());
}
byId('keys-on').checked = localStorage.getItem('naics-review-keys') !== 'off';
byId('keys-on').addEventListener('change', () => localStorage.setItem('naics-review-keys', byId('keys-on').checked ? 'on' : 'off'));
document.addEventListener('keydown', typed);
// A page that waits, or is left open, learns what others have done.
setInterval(() => {
  if (!state.me || !state.batch || document.hidden) return;
  refresh().catch(() => {});
  if (!current()) load(true);
}, POLL_MS);
started();
