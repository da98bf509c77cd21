// The page speaks to the API of its own server. Text goes in as text nodes, never as markup.
import { drawMap, drawAnswer, highlight } from './map.js';

const byId = (id) => document.getElementById(id);
const percent = (fraction) => `${(100 * fraction).toFixed(fraction >= 0.9995 || fraction < 0.0005 ? 0 : 1)} %`;
const SVG = 'http://www.w3.org/2000/svg';
let latest = 0;

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function bar(fraction) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('class', 'bar');
  drawing.setAttribute('aria-hidden', 'true');
  for (const [kind, width] of [['back', 1], ['full', fraction]]) {
    const box = document.createElementNS(SVG, 'rect');
    box.setAttribute('class', kind);
    box.setAttribute('width', `${100 * width}%`);
    box.setAttribute('height', '100%');
    box.setAttribute('rx', '3');
    drawing.append(box);
  }
  return drawing;
}

function report(message, isError = false) {
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

function pathItems(path, confident) {
  return path.map((step) => {
    const probability = step.probability === undefined ? '' : ` ${percent(step.probability)}`;
    const item = element('li', {}, `${step.official} ${step.title}${probability}`);
    if (confident && step.code === confident.code) item.className = 'enough';
    return item;
  });
}

function showConfident(answer) {
  const code = answer.confident;
  byId('confident-text').textContent = code
    ? `${code.official} ${code.title}, at ${percent(code.probability)}`
    : `No code passes ${percent(answer.confidence)}, not even a sector: say more about the business.`;
  byId('confident-path').replaceChildren(...pathItems(answer.path, code));
  byId('confident').hidden = false;
}

function hitItem(hit, rank) {
  const name = element('button', { type: 'button', class: 'name' },
    element('span', { class: 'rank' }, String(rank)),
    element('span', { class: 'code' }, hit.official),
    element('span', { class: 'title' }, hit.title));
  name.addEventListener('click', () => showCode(hit.code, true));
  const item = element('li', {}, name,
    element('div', { class: 'probability' }, bar(hit.probability),
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
  const section = byId('card');
  section.replaceChildren(
    element('h2', { id: 'card-title' }, `${card.official} ${card.title}`),
    element('ol', { class: 'path', 'aria-label': `Path of ${card.official}` }, ...pathItems(card.path)));
  const part = (title, list) => section.append(element('h3', {}, title), list);
  if (card.children.length) part('Its codes', codeList(card.children));
  if (card.similar.length) {
    part('Similar codes', codeList(card.similar, (code) => ` (distance ${code.distance.toFixed(2)})`));
  }
  if (card.redirections.length) {
    part('Classified elsewhere', element('ul', { class: 'list' }, ...card.redirections.map((item) =>
      element('li', {}, `${item.activity} → ${item.targets.map((code) => code.official).join(', ')}`))));
  }
  section.hidden = false;
  if (takeFocus) section.focus();
}

async function showCode(code, takeFocus) {
  try {
    showCard(await fetchJson(`v1/codes/${encodeURIComponent(code)}`), takeFocus);
  } catch (error) {
    report(error.message, true);
  }
}

async function search() {
  const query = byId('query').value.trim();
  const number = ++latest;
  if (!query) {
    report('Type a description first.', true);
    byId('query').focus();
    return;
  }
  report('Searching …');
  const values = new URLSearchParams({
    q: query, level: byId('level').value, confidence: String(byId('confidence').value / 100),
  });
  let result;
  try {
    result = await fetchJson(`v1/search?${values}`);
  } catch (error) {
    if (number === latest) report(error.message, true);
    return;
  }
  // A slow answer must not replace that of a later question.
  if (number !== latest) return;
  const hits = result.answer ? result.answer.hits : [];
  byId('found').hidden = byId('confident').hidden = !result.answer;
  byId('card').hidden = !result.code;
  if (result.answer) {
    showConfident(result.answer);
    byId('hits').replaceChildren(...hits.map((hit, i) => hitItem(hit, i + 1)));
    report(`${hits.length} codes for “${result.answer.text}”; the first is ${hits[0].official} ${hits[0].title}, at ${percent(hits[0].probability)}.`);
  } else {
    showCard(result.code, false);
    report(`${result.code.official} is ${result.code.title}.`);
  }
  await mapDrawn;
  drawAnswer(hits.length ? hits : [result.code], result.point);
}

const mapDrawn = fetchJson('v1/map').then(
  (codes) => drawMap(byId('disk'), codes, byId('near'), (code) => showCode(code, false)),
  (error) => report(`The map could not be loaded: ${error.message}`, true),
);
byId('confidence').addEventListener('input', () => {
  byId('confidence-shown').textContent = `${byId('confidence').value} %`;
});
byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  search();
});
