// The card of a code, and two codes side by side.
import { button, copyButton, element, percent } from './dom.js';

const SHOWN = 8;
const name = (code) => `${code.official} ${code.title}`;

function codeList(codes, open) {
  return element('ul', { class: 'list' }, ...codes.map((code) => {
    const made = button('', () => open(code.code), { class: 'plain' });
    made.append(element('b', {}, code.official), ` ${code.title}`);
    return element('li', {}, made);
  }));
}

function texts(items) {
  return element('ul', { class: 'texts' }, ...items.map((item) => element('li', {}, item)));
}

/** A part of a card; long ones are folded. */
function part(title, content, folded = false) {
  if (!folded) return element('section', {}, element('h3', {}, title), content);
  return element('details', {}, element('summary', {}, title), content);
}

function crossReference(activity, targets, open) {
  const line = element('li', {}, activity, ' → ');
  targets.forEach((code, i) => line.append(i ? ', ' : '',
    button(name(code), () => open(code.code), { class: 'plain' })));
  return line;
}

/** The path of a code as links, from its sector. */
function crumbs(path, open) {
  return element('nav', { class: 'crumbs', 'aria-label': 'Codes above it' },
    element('ol', {}, ...path.slice(0, -1).map((step) => element('li', {},
      button(step.official, () => open(step.code), { class: 'plain', title: step.title, 'aria-label': name(step) })))));
}

/** All about a code. */
export function codeCard(card, { open, link }) {
  const own = card.texts;
  const made = element('article', { class: 'card', 'aria-labelledby': 'card-title' },
    crumbs(card.path, open),
    element('h2', { id: 'card-title', tabindex: '-1' }, element('span', { class: 'code' }, card.official), ` ${card.title}`),
    element('div', { class: 'actions' },
      copyButton('Copy code', () => card.official), copyButton('Copy link', () => link(card.code)),
      element('a', { class: 'small', href: `atlas#${card.code}` }, 'On the map')));
  if (own.description) {
    const paragraphs = own.description.split('\n').map((text) => element('p', {}, text));
    made.append(part('Definition', element('div', { class: 'definition' }, ...paragraphs)));
  }
  if (own.examples.length) made.append(part('Examples', texts(own.examples)));
  if (card.redirections.length) {
    made.append(part('Not here, but there', element('ul', { class: 'texts' },
      ...card.redirections.map((item) => crossReference(item.activity, item.targets, open)))));
  }
  if (card.children.length) made.append(part('Its codes', codeList(card.children, open)));
  const entries = own.index_entries;
  if (entries.length) {
    made.append(part(`Index terms (${entries.length})`, texts(entries), entries.length > SHOWN));
  }
  if (!own.description && own.known_texts.length) {
    made.append(part('Texts that are known for it', texts(own.known_texts), own.known_texts.length > SHOWN));
  }
  if (card.similar.length) made.append(part('Similar codes', codeList(card.similar, open), true));
  return made;
}

const likely = (hits, code) => hits.find((hit) => hit.code === code)?.probability;

function side(code, hits, open) {
  const probability = likely(hits, code.code);
  const made = element('section', { class: 'side' },
    element('h3', {}, button('', () => open(code.code), { class: 'plain' })),
    probability === undefined ? null : element('p', { class: 'figure' }, percent(probability)));
  made.querySelector('button').append(element('span', { class: 'code' }, code.official), ` ${code.title}`);
  const say = (title, content) => made.append(element('h4', {}, title), content);
  if (code.cues.length) say('Words of your text for it', element('p', {}, element('b', {}, code.cues.join(', '))));
  if (code.deciding_words.length) {
    say('Words that would decide for it', element('p', {}, code.deciding_words.join(', ')));
  }
  if (code.evidence?.texts.length) say('Known texts like yours', texts(code.evidence.texts.map((one) => one.text)));
  return made;
}

/** Two codes, and what decides between them. */
export function comparison(found, hits, open) {
  const { first, second, common } = found;
  const both = [first, second];
  const made = element('article', { class: 'card', 'aria-labelledby': 'card-title' },
    element('h2', { id: 'card-title', tabindex: '-1' }, `${first.official} or ${second.official}?`));
  const shared = element('p', {});
  if (common) shared.append('Both are in ', button(name(common), () => open(common.code), { class: 'plain' }), '.');
  else shared.append('They share no sector.');
  made.append(shared, element('p', { class: 'decides' }, decides(both)));
  made.append(element('div', { class: 'sides' }, ...both.map((code) => side(code, hits, open))));
  made.append(part('Cross references between them', found.cross_references.length
    ? element('ul', { class: 'texts' }, ...found.cross_references.map((item) =>
      crossReference(`${item.source.official}: ${item.activity}`, item.targets, open)))
    : element('p', { class: 'quiet' }, 'None: neither text sends an activity to the other.')));
  return made;
}

/** The cue that decides, in one sentence. */
function decides([first, second]) {
  const [cue] = first.cues;
  const [other] = second.cues;
  if (cue && other) return `“${cue}” speaks for ${first.official}, “${other}” for ${second.official}.`;
  const [code, word] = cue ? [first, cue] : [second, other];
  if (word) return `“${word}” decides for ${code.official}; nothing in the text speaks for the other.`;
  const [one, two] = [first.deciding_words[0], second.deciding_words[0]];
  if (one && two) return `No word of the text decides. “${one}” would, for ${first.official}; “${two}” for ${second.official}.`;
  return 'No single word decides between them.';
}
