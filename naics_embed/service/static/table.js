// The page that codes a list, row by row by keyboard.
import { call, fetchJson, onWaiting, postJson } from './api.js';
import { byId, button, download, element, percent, say } from './dom.js';
import { batches, byDoubt, csv, decided, hitsOf } from './rows.js';

const BATCH = 32;
const MOST_BYTES = 1048576;
const MOST_ROWS = 2000;
const RANKED = 5;
const SURE = 'coded';
const list = byId('rows');
let columns = [];
let rows = [];
let order = [];
let current = 0;
let stem = 'list';

function reset(names, fields) {
  columns = names;
  rows = fields.map((own, at) => ({ at, fields: own, text: '', answer: null, code: null, decision: '' }));
  byId('work').hidden = true;
}

/** The column with the longest texts, which are descriptions as a rule. */
function likelyColumn(names, fields) {
  const mean = names.map((_, i) => fields.reduce((sum, row) => sum + (row[i] ?? '').length, 0));
  return mean.indexOf(Math.max(...mean));
}

function choose(table) {
  reset(table.columns, table.rows);
  const likely = likelyColumn(table.columns, table.rows);
  byId('columns').replaceChildren(...table.columns.map((name, i) => {
    const made = button(name || `column ${i + 1}`, () => {
      byId('choose').hidden = true;
      attempt(() => codeAll(i));
    }, { class: i === likely ? 'chip likely' : 'chip' });
    return made;
  }));
  say(`${table.rows.length} rows. ${table.notes.join('. ')}`);
  byId('choose').hidden = false;
  if (table.columns.length === 1) byId('columns').firstElementChild.click();
  else byId('columns').children[likely].focus();
}

