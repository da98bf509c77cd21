'use strict';

/* The table of codes as the page holds it, with what is derived from it. */
const atlas = (() => {
  /** Mean radius of each level, where its ring is drawn. */
  function ringsOf(radii, level) {
    return [2, 3, 4, 5, 6]
      .map((wanted) => radii.filter((_, i) => level[i] === wanted))
      .filter((found) => found.length)
      .map((found) => found.reduce((sum, r) => sum + r, 0) / found.length);
  }

  /** The part of the rim that each sector owns: half-way to its neighbours' outermost codes. */
  function rimOf(angles, sector, count) {
    const order = angles.map((_, i) => i).sort((a, b) => angles[a] - angles[b]);
    const starts = [];
    order.forEach((i, place) => {
      const before = order[(place + order.length - 1) % order.length];
      if (sector[i] === sector[before]) return;
      const gap = (angles[i] - angles[before] + 2 * Math.PI) % (2 * Math.PI);
      starts.push({ sector: sector[i], from: angles[i] - gap / 2 });
    });
    if (count < 2) return [{ sector: 0, from: 0, to: 2 * Math.PI - 1e-9 }];
    return starts.map((start, k) => ({ ...start, to: starts[(k + 1) % starts.length].from }));
  }

  /** Read what the page writer put in: see naics_embed/atlas/page.py. */
  function load(data) {
    const size = data.codes.length;
    const level = data.codes.map((code) => code.length);
    const children = data.codes.map(() => []);
    data.parent.forEach((up, i) => up >= 0 && children[up].push(i));
    const sectors = data.codes.map((_, i) => i).filter((i) => data.parent[i] < 0);
    const sector = [];
    data.parent.forEach((up, i) => sector.push(up < 0 ? sectors.indexOf(i) : sector[up]));
    const members = {};
    sectors.forEach((top, k) => {
      members[top] = data.codes.map((_, i) => i).filter((i) => sector[i] === k);
    });
    const table = {
      ...data, size, level, children, sectors, sector, members,
      rim: rimOf(data.angle, sector, sectors.length),
      path(i) {
        const path = [];
        for (let node = i; node >= 0; node = data.parent[node]) path.unshift(node);
        return path;
      },
      disk(i) {
        const norm = Math.tanh(table.radii[i] / 2);
        return [norm * Math.cos(data.angle[i]), norm * Math.sin(data.angle[i])];
      },
      /** Put the codes at `factor` times their radius in the table. */
      stretch(factor) {
        const radii = data.radius.map((r) => (r * factor) / data.stretch);
        table.radii = radii;
        table.spinors = hyperbolic.spinors(radii, data.angle);
        table.rings = ringsOf(radii, level);
      },
    };
    table.stretch(data.stretch);
    return table;
  }

  return { load, rimOf };
})();

if (typeof module !== 'undefined') module.exports = atlas;
