// The page speaks to the API of its own server. Text goes in as text nodes, never as markup.
import { drawMap, drawAnswer, highlight } from './map.js';

const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share >= 0.9995 || share < 0.0005 ? 0 : 1)} %`;
const SVG = 'http://www.w3.org/2000/svg';
let asked = 0;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function bar(share) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('class', 'bar');
  drawing.setAttribute('aria-hidden', 'true');
  for (const [kind, width] of [['back', 1], ['full', share]]) {
    const box = document.createElementNS(SVG, 'rect');
    box.setAttribute('class', kind);
    box.setAttribute('width', `${100 * width}%`);
    box.setAttribute('height', '100%');
    box.setAttribute('rx', '3');
    drawing.append(box);
  }
  return drawing;
}

function tell(message, isError = false) {
  byId('status').textContent = message;
  byId('status').classList.toggle('error', isError);
}

async function fetchJson(address) {
  const answer = await fetch(address, { headers: { Accept: 'application/json' } });
  const content = await answer.json();
  if (!answer.ok) {
    const reasons = (content.errors ?? []).map((fault) => fault.reason);
    throw new Error([content.detail, ...reasons].join(': '));
  }
  return content;
}

function pathItems(path, sure) {
  return path.map((step) => {
    const share = step.probability === undefined ? '' : ` ${percent(step.probability)}`;
    const item = element('li', {}, `${step.official} ${step.title}${share}`);
    if (sure && step.code === sure.code) item.className = 'enough';
    return item;
  });
}

function showSure(answer) {
  const sure = answer.confident;
  const wanted = percent(answer.confidence);
  byId('sure-text').textContent = sure
    ? `${sure.official} ${sure.title}, at ${percent(sure.probability)}`
    : `Nothing passes ${wanted}, not even a sector: say more about the business.`;
  byId('sure-path').replaceChildren(...pathItems(answer.path, sure));
  byId('sure').hidden = false;
}

function hitItem(hit, rank) {
  const name = element('button', { type: 'button', class: 'name' },
    element('span', { class: 'rank' }, String(rank)),
    element('span', { class: 'code' }, hit.official),
    element('span', { class: 'title' }, hit.title));
  name.addEventListener('click', () => showCode(hit.code, true));
  const item = element('li', {}, name,
    element('div', { class: 'share' }, bar(hit.probability),
      element('span', {}, percent(hit.probability))),
    element('ol', { class: 'path', 'aria-label': `Path of ${hit.official}` },
      ...pathItems(hit.path.slice(0, -1))));
  const words = hit.evidence?.words ?? [];
  const texts = hit.evidence?.texts ?? [];
  if (words.length) {
    const list = words.map((word) => word.word).join(', ');
    item.append(element('p', { class: 'words' }, 'Words: ', element('b', {}, list)));
  }
  if (texts.length) {
    item.append(element('p', { class: 'words' }, 'Like: ', texts.map((text) => `“${text.text}”`).join(', ')));
  }
  const light = (on) => { item.classList.toggle('lit', on); highlight(rank, on); };
  item.addEventListener('pointerenter', () => light(true));
  item.addEventListener('pointerleave', () => light(false));
  item.addEventListener('focusin', () => light(true));
  item.addEventListener('focusout', () => light(false));
  return item;
}

function codeList(codes, note = () => '') {
  return element('ul', { class: 'list' }, ...codes.map((code) => {
    const name = element('button', { type: 'button' }, `${code.official} ${code.title}${note(code)}`);
    name.addEventListener('click', () => showCode(code.code, true));
    return element('li', {}, name);
  }));
}

function showCard(card, takeFocus) {
  const place = byId('card');
  place.replaceChildren(
    element('h2', { id: 'card-title' }, `${card.official} ${card.title}`),
    element('ol', { class: 'path', 'aria-label': `Path of ${card.official}` }, ...pathItems(card.path)));
  const part = (title, list) => place.append(element('h3', {}, title), list);
  if (card.children.length) part('Its codes', codeList(card.children));
  if (card.similar.length) {
    part('Similar codes', codeList(card.similar, (code) => ` (distance ${code.distance.toFixed(2)})`));
  }
  if (card.redirections.length) {
    part('Classified elsewhere', element('ul', { class: 'list' }, ...card.redirections.map((item) =>
      element('li', {}, `${item.activity} → ${item.targets.map((code) => code.official).join(', ')}`))));
  }
  place.hidden = false;
  if (takeFocus) place.focus();
}

async function showCode(code, takeFocus) {
  try {
    showCard(await fetchJson(`v1/codes/${encodeURIComponent(code)}`), takeFocus);
  } catch (error) {
    tell(error.message, true);
  }
}

async function search() {
  const query = byId('query').value.trim();
  const number = ++asked;
  if (!query) {
    tell('Type a description first.', true);
    byId('query').focus();
    return;
  }
  tell('Searching …');
  const values = new URLSearchParams({
    q: query, level: byId('level').value, confidence: String(byId('confidence').value / 100),
  });
  let found;
  try {
    found = await fetchJson(`v1/search?${values}`);
  } catch (error) {
    if (number === asked) tell(error.message, true);
    return;
  }
  // A slow answer must not replace that of a later question.
  if (number !== asked) return;
  const hits = found.answer ? found.answer.hits : [];
  byId('found').hidden = byId('sure').hidden = !found.answer;
  byId('card').hidden = !found.code;
  if (found.answer) {
    showSure(found.answer);
    byId('hits').replaceChildren(...hits.map((hit, i) => hitItem(hit, i + 1)));
    tell(`${hits.length} codes for “${found.answer.text}”; the first is ${hits[0].official} ${hits[0].title}, at ${percent(hits[0].probability)}.`);
  } else {
    showCard(found.code, false);
    tell(`${found.code.official} is ${found.code.title}.`);
  }
  await mapDrawn;
  drawAnswer(hits.length ? hits : [found.code], found.place);
}

const mapDrawn = fetchJson('v1/map').then(
  (codes) => drawMap(byId('disk'), codes, byId('near'), (code) => showCode(code, false)),
  (error) => tell(`The map is not there: ${error.message}`, true),
);
byId('confidence').addEventListener('input', () => {
  byId('confidence-shown').textContent = `${byId('confidence').value} %`;
});
byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  search();
});