async function readFile(file) {
  if (file.size > MOST_BYTES) {
    say(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB, at most 1 MB is read here. Code it with the command naics-embed code, or send a part of it.`, true);
    return;
  }
  stem = file.name.replace(/\.[^.]*$/, '');
  say(`Reading ${file.name} …`);
  const options = { method: 'POST', body: file, headers: { 'Content-Type': 'application/octet-stream' } };
  const answer = await call(`v1/table?name=${encodeURIComponent(file.name)}`, options);
  choose(await answer.json());
}

async function codeAll(column) {
  rows.forEach((row) => { row.text = row.fields[column] ?? ''; });
  const found = new Map();
  const parts = batches(rows, BATCH);
  let done = 0;
  byId('start').disabled = true;
  for (const texts of parts) {
    say(`Coding: ${done} of ${parts.flat().length} different texts …`);
    const { answers } = await postJson('v1/code', { texts, k: RANKED });
    answers.forEach((answer, i) => found.set(texts[i], answer));
    done += texts.length;
  }
  byId('start').disabled = false;
  rows.forEach((row) => { row.answer = found.get(row.text.trim()) ?? null; });
  order = byDoubt(rows);
  current = 0;
  byId('work').hidden = false;
  list.replaceChildren(...order.map(rowItem));
  summary();
  mark();
  list.focus();
}

function summary() {
  const count = (status) => rows.filter((row) => row.answer?.status === status).length;
  const open = rows.filter((row) => !row.decision).length;
  const sure = count(SURE);
  const group = count('coarser');
  say(`${rows.length} rows: ${sure} sure, ${group} sure of the group, ${rows.length - sure - group} not enough said; ${open} to decide.`);
}

const KINDS = { coded: 'sure', coarser: 'group', uncertain: 'unclear', 'says nothing': 'unclear' };
const LABELS = { sure: 'Sure', group: 'Group', unclear: 'Unclear' };

function rowItem(row, place) {
  const kind = row.answer ? KINDS[row.answer.status] : 'unclear';
  const hits = hitsOf(row);
  const choices = element('div', { class: 'choices' }, ...hits.map((hit, i) => {
    const made = button('', () => {
      current = place;
      override(hit);
    }, { class: 'choice', 'data-code': hit.official, tabindex: '-1' });
    made.append(element('kbd', {}, String(i + 1)), element('b', {}, hit.official), ` ${hit.title} `,
      element('span', { class: 'figure' }, kind === 'unclear' ? '' : percent(hit.probability)));
    return made;
  }));
  const item = element('li', { class: `row ${kind}`, id: `row-${place}`, onclick: () => { current = place; mark(); } },
    element('div', { class: 'line' },
      element('span', { class: 'badge' }, LABELS[kind]),
      element('p', { class: 'text' }, row.text || '(empty)'),
      element('span', { class: 'decision' })),
    element('p', { class: 'found' }), choices);
  fillRow(item, row);
  return item;
}

function fillRow(item, row) {
  const code = row.code ?? hitsOf(row)[0];
  const unclear = item.classList.contains('unclear') && !row.code;
  item.querySelector('.found').textContent = !code ? 'No code' : `${unclear ? 'Perhaps ' : ''}${code.official} ${code.title}`;
  item.querySelector('.decision').textContent = row.decision;
  item.classList.toggle('done', row.decision !== '');
  for (const choice of item.querySelectorAll('.choice')) {
    choice.classList.toggle('taken', row.decision !== '' && row.decision !== 'skipped' && choice.dataset.code === code?.official);
  }
}

function mark() {
  [...list.children].forEach((item, i) => {
    item.classList.toggle('current', i === current);
    if (i === current) item.setAttribute('aria-current', 'true');
    else item.removeAttribute('aria-current');
  });
  const item = list.children[current];
  if (!item) return;
  item.scrollIntoView({ block: 'nearest' });
}

function decide(decision, code, move = true) {
  const row = order[current];
  row.decision = decision;
  row.code = code;
  fillRow(list.children[current], row);
  if (move && current < order.length - 1) current += 1;
  mark();
  summary();
}

function accept() {
  const row = order[current];
  const code = row.code ?? hitsOf(row)[0] ?? null;
  if (code) decide(row.code ? row.decision : 'accepted', row.code);
  else say('There is no code to accept: type one with O, or skip it with S.', true);
}

function override(hit) {
  if (!hit) return;
  decide(hit.official === hitsOf(order[current])[0]?.official ? 'accepted' : 'overridden', hit);
}

async function typeCode() {
  const typed = prompt('The code for this row, 2 to 6 digits:');
  if (!typed) return;
  try {
    decide('overridden', await fetchJson(`v1/codes/${encodeURIComponent(typed.trim())}?similar=0`));
  } catch (error) {
    say(error.message, true);
  }
  list.focus();
}

const keys = {
  ArrowDown: () => { current = Math.min(current + 1, order.length - 1); mark(); },
  ArrowUp: () => { current = Math.max(current - 1, 0); mark(); },
  a: accept,
  Enter: accept,
  s: () => decide('skipped', null),
  u: () => decide('', null, false),
  o: typeCode,
};

list.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('button')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const rank = Number(key);
  const action = rank >= 1 && rank <= RANKED ? () => override(hitsOf(order[current])[rank - 1]) : keys[key];
  if (!action) return;
  event.preventDefault();
  action();
});

/** Do something that may fail, and show what is wrong in place of a result. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    byId('start').disabled = false;
    say(error.message, true);
  }
}

byId('start').addEventListener('click', () => attempt(async () => {
  const lines = byId('lines').value.split('\n').map((line) => line.trim()).filter((line) => line);
  if (!lines.length) throw new Error('Paste some lines first.');
  if (lines.length > MOST_ROWS) throw new Error(`There are ${lines.length} lines, at most ${MOST_ROWS} are read here. Code a file with the command naics-embed code.`);
  stem = 'list';
  byId('choose').hidden = true;
  reset(['description'], lines.map((line) => [line]));
  await codeAll(0);
}));
function readChosen() {
  const [file] = byId('file').files;
  if (file) attempt(() => readFile(file));
}
byId('file').addEventListener('change', readChosen);
// A file may have been chosen before this script was there.
readChosen();
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) attempt(() => readFile(file));
});
byId('accept-sure').addEventListener('click', () => {
  order.forEach((row, i) => {
    if (row.decision || row.answer?.status !== SURE) return;
    row.decision = 'accepted';
    fillRow(list.children[i], row);
  });
  summary();
});
byId('save-csv').addEventListener('click', () => {
  download(new Blob([csv(decided(columns, rows))], { type: 'text/csv' }), `${stem}-coded.csv`);
});
byId('save-xlsx').addEventListener('click', () => attempt(async () => {
  const answer = await call('v1/workbook', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(decided(columns, rows)),
  });
  download(await answer.blob(), `${stem}-coded.xlsx`);
}));
addEventListener('beforeunload', (event) => {
  if (rows.some((row) => row.decision)) event.preventDefault();
});
onWaiting((text) => say(text));
