// Search by words and browsing of the tree, in a dialog that the arrow keys move in.
import { get } from './api.js';
import { byId, count, element, tenths } from './dom.js';

const PAUSE_MS = 120;

export class Finder {
  constructor(choose) {
    this.choose = choose;
    this.dialog = byId('finder');
    this.query = byId('finder-query');
    this.list = byId('finder-list');
    this.path = byId('finder-path');
    this.latest = 0;
    this.at = 0;
    this.codes = [];
    this.parent = null;
    this.query.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(), PAUSE_MS);
    });
    this.query.addEventListener('keydown', (event) => this.key(event));
  }

  open(batch, browse) {
    this.batch = batch;
    this.query.value = '';
    this.dialog.showModal();
    this.query.focus();
    byId('finder-status').textContent = browse
      ? 'Right opens a code, left goes up, Enter accepts.' : 'Arrow keys move, Enter accepts.';
    this.browse(null);
  }

  address(rest) { return `api/batches/${encodeURIComponent(this.batch)}/${rest}`; }

  async load(address, found) {
    this.latest += 1;
    const number = this.latest;
    try {
      const answer = await get(address);
      if (number === this.latest) found(answer);
    } catch (error) {
      if (number === this.latest) byId('finder-status').textContent = error.message;
    }
  }

  browse(parent) {
    const rest = parent ? `codes?parent=${encodeURIComponent(parent)}` : 'codes';
    return this.load(this.address(rest), (answer) => {
      if (!answer.codes.length) return;
      this.parent = parent;
      const top = element('button', { type: 'button' }, 'All sectors');
      top.addEventListener('click', () => this.browse(null));
      this.path.replaceChildren(top, ...answer.path.map((step) => {
        const button = element('button', { type: 'button' }, `${step.official} ${step.title}`);
        button.addEventListener('click', () => this.browse(step.code));
        return button;
      }));
      this.above = answer.path.length > 1 ? answer.path.at(-2).code : null;
      this.show(answer.codes);
    });
  }

  search() {
    const text = this.query.value.trim();
    if (!text) return this.browse(null);
    return this.load(this.address(`search?q=${encodeURIComponent(text)}`), (answer) => {
      this.path.replaceChildren();
      this.parent = null;
      this.show(answer.codes);
      byId('finder-status').textContent = answer.codes.length
        ? `${count(answer.codes.length, 'code', 'codes')}; Enter accepts.` : 'No code; try other words.';
    });
  }

  show(codes) {
    this.codes = codes;
    this.list.replaceChildren(...codes.map((code, at) => {
      const more = code.children ? ` (${code.children})` : '';
      const item = element('li', { role: 'option', id: `option-${at}` },
        element('span', { class: 'code' }, code.official),
        element('span', { class: 'title' }, `${code.title}${more}`));
      if (code.probability !== undefined) item.append(element('span', { class: 'quiet' }, tenths(code.probability)));
      item.addEventListener('click', () => {
        if (code.children && !this.query.value.trim()) this.browse(code.code);
        else this.accept(at);
      });
      return item;
    }));
    this.select(0);
  }

  select(at) {
    this.at = Math.max(0, Math.min(at, this.codes.length - 1));
    Array.from(this.list.children).forEach((item, i) => item.setAttribute('aria-selected', String(i === this.at)));
    const item = this.list.children[this.at];
    if (item) {
      this.query.setAttribute('aria-activedescendant', item.id);
      item.scrollIntoView({ block: 'nearest' });
    } else this.query.removeAttribute('aria-activedescendant');
  }

  accept(at) {
    const code = this.codes[at];
    if (!code) return;
    this.dialog.close();
    this.choose(code.code);
  }

  key(event) {
    const empty = !this.query.value;
    const chosen = this.codes[this.at];
    const moves = {
      ArrowDown: () => this.select(this.at + 1),
      ArrowUp: () => this.select(this.at - 1),
      Enter: () => this.accept(this.at),
      // A field of type search would only empty itself.
      Escape: () => this.dialog.close(),
      ArrowRight: empty && chosen?.children ? () => this.browse(chosen.code) : null,
      ArrowLeft: empty && this.parent ? () => this.browse(this.above) : null,
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }
}
