// One text with its suggestions.
import { count, element, gauge, tenths } from './dom.js';

const LONGEST_QUOTE = 120;
const ANSWERS = { vague: 'too vague to code', not_business: 'not a business' };

function path(steps, label) {
  return element('ol', { class: 'path', 'aria-label': label },
    ...steps.map((step) => element('li', {}, `${step.official} ${step.title}`)));
}

function words(label, values) {
  return element('p', {}, `${label}: `, ...values.flatMap((value, at) =>
    (at ? [', ', element('b', {}, value)] : [element('b', {}, value)])));
}

// A known text may be as long as a page, and the next suggestion is to be seen too.
function shortened(text) {
  return text.length <= LONGEST_QUOTE ? text : `${text.slice(0, LONGEST_QUOTE).replace(/\s+\S*$/, '')} …`;
}

function quotes(texts) {
  return element('p', {}, 'Like: ', ...texts.flatMap((text, at) => {
    const quote = element('q', { title: text }, shortened(text));
    return at ? [', ', quote] : [quote];
  }));
}

function elsewhere(hit, choose) {
  if (!hit.redirections.length) return null;
  const lines = hit.redirections.map((one) => element('li', {}, `${one.activity} → `,
    ...one.targets.flatMap((target, at) => {
      const button = element('button', { type: 'button', title: `Accept ${target.official}` }, `${target.official} ${target.title}`);
      button.addEventListener('click', () => choose(target.code));
      return at ? [', ', button] : [button];
    })));
  if (hit.more_redirections) lines.push(element('li', {}, `and ${hit.more_redirections} more`));
  const total = hit.redirections.length + hit.more_redirections;
  return element('details', { class: 'excludes' },
    element('summary', {}, `Not here: ${count(total, 'activity that belongs', 'activities that belong')} elsewhere`),
    element('ul', { class: 'elsewhere' }, ...lines));
}

function suggestion(hit, number, choose) {
  const accept = element('button', { type: 'button', class: 'accept', 'data-rank': number },
    element('kbd', {}, String(number)),
    element('span', { class: 'code' }, hit.official),
    element('span', { class: 'title' }, hit.title),
    element('span', { class: 'probability' }, tenths(hit.probability)),
    gauge(hit.probability));
  accept.addEventListener('click', () => choose(hit.code));
  const about = element('div', { class: 'about' });
  if (hit.path.length > 1) about.append(path(hit.path.slice(0, -1), `Path of ${hit.official}`));
  if (hit.evidence.words.length) about.append(words('Words', hit.evidence.words));
  if (hit.evidence.texts.length) about.append(quotes(hit.evidence.texts));
  const excludes = elsewhere(hit, choose);
  if (excludes) about.append(excludes);
  return element('li', { class: 'hit', 'data-code': hit.code }, accept, about);
}

// Whether an option stands for a code: it names codes of any level, ranges of sectors too.
function standsFor(option, code) {
  return (option.codes ?? []).some((named) => {
    const [first, last] = named.split('-');
    if (last === undefined) return code.startsWith(first);
    const sector = Number(code.slice(0, 2));
    return Number(first) <= sector && sector <= Number(last);
  });
}

// A chosen answer dims the codes that it does not speak for; the code itself stays to be chosen.
function question(asked, list) {
  const chips = element('div', { class: 'chips' });
  for (const option of asked.options) {
    const chip = element('button', { type: 'button', 'aria-pressed': 'false' }, option.text);
    chip.addEventListener('click', () => {
      const on = chip.getAttribute('aria-pressed') !== 'true';
      for (const other of chips.children) other.setAttribute('aria-pressed', 'false');
      chip.setAttribute('aria-pressed', String(on));
      const says = on && (option.rest || option.codes?.length);
      for (const item of list.children) {
        const { code } = item.dataset;
        const fits = option.rest
          ? !asked.options.some((one) => standsFor(one, code)) : standsFor(option, code);
        item.classList.toggle('out', Boolean(says) && !fits);
      }
    });
    chips.append(chip);
  }
  return element('div', { class: 'card question', role: 'group', 'aria-label': 'Question' },
    element('p', {}, asked.prompt), chips);
}

export function said(opinion) {
  const what = opinion.action === 'code' ? `${opinion.code} ${opinion.title ?? ''}` : ANSWERS[opinion.action];
  return opinion.reason ? `${what} (${opinion.reason})` : what;
}

export function showItem(section, item, choose) {
  const heading = element('h2', { id: 'text', tabindex: '-1' }, item.text || '(no text)');
  const text = element('div', { class: 'card text' },
    element('p', { class: 'quiet row' }, `Row ${item.row}`), heading);
  const shown = Object.entries(item.shown);
  if (shown.length) {
    text.append(element('dl', { class: 'shown' }, ...shown.map(([name, value]) =>
      element('div', {}, element('dt', {}, name), element('dd', {}, String(value))))));
  }
  if (item.opinions.length) {
    text.append(element('ul', { class: 'opinions', 'aria-label': 'Decisions of the reviewers' }, ...item.opinions.map((one) =>
      element('li', {}, element('b', {}, one.user), `: ${said(one)}`))));
  }
  if (item.comments.length) {
    text.append(element('ul', { class: 'notes', 'aria-label': 'Comments' }, ...item.comments.map((one) =>
      element('li', {}, element('b', {}, one.user), `: ${one.text}`))));
  }
  const list = element('ol', { class: 'hits', 'aria-label': 'Suggested codes' },
    ...item.suggestions.map((hit, at) => suggestion(hit, at + 1, choose)));
  const parts = [text, list];
  if (item.question?.options?.length) parts.splice(1, 0, question(item.question, list));
  section.replaceChildren(...parts);
  section.classList.remove('arriving');
  requestAnimationFrame(() => section.classList.add('arriving'));
  section.hidden = false;
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}
