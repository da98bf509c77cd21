// The tree of codes, opened level by level.
import { fetchOnce } from './api.js';
import { button, element } from './dom.js';

const below = (code) => fetchOnce(code ? `v1/codes?parent=${encodeURIComponent(code)}` : 'v1/codes');

async function level(parent, way, shown, open) {
  const { codes } = await below(parent);
  const items = await Promise.all(codes.map(async (code) => {
    const inside = way.includes(code.code) && code.children > 0;
    const name = button('', () => open(code.code), {
      class: 'plain', 'aria-current': code.code === shown ? 'true' : null,
    });
    name.append(element('b', {}, code.official), ` ${code.title}`);
    const item = element('li', {}, code.children ? twisty(code, inside, open, shown) : element('span', { class: 'leaf' }), name);
    if (inside) item.append(await level(code.code, way, shown, open));
    return item;
  }));
  return element('ul', {}, ...items);
}

function twisty(code, isOpen, open, shown) {
  const made = button('', async () => {
    const list = made.parentElement.querySelector('ul');
    made.setAttribute('aria-expanded', String(!list));
    if (list) list.remove();
    else made.parentElement.append(await level(code.code, [], shown, open));
  }, { class: 'twisty', 'aria-expanded': String(isOpen), 'aria-label': `Codes of ${code.official}` });
  return made;
}

/** The sectors, opened down to a code. */
export async function tree(path, open) {
  const way = path.map((step) => step.code);
  return element('nav', { class: 'tree', 'aria-label': 'All codes' },
    element('h2', {}, 'All codes'), await level('', way, way[way.length - 1], open));
}
