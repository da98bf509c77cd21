// The page before anything is asked.
import { fetchOnce } from './api.js';
import { button, element } from './dom.js';
import { searches } from './state.js';

const EXAMPLES = [
  'we groom dogs and cats at home', 'custom software for banks', 'corner bakery',
  'roof repair after storms', 'haul freight between states', 'dental practice',
];
const MEANINGS = [
  ['coded', 'Sure', 'the code passes the confidence that you set: take it.'],
  ['coarser', 'Sure of the group', 'only a code of fewer digits passes: choose among the codes shown.'],
  ['unclear', 'Not enough said', 'nothing passes: say more about what is made, sold or done.'],
];

function chips(texts, ask) {
  return element('div', { class: 'chips' }, ...texts.map((text) => button(text, () => ask(text), { class: 'chip' })));
}

export function startView({ ask, open }) {
  const sectors = element('ul', { class: 'sectors' });
  fetchOnce('v1/codes').then(({ codes }) => sectors.append(...codes.map((code) => {
    const made = button('', () => open(code.code), { class: 'sector' });
    made.append(element('span', { class: 'code' }, code.official), element('span', {}, code.title));
    return element('li', {}, made);
  })), () => sectors.append(element('li', { class: 'quiet' }, 'The sectors could not be read.')));
  const made = element('div', { class: 'start' },
    element('section', {}, element('h2', {}, 'Try one'), chips(EXAMPLES, ask)));
  const before = searches();
  if (before.length) {
    made.append(element('section', {}, element('h2', {}, 'Asked before in this tab'), chips(before, ask)));
  }
  made.append(
    element('section', {}, element('h2', {}, 'What the answers mean'),
      element('dl', { class: 'meanings' }, ...MEANINGS.map(([kind, head, text]) =>
        element('div', { class: kind }, element('dt', {}, head), element('dd', {}, text))))),
    element('section', {}, element('h2', {}, 'Or start from a sector'), sectors));
  return made;
}
