// What the batch has come to: progress, errors of the automatic part, agreement, reviewers.
import { get, post } from './api.js';
import { byId, count, element, tenths } from './dom.js';

function tile(value, label) {
  return element('li', { class: 'card' }, element('strong', {}, value), element('span', {}, label));
}

function table(caption, names, rows) {
  return element('div', { class: 'table', tabindex: '0', role: 'region', 'aria-label': caption }, element('table', {},
    element('thead', {}, element('tr', {}, ...names.map((name) => element('th', { scope: 'col' }, name)))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...row.map((value) => element('td', {}, value)))))));
}

const seconds = (value) => (value === null ? '–' : `${value.toFixed(1)} s`);
const share = (one, name) => [name, String(one.decided), String(one.first), String(one.other), String(one.vague),
  String(one.not_business), String(one.skipped), seconds(one.seconds)];
const SHARES = ['Reviewer', 'Decided', 'First suggestion', 'Other code', 'Too vague', 'No business', 'Skipped', 'Median time'];

export async function showOverview(section, batch, me, closed) {
  const facts = await get(`api/batches/${encodeURIComponent(batch)}/statistics`);
  const { progress, errors } = facts;
  const parts = [
    element('h2', { id: 'overview-title' }, `${facts.name}: ${facts.source}`),
    element('ul', { class: 'tiles' },
      tile(tenths(errors.automation), `coded automatically: ${errors.accepted.toLocaleString('en')} rows${facts.threshold === null ? '' : ` at ${tenths(facts.threshold)} or more`}`),
      errors.audited
        ? tile(tenths(errors.rate), `of the audited ones are wrong (${errors.wrong} of ${errors.audited}); of all, ${tenths(errors.low)} to ${tenths(errors.high)} with 95 % confidence`)
        : tile('–', `are wrong: ${count(errors.pending, 'row', 'rows')} of the audit to be decided first`),
      tile(`${progress.done} of ${progress.people}`, 'items for people are settled'),
      tile(String(facts.decided), 'decided by you')),
    element('h3', {}, 'Agreement of two reviewers'),
    facts.agreement[0].items === 0 ? element('p', { class: 'quiet' }, 'No text has been decided by two reviewers yet.') : table('Agreement by level', ['Digits', 'Items', 'Agree', 'Cohen’s κ', '95 %'], facts.agreement.map((one) => [
      String(one.level), String(one.items), tenths(one.agreed),
      one.kappa === null ? '–' : one.kappa.toFixed(2),
      one.low === null ? '–' : `${one.low.toFixed(2)} – ${one.high.toFixed(2)}`])),
  ];
  const shares = facts.reviewers ?? (facts.own ? [facts.own] : []);
  if (shares.length) {
    parts.push(element('h3', {}, facts.reviewers ? 'Reviewers' : 'Your decisions'),
      table('Reviewers', SHARES, shares.map((one) => share(one, one.user))));
  }
  if (me.administers && facts.state === 'open') parts.push(closing(facts, closed));
  section.replaceChildren(...parts);
}

function closing(facts, closed) {
  const left = facts.progress.open + facts.progress.conflicts;
  const button = element('button', { type: 'button' }, 'Close the batch');
  const note = element('span', { class: 'quiet', role: 'status' },
    left ? `${count(left, 'item is', 'items are')} not settled.` : 'All items are settled.');
  let sure = false;
  button.addEventListener('click', async () => {
    if (!sure) {
      sure = true;
      button.textContent = left ? 'Close it without them' : 'Close it for good';
      return;
    }
    try {
      await post(`api/batches/${encodeURIComponent(facts.name)}/close`, { force: left > 0 });
      closed();
    } catch (error) {
      note.textContent = error.message;
    }
  });
  return element('div', { class: 'close-batch' }, button, note);
}
