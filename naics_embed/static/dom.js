// Elements of the pages of service and review. Text goes in as text nodes, never as markup.
const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** A probability as people read it. */
export function percent(fraction) {
  if (fraction > 0 && fraction < 0.01) return '< 1 %';
  return `${Math.round(100 * fraction)} %`;
}

/** A share or an estimate, to a tenth of a percent. */
export function tenths(fraction) {
  return fraction === null || fraction === undefined ? '–' : `${(100 * fraction).toFixed(1)} %`;
}

export function count(number, one, many) {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

/** An element; attributes that begin with "on" are listeners, those without a value are left out. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function button(text, onclick, attributes = {}) {
  return element('button', { type: 'button', onclick, ...attributes }, text);
}

/** A bar as wide as a fraction. */
export function gauge(fraction) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('class', 'gauge');
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

/** Say something below the form; it is read aloud. */
export function say(message, isError = false) {
  const status = byId('status');
  status.textContent = message;
  status.classList.toggle('error', isError);
}

async function toClipboard(text) {
  // The clipboard is for pages of this machine or with TLS; elsewhere a selection is copied.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const field = element('textarea', { class: 'unseen', 'aria-hidden': 'true', tabindex: '-1' });
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  return copied;
}

/** A button that copies what `text()` returns, and says so for a moment. */
export function copyButton(label, text) {
  const made = button(label, async () => {
    let copied = false;
    try {
      copied = await toClipboard(text());
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
    made.textContent = copied ? 'Copied' : 'Not allowed here';
    setTimeout(() => { made.textContent = label; }, 1500);
  }, { class: 'small' });
  return made;
}

/** Save a file that the page has made. */
export function download(content, name) {
  const link = element('a', { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
