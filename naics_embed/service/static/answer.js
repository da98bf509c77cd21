// The answer box and the ranked codes.
import { button, copyButton, element, gauge, percent } from './dom.js';

const HEADS = {
  coded: 'Sure',
  coarser: 'Sure of the group, choose among these',
  uncertain: 'Not enough said',
  'says nothing': 'Not enough said',
};
const ADVICE = 'Say what is made, sold or done, and for whom: “we repair roofs of houses” rather than “services”.';

export const isAnswer = (status) => status === 'coded' || status === 'coarser';

function where(path) {
  return element('ol', { class: 'path' }, ...path.map((step) => element('li', {},
    `${step.official} ${step.title}`, step.probability === undefined ? '' : ` ${percent(step.probability)}`)));
}

/** The box that says how far the answer can be relied on. */
export function answerBox(answer, { open, link }) {
  const code = answer.confident;
  const box = element('section', {
    id: 'confident', class: `answer ${isAnswer(answer.status) ? answer.status : 'unclear'}`,
    'aria-labelledby': 'confident-title',
  }, element('h2', { id: 'confident-title' }, HEADS[answer.status]));
  if (!isAnswer(answer.status)) {
    const why = answer.status === 'uncertain'
      ? `Not even a sector has ${percent(answer.confidence)}. `
      : 'The text names no activity. ';
    box.append(element('p', { id: 'confident-text' }, why, ADVICE));
    return box;
  }
  box.append(
    element('p', { id: 'confident-text', class: 'confident' },
      element('strong', {}, code.official), ' ',
      button(code.title, () => open(code.code), { class: 'plain' }), ' ',
      element('span', { class: 'figure' }, percent(code.probability))),
    element('div', { class: 'actions' },
      copyButton('Copy code', () => code.official), copyButton('Copy link', link),
      element('a', { class: 'small', href: mapAddress(answer) }, 'On the map')),
    element('details', {}, element('summary', {}, 'Where it belongs'),
      element('div', { id: 'confident-path' }, where(answer.path))));
  return box;
}

/** The address of the map with the codes of an answer marked. */
export function mapAddress(answer) {
  return `atlas#${answer.hits.map((hit) => hit.code).join('+')}`;
}

function evidence(hit) {
  const lines = [];
  const words = hit.evidence?.words ?? [];
  const texts = hit.evidence?.texts ?? [];
  if (words.length) {
    lines.push(element('p', {}, 'Words: ', element('b', {}, words.map((word) => word.word).join(', '))));
  }
  if (texts.length) {
    lines.push(element('p', {}, 'Like: ', texts.map((text) => `“${text.text}”`).join(', ')));
  }
  return lines;
}

function hitItem(hit, rank, { open, tick, ticked, shown }) {
  const box = element('input', {
    type: 'checkbox', 'aria-label': `Compare ${hit.official}`, value: hit.code,
    onchange: () => tick(hit.code, box.checked),
  });
  box.checked = ticked.includes(hit.code);
  const name = button('', () => open(hit.code), {
    class: 'name', 'aria-current': shown === hit.code ? 'true' : null, 'data-code': hit.code,
  });
  name.append(
    element('span', { class: 'rank' }, String(rank)),
    element('span', { class: 'code' }, hit.official),
    element('span', { class: 'title' }, hit.title));
  return element('li', {},
    element('div', { class: 'line' }, name,
      element('label', { class: 'tick', title: 'Tick two to compare them' }, box, element('span', {}, 'compare'))),
    element('div', { class: 'probability' }, gauge(hit.probability),
      element('span', { class: 'figure' }, percent(hit.probability))),
    element('div', { class: 'evidence' }, ...evidence(hit)));
}

/** The ranked codes; where not enough was said, names only, and folded. */
export function rankedCodes(answer, options) {
  if (!isAnswer(answer.status)) {
    if (answer.status === 'says nothing') return element('div');
    return element('details', { class: 'guesses' },
      element('summary', {}, 'Codes that come nearest; none is sure enough'),
      element('ul', { class: 'list' }, ...answer.hits.map((hit) =>
        element('li', {}, button(`${hit.official} ${hit.title}`, () => options.open(hit.code), { class: 'plain' })))));
  }
  return element('section', { id: 'found', 'aria-labelledby': 'found-title' },
    element('div', { class: 'heading' },
      element('h2', { id: 'found-title' }, 'Ranked codes'),
      element('p', { class: 'quiet' }, 'Why not the other? Tick two.')),
    element('ol', { id: 'hits', class: 'hits' },
      ...answer.hits.map((hit, i) => hitItem(hit, i + 1, options))));
}
