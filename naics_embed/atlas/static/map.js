'use strict';

/* The page: view, picture, search, legend, card and keyboard, joined. */
(() => {
  const byId = (id) => document.getElementById(id);
  const canvas = byId('map');
  const table = atlas.load(JSON.parse(byId('data').textContent));
  const entries = find.index(table.codes, table.official, table.titles);
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  const night = matchMedia('(prefers-color-scheme: dark)');
  const LISTED = 12;
  const STEP = 0.35;
  const ZOOM = 1.35;
  // As far as codes lie at the widest spread, and a little more.
  const FARTHEST = 12;

  const state = {
    edges: false,
    shown: table.sectors.map(() => true),
    selected: -1,
    hovered: -1,
    marked: [],
  };
  const picture = new draw.Picture(canvas, table);
  const frames = { count: 0, durations: [] };
  let waiting = false;

  function paint() {
    waiting = false;
    const begun = performance.now();
    picture.frame({ ...state, motion: seen.motion, scale: seen.scale });
    frames.count += 1;
    frames.durations.push(performance.now() - begun);
    if (frames.durations.length > 240) frames.durations.shift();
  }

  function repaint() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(paint);
  }

  const seen = new view.View(repaint, () => calm.matches, FARTHEST);

  const name = (i) => `${table.official[i]} ${table.titles[i]}`;

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function chip(i) {
    const made = element('span', { className: 'chip' });
    made.style.setProperty('--light', table.colours[table.sector[i]][0]);
    made.style.setProperty('--night', table.colours[table.sector[i]][1]);
    made.setAttribute('aria-hidden', 'true');
    return made;
  }

  function hover(i, x, y) {
    const tip = byId('tip');
    if (i !== state.hovered) {
      state.hovered = i;
      canvas.classList.toggle('pointing', i >= 0);
      tip.hidden = i < 0;
      if (i >= 0) {
        const path = table.path(i).slice(0, -1);
        tip.replaceChildren(
          element('strong', {}, chip(i), table.official[i]),
          element('span', { className: 'title' }, table.titles[i]),
          ...path.map((node) => element('span', { className: 'path' }, name(node))),
        );
      }
      repaint();
    }
    if (i < 0) return;
    const right = x + 16 + tip.offsetWidth > picture.width;
    tip.style.left = `${right ? Math.max(4, x - 16 - tip.offsetWidth) : x + 16}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 12, picture.height - tip.offsetHeight - 4))}px`;
  }

  function jump(i) {
    const button = element('button', { type: 'button', title: name(i) }, chip(i));
    button.append(element('b', {}, table.official[i]), ` ${table.titles[i]}`);
    button.addEventListener('click', () => fly(i));
    return element('li', {}, button);
  }

  /** The address of what is shown: the ranked codes that a link gave, and the selected one. */
  function keepAddress() {
    const codes = state.marked.map((node) => table.codes[node]);
    const own = state.selected >= 0 ? table.codes[state.selected] : null;
    if (own && !codes.includes(own)) codes.splice(0, codes.length, own);
    const hash = codes.length ? `#${codes.join('+')}` : '';
    if (hash === location.hash) return;
    history.replaceState(null, '', hash || location.pathname + location.search);
  }

  function select(i) {
    if (i >= 0 && !state.marked.includes(i)) state.marked = [];
    state.selected = i;
    keepAddress();
    const card = byId('card');
    card.hidden = i < 0;
    if (i >= 0) {
      byId('code').replaceChildren(chip(i), table.official[i]);
      byId('title').textContent = table.titles[i];
      const groups = { path: table.path(i).slice(0, -1), below: table.children[i] };
      groups.near = table.near[i];
      for (const [id, nodes] of Object.entries(groups)) {
        byId(id).hidden = !nodes.length;
        byId(id).querySelector('ul').replaceChildren(...nodes.map(jump));
      }
      byId('ask').hidden = !table.search;
      if (table.search) byId('ask').href = `${table.search}?code=${table.codes[i]}`;
      card.scrollTop = 0;
      byId('said').textContent = `${name(i)} selected`;
    }
    repaint();
  }

  /** Select a code and bring it to the centre. */
  function fly(i) {
    const sector = table.sector[i];
    if (!state.shown[sector]) show(sector, true);
    select(i);
    hover(-1, 0, 0);
    const at = hyperbolic.apply(seen.motion, table.disk(i));
    return seen.centre(at);
  }

  function show(sector, on) {
    state.shown[sector] = on;
    byId('legend').querySelectorAll('input')[sector].checked = on;
    if (state.hovered >= 0 && !state.shown[table.sector[state.hovered]]) hover(-1, 0, 0);
    repaint();
  }

  function fillLegend() {
    byId('legend').append(
      ...table.sectors.map((node, sector) => {
        const box = element('input', { type: 'checkbox', checked: true });
        box.addEventListener('change', () => show(sector, box.checked));
        const label = element('label', {}, box, chip(node), element('b', {}, table.official[node]));
        label.append(element('span', {}, table.titles[node]));
        const only = element('button', { type: 'button', className: 'only' }, 'only');
        only.setAttribute('aria-label', `Show only ${table.titles[node]}`);
        only.addEventListener('click', () => table.sectors.forEach((_, k) => show(k, k === sector)));
        return element('li', {}, label, only);
      }),
    );
    byId('all').addEventListener('click', () => table.sectors.forEach((_, k) => show(k, true)));
    byId('none').addEventListener('click', () => table.sectors.forEach((_, k) => show(k, false)));
  }

  function listenToSearch() {
    const input = byId('search');
    const list = byId('found');
    let active = -1;
    const close = () => {
      list.hidden = true;
      active = -1;
      input.setAttribute('aria-expanded', 'false');
      input.removeAttribute('aria-activedescendant');
    };
    const go = (i) => {
      close();
      input.value = table.official[i];
      canvas.focus({ preventScroll: true });
      fly(i);
    };
    const highlight = (place) => {
      active = place;
      [...list.children].forEach((option, k) => {
        option.setAttribute('aria-selected', String(k === place));
        if (k === place) option.scrollIntoView({ block: 'nearest' });
      });
      if (place >= 0) input.setAttribute('aria-activedescendant', `option-${place}`);
    };
    const offer = () => {
      const titled = find.search(entries, input.value, LISTED);
      const known = find
        .searchKnown(table.vocabulary, table.words, input.value, 2 * LISTED)
        .filter((one) => !titled.includes(one.i));
      const found = [...titled.map((i) => ({ i, words: [] })), ...known].slice(0, LISTED);
      list.replaceChildren(
        ...found.map(({ i, words }, k) => {
          const option = element('li', { id: `option-${k}` }, chip(i));
          option.setAttribute('role', 'option');
          option.dataset.code = i;
          option.append(element('b', {}, table.official[i]), ` ${table.titles[i]}`);
          if (words.length) {
            option.append(element('span', { className: 'known' }, `known texts: ${words.join(', ')}`));
          }
          option.addEventListener('pointerdown', (event) => {
            event.preventDefault();
            go(i);
          });
          return option;
        }),
      );
      const asked = input.value.trim() !== '';
      byId('nothing').hidden = !asked || found.length > 0;
      list.hidden = !found.length;
      input.setAttribute('aria-expanded', String(found.length > 0));
      if (found.length) highlight(0);
      else close();
    };
    input.addEventListener('input', offer);
    input.addEventListener('focus', () => input.select());
    input.addEventListener('blur', close);
    input.addEventListener('keydown', (event) => {
      const count = list.hidden ? 0 : list.children.length;
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        event.preventDefault();
        if (!count) offer();
        else highlight((active + (event.key === 'ArrowDown' ? 1 : count - 1)) % count);
      } else if (event.key === 'Enter' && count) {
        event.preventDefault();
        go(Number(list.children[Math.max(active, 0)].dataset.code));
      } else if (event.key === 'Escape') {
        if (count) close();
        else input.value = '';
        byId('nothing').hidden = true;
      }
    });
  }

  function toggleEdges() {
    state.edges = !state.edges;
    byId('edges').setAttribute('aria-pressed', String(state.edges));
    repaint();
  }

  const keys = {
    ArrowLeft: () => pan(-1, 0),
    ArrowRight: () => pan(1, 0),
    ArrowUp: () => pan(0, -1),
    ArrowDown: () => pan(0, 1),
    '+': () => seen.zoom(ZOOM, [0, 0]),
    '=': () => seen.zoom(ZOOM, [0, 0]),
    '-': () => seen.zoom(1 / ZOOM, [0, 0]),
    0: () => seen.home(),
    Home: () => seen.home(),
    Enter: () => state.hovered >= 0 && select(state.hovered),
    e: toggleEdges,
  };

  /** Look on by the arrow keys; the code nearest to the centre is shown as if under a pointer. */
  function pan(x, y) {
    seen.pan(x, y, STEP);
    paint();
    const middle = [picture.width / 2, picture.height / 2];
    hover(picture.nearest(...middle, 90, state.shown), ...middle);
  }

  function listenToKeys() {
    canvas.addEventListener('keydown', (event) => {
      const action = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });
    document.addEventListener('keydown', (event) => {
      const typing = event.target.matches('input:not([type=checkbox]):not([type=range])');
      if (event.key === '/' && !typing) {
        event.preventDefault();
        byId('search').focus();
      } else if (event.key === 'Escape' && !typing) {
        if (byId('card').contains(document.activeElement)) canvas.focus();
        select(-1);
        hover(-1, 0, 0);
      }
    });
  }

  function restyle() {
    picture.restyle();
    const chosen = document.documentElement.dataset.theme;
    const dark = chosen ? chosen === 'dark' : night.matches;
    byId('theme').setAttribute('aria-pressed', String(dark));
    repaint();
  }

  function listenToButtons() {
    byId('edges').addEventListener('click', toggleEdges);
    byId('in').addEventListener('click', () => seen.zoom(ZOOM, [0, 0]));
    byId('out').addEventListener('click', () => seen.zoom(1 / ZOOM, [0, 0]));
    byId('home').addEventListener('click', () => seen.home());
    byId('close').addEventListener('click', () => {
      select(-1);
      canvas.focus();
    });
    byId('theme').addEventListener('click', () => {
      const dark = byId('theme').getAttribute('aria-pressed') === 'true';
      document.documentElement.dataset.theme = dark ? 'light' : 'dark';
      restyle();
    });
    byId('spread').addEventListener('input', (event) => {
      table.stretch(Number(event.target.value));
      byId('factor').textContent = `× ${Number(event.target.value).toFixed(2)}`;
      repaint();
    });
  }

  night.addEventListener('change', restyle);
  new ResizeObserver(() => {
    picture.resize();
    // At once: a canvas that was resized is blank until it is painted.
    paint();
  }).observe(canvas);
  fillLegend();
  listenToSearch();
  listenToKeys();
  listenToButtons();
  const narrow = matchMedia('(max-width: 760px)');
  document.querySelector('.legend').open = !narrow.matches;
  pointer.listen(canvas, { view: seen, picture, state, hover, select, fly });
  picture.resize();
  restyle();

  /** A link such as atlas.html#541511 leads to a code, #541511+541512 to ranked ones. */
  function follow() {
    const nodes = location.hash
      .slice(1)
      .split('+')
      .map((code) => table.codes.indexOf(code))
      .filter((i) => i >= 0);
    if (nodes.length === 1) fly(nodes[0]);
    else if (nodes.length) showRanked(nodes);
  }

  /** Mark codes with their ranks, and come so near that they are apart. */
  function showRanked(nodes) {
    state.marked = nodes;
    state.selected = -1;
    byId('card').hidden = true;
    nodes.forEach((i) => show(table.sector[i], true));
    const points = nodes.map((i) => hyperbolic.apply(seen.motion, table.disk(i)));
    const middle = [0, 1].map((k) => points.reduce((sum, p) => sum + p[k], 0) / points.length);
    seen.centre(view.held(middle));
    byId('said').textContent = `${nodes.length} ranked codes are marked`;
    repaint();
  }
  window.addEventListener('hashchange', follow);
  follow();

  window.naicsMap = { table, view: seen, state, picture, frames, paint, select, fly, showRanked };
})();
