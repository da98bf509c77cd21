// What is shown, as the address of the page has it: ?q=&digits=&confidence=&code=&compare=
export const DIGITS = 6;
export const CONFIDENCE = 0.8;

/** Read an address. */
export function readState(search) {
  const given = new URLSearchParams(search);
  const digits = Number(given.get('digits'));
  let confidence = Number(given.get('confidence'));
  if (confidence > 1) confidence /= 100;
  const compare = (given.get('compare') ?? '').split(',').filter((code) => code);
  return {
    q: (given.get('q') ?? '').trim(),
    digits: digits >= 2 && digits <= 6 ? digits : DIGITS,
    confidence: confidence > 0 && confidence < 1 ? confidence : CONFIDENCE,
    code: given.get('code') ?? '',
    compare: compare.length === 2 ? compare : [],
  };
}

/** The address of a state, without what is usual. */
export function addressOf(state) {
  const values = new URLSearchParams();
  if (state.q) values.set('q', state.q);
  if (state.digits !== DIGITS) values.set('digits', String(state.digits));
  if (state.confidence !== CONFIDENCE) values.set('confidence', state.confidence.toFixed(2));
  if (state.code) values.set('code', state.code);
  if (state.compare.length) values.set('compare', state.compare.join(','));
  const text = values.toString();
  return text ? `?${text}` : './';
}

const KEPT = 'naics-searches';
const MOST = 12;

/** Texts that were searched for in this tab, the last one first. */
export function searches() {
  const stored = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]');
  return Array.isArray(stored) ? stored : [];
}

export function remember(text) {
  const others = searches().filter((other) => other !== text && !text.startsWith(other));
  sessionStorage.setItem(KEPT, JSON.stringify([text, ...others].slice(0, MOST)));
}
