'use strict';

/* The picture of a view: rim, level rings, edges, points, labels, on a 2-d canvas. */
const draw = (() => {
  const POINT = { 2: 8, 3: 6.5, 4: 5.4, 5: 4.6, 6: 4 };
  // Pixels that one unit of the disk covers at a point from which its label is worth drawing.
  const LABELLED = { 2: 24, 3: 150, 4: 200, 5: 250, 6: 270 };
  const LABELS = 48;
  const LINE_CHARACTERS = 22;
  const RING = 7;
  // Room beside the disk for the numbers of the sectors.
  const MARGIN = 48;
  const NUMBER = 13;
  const FLAT = 0.4;
  const TAU = 2 * Math.PI;

  /** Lines of at most about `LINE_CHARACTERS`, two at most. */
  function wrapped(text) {
    const lines = [''];
    for (const word of text.split(' ')) {
      const last = lines[lines.length - 1];
      if (last && last.length + 1 + word.length > LINE_CHARACTERS) {
        if (lines.length === 2) {
          lines[1] += '…';
          break;
        }
        lines.push(word);
      } else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines;
  }

  class Picture {
    constructor(canvas, atlas) {
      this.canvas = canvas;
      this.context = canvas.getContext('2d', { alpha: false });
      this.atlas = atlas;
      this.places = new Float64Array(3 * atlas.size);
      this.lines = atlas.titles.map(wrapped);
      this.widths = new Float64Array(atlas.size);
      this.bySector = atlas.sectors.map((sector) => atlas.members[sector]);
    }

    /** Read the colours of the theme from the style sheet. */
    restyle() {
      const style = getComputedStyle(this.canvas);
      const value = (name) => style.getPropertyValue(name).trim();
      this.colours = {};
      for (const name of ['page', 'disk', 'ring', 'text', 'faint', 'accent'])
        this.colours[name] = value(`--${name}`);
      this.dark = value('--dark') === '1';
      this.font = style.fontFamily;
      this.widths.fill(0);
    }

    resize() {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.ratio = ratio;
      this.width = width;
      this.height = height;
      this.radius = Math.max(60, Math.min(width, height) / 2 - MARGIN);
    }

    /** From pixels of the canvas to the disk, where a point outside has norm above 1. */
    toDisk(x, y, scale) {
      const unit = this.radius * scale;
      return [(x - this.width / 2) / unit, (y - this.height / 2) / unit];
    }

    toScreen(i) {
      return [this.xs(this.places[3 * i]), this.ys(this.places[3 * i + 1])];
    }

    xs(x) {
      return this.width / 2 + x * this.unit;
    }

    ys(y) {
      return this.height / 2 + y * this.unit;
    }

    colour(sector) {
      return this.atlas.colours[sector][this.dark ? 1 : 0];
    }

    pointRadius(i) {
      const local = this.places[3 * i + 2] * this.scale;
      return POINT[this.atlas.level[i]] * Math.min(1.5, Math.max(0.3, Math.sqrt(local)));
    }

    /** Draw one frame. `state`: motion, scale, edges, shown (by sector), selected, hovered. */
    frame(state) {
      const { context: c } = this;
      this.scale = state.scale;
      this.marked = state.marked;
      this.unit = this.radius * state.scale;
      hyperbolic.applyToAll(state.motion, this.atlas.spinors, this.places);
      c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      c.fillStyle = this.colours.page;
      c.fillRect(0, 0, this.width, this.height);
      this.drawDisk(state);
      if (state.edges) this.drawEdges(state);
      this.drawRelations(state);
      this.drawPoints(state);
      this.drawMarks(state);
      this.drawLabels(state);
    }

    drawDisk({ motion, shown }) {
      const { context: c, colours } = this;
      const [x, y] = [this.width / 2, this.height / 2];
      c.fillStyle = colours.disk;
      c.beginPath();
      c.arc(x, y, this.unit, 0, TAU);
      c.fill();
      const centre = hyperbolic.apply(motion, [0, 0]);
      c.strokeStyle = colours.ring;
      c.lineWidth = 1;
      for (const r of this.atlas.rings) {
        const ring = hyperbolic.circle(centre, r);
        c.beginPath();
        c.arc(this.xs(ring.x), this.ys(ring.y), ring.radius * this.unit, 0, TAU);
        c.stroke();
      }
      c.beginPath();
      c.arc(this.xs(centre[0]), this.ys(centre[1]), 2.5, 0, TAU);
      c.fillStyle = colours.faint;
      c.fill();
      if (this.unit > Math.hypot(x, y)) return;
      c.textAlign = 'center';
      c.textBaseline = 'middle';
      c.font = `600 11px ${this.font}`;
      const outer = this.unit + 6 + RING / 2;
      const numbers = [];
      this.atlas.rim.forEach(({ sector, from, to }) => {
        const first = hyperbolic.applyToRim(motion, from);
        const swept = (hyperbolic.applyToRim(motion, to) - first + 2 * TAU) % TAU;
        const gap = Math.min(0.004, swept / 4);
        c.globalAlpha = shown[sector] ? 1 : 0.15;
        c.strokeStyle = this.colour(sector);
        c.lineWidth = RING;
        c.beginPath();
        c.arc(x, y, outer, first + gap, first + swept - gap);
        c.stroke();
        numbers.push({ sector, swept, angle: (first + swept / 2 + TAU) % TAU });
      });
      this.drawNumbers(numbers, outer + RING / 2 + 4);
      c.globalAlpha = 1;
    }

    /** The number of every sector outside the rim, moved along it where others are in the way. */
    drawNumbers(numbers, away) {
      const { context: c, colours } = this;
      const [x, y] = [this.width / 2, this.height / 2];
      // Wide ones first: a narrow one is moved to where there is room.
      numbers.sort((a, b) => b.swept - a.swept);
      const taken = [];
      this.numbers = [];
      for (const { sector, angle } of numbers) {
        const text = this.atlas.official[this.atlas.sectors[sector]];
        const half = c.measureText(text).width / 2;
        const box = (at) => {
          const by = away + Math.abs(Math.cos(at)) * half + (Math.abs(Math.sin(at)) * NUMBER) / 2;
          return [x + by * Math.cos(at), y + by * Math.sin(at)];
        };
        const free = ([left, top]) => taken.every((other) =>
          Math.abs(other.x - left) > other.half + half + 3 || Math.abs(other.y - top) > NUMBER);
        let spot = box(angle);
        for (let step = 1; step < 40 && !free(spot); step += 1) {
          const turn = ((step % 2 ? 1 : -1) * Math.ceil(step / 2) * 4) / away;
          spot = box(angle + turn);
        }
        // Pressed to the rim by a view from afar, sectors have no room for their numbers.
        if (!free(spot)) continue;
        taken.push({ x: spot[0], y: spot[1], half });
        this.numbers.push(text);
        c.fillStyle = colours.text;
        c.fillText(text, ...spot);
      }
    }

    /** Add the geodesic between two points of the disk to the path. */
    trace(px, py, qx, qy) {
      const { context: c } = this;
      c.moveTo(this.xs(px), this.ys(py));
      const bend = hyperbolic.arc(px, py, qx, qy, FLAT / this.unit);
      if (!bend) {
        c.lineTo(this.xs(qx), this.ys(qy));
        return;
      }
      const [x, y] = [this.xs(bend.x), this.ys(bend.y)];
      c.arc(x, y, bend.radius * this.unit, bend.from, bend.to, bend.clockwise);
    }

    traceEdge(i, centre) {
      const { places, atlas } = this;
      const up = atlas.parent[i];
      const [x, y] = up < 0 ? centre : [places[3 * up], places[3 * up + 1]];
      this.trace(x, y, places[3 * i], places[3 * i + 1]);
    }

    drawEdges({ motion, shown }) {
      const { context: c, atlas } = this;
      const centre = hyperbolic.apply(motion, [0, 0]);
      this.bySector.forEach((members, sector) => {
        if (!shown[sector]) return;
        c.strokeStyle = this.colour(sector);
        for (const upper of [true, false]) {
          c.globalAlpha = upper ? 0.75 : 0.45;
          c.lineWidth = upper ? 1.4 : 0.9;
          c.beginPath();
          for (const i of members)
            if (atlas.level[i] <= 3 === upper) this.traceEdge(i, centre);
          c.stroke();
        }
      });
      c.globalAlpha = 1;
    }

    /** Path to the root, children and nearest codes of the selected and the hovered code. */
    drawRelations({ motion, selected, hovered }) {
      const { context: c, atlas, places } = this;
      const centre = hyperbolic.apply(motion, [0, 0]);
      for (const node of new Set([hovered, selected])) {
        if (node < 0) continue;
        c.strokeStyle = this.colour(atlas.sector[node]);
        c.lineWidth = node === selected ? 2.6 : 1.8;
        c.beginPath();
        for (let i = node; i >= 0; i = atlas.parent[i]) this.traceEdge(i, centre);
        for (const child of atlas.children[node]) this.traceEdge(child, centre);
        c.stroke();
      }
      if (selected < 0) return;
      c.strokeStyle = this.colours.text;
      c.globalAlpha = 0.55;
      c.lineWidth = 1.1;
      c.setLineDash([2, 4]);
      c.beginPath();
      const k = 3 * selected;
      for (const near of atlas.near[selected])
        this.trace(places[k], places[k + 1], places[3 * near], places[3 * near + 1]);
      c.stroke();
      c.setLineDash([]);
      c.globalAlpha = 1;
    }

    drawPoints({ shown }) {
      const { context: c, places } = this;
      const [margin, w, h] = [12, this.width + 12, this.height + 12];
      this.bySector.forEach((members, sector) => {
        c.globalAlpha = shown[sector] ? 1 : 0.08;
        c.fillStyle = shown[sector] ? this.colour(sector) : this.colours.text;
        c.beginPath();
        for (const i of members) {
          const x = this.xs(places[3 * i]);
          const y = this.ys(places[3 * i + 1]);
          if (x < -margin || y < -margin || x > w || y > h) continue;
          const r = this.pointRadius(i);
          if (r < 1.3) c.rect(x - r, y - r, 2 * r, 2 * r);
          else {
            c.moveTo(x + r, y);
            c.arc(x, y, r, 0, TAU);
          }
        }
        c.fill();
      });
      c.globalAlpha = 1;
    }

    drawMarks({ selected, hovered, marked }) {
      const { context: c } = this;
      c.textAlign = 'center';
      c.textBaseline = 'middle';
      c.font = `700 12px ${this.font}`;
      for (const [i, node] of [...marked.entries()].reverse()) {
        const [x, y] = this.toScreen(node);
        c.beginPath();
        c.arc(x, y, 10, 0, TAU);
        c.fillStyle = this.colours.accent;
        c.fill();
        c.lineWidth = 2;
        c.strokeStyle = this.colours.disk;
        c.stroke();
        c.fillStyle = this.colours.disk;
        c.fillText(String(i + 1), x, y + 0.5);
      }
      for (const node of [hovered, selected]) {
        if (node < 0 || marked.includes(node)) continue;
        const [x, y] = this.toScreen(node);
        const r = Math.max(this.pointRadius(node), 4);
        c.beginPath();
        c.arc(x, y, r, 0, TAU);
        c.fillStyle = this.colour(this.atlas.sector[node]);
        c.fill();
        c.lineWidth = 2;
        c.strokeStyle = this.colours.disk;
        c.stroke();
        c.beginPath();
        c.arc(x, y, r + 3, 0, TAU);
        c.strokeStyle = node === selected ? this.colours.accent : this.colours.text;
        c.stroke();
      }
    }

    drawLabels({ shown, selected, hovered, marked: ranked }) {
      const { context: c, atlas, places } = this;
      const candidates = [];
      for (let i = 0; i < atlas.size; i++) {
        const marked = i === selected || i === hovered || ranked.includes(i);
        if (!shown[atlas.sector[i]] && !marked) continue;
        const local = places[3 * i + 2] * this.unit;
        if (!marked && local < LABELLED[atlas.level[i]]) continue;
        const [x, y] = this.toScreen(i);
        if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
        const first = i === selected ? 3e6 : i === hovered ? 2e6 : ranked.includes(i) ? 1e6 : 0;
        candidates.push({ i, x, y, rank: first + local * (1 + (6 - atlas.level[i]) / 4) });
      }
      candidates.sort((a, b) => b.rank - a.rank || a.i - b.i);
      const taken = [];
      c.textBaseline = 'middle';
      c.lineJoin = 'round';
      for (const { i, x, y } of candidates) {
        if (taken.length >= LABELS) break;
        this.drawLabel(i, x, y, taken, i === selected || i === hovered);
      }
    }

    /** Where a label may stand, left edge and middle, the best first: towards the centre. */
    spots(i, x, y, width, height) {
      const marked = this.marked.includes(i);
      const gap = Math.max(this.pointRadius(i), marked ? 10 : 0) + 6;
      const sides = [[x + gap, y], [x - gap - width, y]];
      if (x > this.width / 2) sides.reverse();
      const [dx, dy] = [this.width / 2 - x, this.height / 2 - y];
      const away = Math.hypot(dx, dy);
      const inner = this.places[3 * i + 2] > 0.4 || away < gap + width;
      if ((this.atlas.level[i] > 2 && !marked) || inner) return sides;
      const [ux, uy] = [dx / away, dy / away];
      const radial = [0, height + 4].map((more) => {
        const by = gap + more + (Math.abs(ux) * width + Math.abs(uy) * height) / 2;
        return [x + ux * by - width / 2, y + uy * by];
      });
      // Never outward: there lie the sector's own codes, and the numbers of the sectors.
      return [...radial, sides[0]];
    }

    /** Draw one label where there is room. */
    drawLabel(i, x, y, taken, always) {
      const { context: c, atlas, colours } = this;
      const sector = atlas.level[i] === 2;
      const size = sector ? 13 : 12;
      const bold = `${sector ? 700 : 600} ${size}px ${this.font}`;
      const plain = `${sector ? 600 : 400} ${size}px ${this.font}`;
      const lines = this.lines[i];
      if (!this.widths[i]) {
        c.font = bold;
        const code = c.measureText(`${atlas.official[i]} `).width;
        c.font = plain;
        const rest = lines.map((line) => c.measureText(line).width);
        this.widths[i] = Math.max(code + rest[0], rest[1] || 0);
      }
      const width = this.widths[i];
      const height = lines.length * (size + 2);
      for (const [left, middle] of this.spots(i, x, y, width, height)) {
        const box = [left - 3, middle - height / 2 - 1, left + width + 3, middle + height / 2 + 1];
        const free = taken.every(
          (other) =>
            box[0] > other[2] || box[2] < other[0] || box[1] > other[3] || box[3] < other[1],
        );
        const fits = box[0] >= 0 && box[2] <= this.width;
        if (!always && !(free && fits)) continue;
        taken.push(box);
        c.textAlign = 'left';
        c.strokeStyle = colours.disk;
        c.lineWidth = 4;
        c.fillStyle = colours.text;
        lines.forEach((line, row) => {
          const baseline = middle + (row - (lines.length - 1) / 2) * (size + 2);
          let start = left;
          if (row === 0) {
            c.font = bold;
            const code = `${atlas.official[i]} `;
            c.strokeText(code, start, baseline);
            c.fillText(code, start, baseline);
            start += c.measureText(code).width;
          }
          c.font = plain;
          c.strokeText(line, start, baseline);
          c.fillText(line, start, baseline);
        });
        return;
      }
    }

    /** The shown code nearest to a spot, or −1 where none is within reach. */
    nearest(x, y, reach, shown) {
      let best = -1;
      let least = reach;
      for (let i = 0; i < this.atlas.size; i++) {
        if (!shown[this.atlas.sector[i]]) continue;
        const [px, py] = this.toScreen(i);
        const off = Math.hypot(px - x, py - y);
        if (off < least) [best, least] = [i, off];
      }
      return best;
    }
  }

  return { Picture, wrapped };
})();

if (typeof module !== 'undefined') module.exports = draw;
