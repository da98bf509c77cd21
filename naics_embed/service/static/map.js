// The Poincaré disk: all codes as dots, edges of the tree as geodesics, and the results.
const SVG = 'http://www.w3.org/2000/svg';
const DOT = { 2: 0.022, 3: 0.015, 4: 0.011, 5: 0.008, 6: 0.006 };
const NEAR = 0.03;
let disk;
let codes;
let indexOf = new Map();
let drawn;

function shape(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

// The y axis of SVG points down.
const at = (i) => [codes.x[i], -codes.y[i]];

/** Path of the geodesic between two points: an arc of the circle that meets the rim at right angles. */
function geodesic([ax, ay], [bx, by]) {
  const cross = ax * by - ay * bx;
  const start = `M${ax.toFixed(4)} ${ay.toFixed(4)}`;
  if (Math.abs(cross) < 1e-4) return `${start}L${bx.toFixed(4)} ${by.toFixed(4)}`;
  const a = (ax * ax + ay * ay + 1) / 2;
  const b = (bx * bx + by * by + 1) / 2;
  const x = (a * by - b * ay) / cross;
  const y = (b * ax - a * bx) / cross;
  const radius = Math.sqrt(Math.max(x * x + y * y - 1, 0));
  return `${start}A${radius.toFixed(4)} ${radius.toFixed(4)} 0 0 ${cross > 0 ? 0 : 1} ${bx.toFixed(4)} ${by.toFixed(4)}`;
}

/** Draw all codes; a pointer names the nearest one, and a click shows it. */
export function drawMap(drawing, all, near, show) {
  disk = drawing;
  codes = all;
  indexOf = new Map(codes.code.map((code, i) => [code, i]));
  disk.replaceChildren();
  shape('circle', { class: 'rim', r: 1 }, disk);
  const edges = codes.parent.map((above, i) => (above < 0 ? '' : geodesic(at(above), at(i))));
  shape('path', { class: 'edge', d: edges.join('') }, disk);
  for (const [level, width] of Object.entries(DOT)) {
    const dots = codes.level.map((digits, i) => (digits === Number(level) ? `M${at(i).join(' ')}h0` : ''));
    shape('path', { class: 'dot', d: dots.join(''), 'stroke-width': width }, disk);
  }
  drawn = shape('g', {}, disk);
  const nearest = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(disk.getScreenCTM().inverse());
    let best = -1;
    let least = NEAR;
    for (let i = 0; i < codes.x.length; i += 1) {
      const gap = Math.hypot(codes.x[i] - point.x, -codes.y[i] - point.y);
      if (gap < least) [best, least] = [i, gap];
    }
    return best;
  };
  disk.addEventListener('pointermove', (event) => {
    const i = nearest(event);
    near.textContent = i < 0 ? '' : `${codes.code[i]} ${codes.title[i]}`;
  });
  disk.addEventListener('click', (event) => {
    const i = nearest(event);
    if (i >= 0) show(codes.code[i]);
  });
}

/** Draw the paths of the codes, the codes with their ranks, and the point of the query. */
export function drawAnswer(hits, centre) {
  if (!drawn) return;
  drawn.replaceChildren();
  for (const hit of hits) {
    const steps = hit.path.map((step) => indexOf.get(step.official));
    const lines = steps.slice(1).map((step, i) => geodesic(at(steps[i]), at(step)));
    shape('path', { class: 'route', d: lines.join('') || 'M0 0' }, drawn);
  }
  for (let i = hits.length - 1; i >= 0; i -= 1) {
    const [x, y] = at(indexOf.get(hits[i].official));
    const mark = shape('g', { class: 'hit', 'data-rank': i + 1, transform: `translate(${x} ${y})` }, drawn);
    shape('title', {}, mark).textContent = `${hits[i].official} ${hits[i].title}`;
    shape('circle', { r: 0.032 }, mark);
    shape('text', {}, mark).textContent = String(i + 1);
  }
  if (centre) {
    const [x, y, r] = [centre.x, -centre.y, 0.035];
    shape('path', { class: 'point', d: `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z` }, drawn);
  }
}

/** Mark or unmark a ranked code. */
export function highlight(rank, on) {
  drawn?.querySelector(`[data-rank="${rank}"]`)?.classList.toggle('lit', on);
}
