// Elements with text, never with markup.
const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export function percent(fraction, digits = 1) {
  if (fraction === null || fraction === undefined) return '–';
  return `${(100 * fraction).toFixed(digits)} %`;
}

export function gauge(fraction) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('class', 'gauge');
  drawing.setAttribute('aria-hidden', 'true');
  for (const [kind, width] of [['back', 1], ['full', fraction]]) {
    const box = document.createElementNS(SVG, 'rect');
    box.setAttribute('class', kind);
    box.setAttribute('width', `${100 * width}%`);
    box.setAttribute('height', '100%');
    box.setAttribute('rx', '2');
    drawing.append(box);
  }
  return drawing;
}

export function count(number, one, many) {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}
