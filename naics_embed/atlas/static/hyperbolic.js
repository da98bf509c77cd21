'use strict';

/*
 * The hyperbolic plane of curvature −1 in the Poincaré disk.
 *
 * A point of the disk is [x, y]. Inside, a point is a spinor (u, v) with z = u/v and
 * |v|² − |u|² = 1: v = cosh(r/2), u = sinh(r/2)·e^{iθ} at distance r from the centre. Near the rim
 * z loses its digits, 1 − |z|² = 1/|v|² does not.
 *
 * A motion is an orientation-preserving isometry, z → (a·z + b)/(b̄·z + ā) with |a|² − |b|² = 1,
 * kept as [Re a, Im a, Re b, Im b]: an element of SU(1, 1), the double cover of the Lorentz boosts
 * and rotations of the plane.
 */
const hyperbolic = (() => {
  // Nearest to the rim that a point given as [x, y] may be; its distance to the centre is 25.
  const RIM = 1 - 2e-11;

  const identity = () => [1, 0, 0, 0];

  /** The motion with |a|² − |b|² = 1 again, after rounding has moved it off. */
  function renormalised([ar, ai, br, bi]) {
    const a = Math.hypot(ar, ai);
    const b = Math.hypot(br, bi);
    // (|a| − |b|)(|a| + |b|) keeps the digits that |a|² − |b|² cancels.
    const scale = 1 / Math.sqrt(Math.max((a - b) * (a + b), 1e-300));
    if (b < 1e3) return [ar * scale, ai * scale, br * scale, bi * scale];
    // Far from the identity the difference itself is rounding: derive |a| from |b|.
    const wanted = Math.sqrt(1 + b * b) / a;
    return [ar * wanted, ai * wanted, br, bi];
  }

  /** First n, then m. */
  function compose(m, n) {
    const [ar, ai, br, bi] = m;
    const [cr, ci, dr, di] = n;
    return renormalised([
      ar * cr - ai * ci + br * dr + bi * di,
      ar * ci + ai * cr + bi * dr - br * di,
      ar * dr - ai * di + br * cr + bi * ci,
      ar * di + ai * dr + bi * cr - br * ci,
    ]);
  }

  const inverse = ([ar, ai, br, bi]) => [ar, -ai, -br, -bi];

  /** The point itself, or the nearest one that is inside the disk. */
  function inside([x, y]) {
    const norm = Math.hypot(x, y);
    return norm <= RIM ? [x, y] : [(x / norm) * RIM, (y / norm) * RIM];
  }

  /** The image of a point of the disk. */
  function apply([ar, ai, br, bi], [x, y]) {
    const ur = ar * x - ai * y + br;
    const ui = ar * y + ai * x + bi;
    const vr = br * x + bi * y + ar;
    const vi = br * y - bi * x - ai;
    const n = vr * vr + vi * vi;
    return inside([(ur * vr + ui * vi) / n, (ui * vr - ur * vi) / n]);
  }

  /** The image of an angle of the rim, radians. */
  function applyToRim([ar, ai, br, bi], angle) {
    const x = Math.cos(angle);
    const y = Math.sin(angle);
    const ur = ar * x - ai * y + br;
    const ui = ar * y + ai * x + bi;
    const vr = br * x + bi * y + ar;
    const vi = br * y - bi * x - ai;
    return Math.atan2(ui * vr - ur * vi, ur * vr + ui * vi);
  }

  const rotation = (angle) => [Math.cos(angle / 2), Math.sin(angle / 2), 0, 0];

  /** The motion along the diameter through a point that takes the centre to it. */
  function fromCentre(point) {
    const [x, y] = inside(point);
    const norm = Math.hypot(x, y);
    const scale = 1 / Math.sqrt((1 - norm) * (1 + norm));
    return [scale, 0, x * scale, y * scale];
  }

  const toCentre = ([x, y]) => fromCentre([-x, -y]);

  /** The motion along the geodesic through two points that takes p to q. */
  function translation(p, q) {
    const home = toCentre(p);
    return compose(inverse(home), compose(fromCentre(apply(home, inside(q))), home));
  }

  /** Distance of two points. */
  function distance(p, q) {
    const [px, py] = inside(p);
    const [qx, qy] = inside(q);
    const gap = (1 - Math.hypot(px, py)) * (1 + Math.hypot(px, py));
    const other = (1 - Math.hypot(qx, qy)) * (1 + Math.hypot(qx, qy));
    return 2 * Math.asinh(Math.hypot(px - qx, py - qy) / Math.sqrt(gap * other));
  }

  /** Distance of a point to the centre. */
  const radius = (point) => 2 * Math.atanh(Math.hypot(...inside(point)));

  /** The point at a fraction t of the way from the centre to a point, along the geodesic. */
  function partWay(point, t) {
    const [x, y] = inside(point);
    const norm = Math.hypot(x, y);
    if (norm === 0) return [0, 0];
    const part = Math.tanh(t * Math.atanh(norm)) / norm;
    return [x * part, y * part];
  }

  /** A motion as { centre, angle }: it is the rotation after the motion that centres `centre`. */
  function decomposed(motion) {
    const centre = apply(inverse(motion), [0, 0]);
    const [ar, ai] = compose(motion, fromCentre(centre));
    return { centre, angle: 2 * Math.atan2(ai, ar) };
  }

  const composed = ({ centre, angle }) => compose(rotation(angle), toCentre(centre));

  /** The motion, or where it has led farther than `limit` from home, the nearest one within. */
  function bounded(motion, limit) {
    const [ar, ai, br, bi] = motion;
    if (Math.hypot(br, bi) <= Math.sinh(limit / 2)) return motion;
    // The centre is −b/a; with |b| this great it is too near the rim for its own digits.
    const square = ar * ar + ai * ai;
    const centre = [-(br * ar + bi * ai) / square, -(bi * ar - br * ai) / square];
    const norm = Math.hypot(...centre);
    const edge = Math.tanh(limit / 2) / norm;
    const angle = 2 * Math.atan2(ai, ar);
    return composed({ centre: [centre[0] * edge, centre[1] * edge], angle });
  }

  /**
   * Move many points: spinors Float64Array (4n: Re u, Im u, Re v, Im v) to disk coordinates.
   *
   * Writes x, y and 1 − |z|² of each point to `out`, Float64Array (3n).
   */
  function applyToAll([ar, ai, br, bi], spinors, out) {
    for (let i = 0, k = 0; i < spinors.length; i += 4, k += 3) {
      const sr = spinors[i];
      const si = spinors[i + 1];
      const tr = spinors[i + 2];
      const ti = spinors[i + 3];
      const ur = ar * sr - ai * si + br * tr - bi * ti;
      const ui = ar * si + ai * sr + br * ti + bi * tr;
      const vr = br * sr + bi * si + ar * tr + ai * ti;
      const vi = br * si - bi * sr + ar * ti - ai * tr;
      const n = vr * vr + vi * vi;
      out[k] = (ur * vr + ui * vi) / n;
      out[k + 1] = (ui * vr - ur * vi) / n;
      out[k + 2] = 1 / n;
    }
  }

  /** Spinors of points at radii and angles, Float64Array (4n). */
  function spinors(radii, angles) {
    const out = new Float64Array(4 * radii.length);
    radii.forEach((r, i) => {
      out[4 * i] = Math.sinh(r / 2) * Math.cos(angles[i]);
      out[4 * i + 1] = Math.sinh(r / 2) * Math.sin(angles[i]);
      out[4 * i + 2] = Math.cosh(r / 2);
    });
    return out;
  }

  /**
   * The geodesic of two points as an arc: { x, y, radius, from, to, clockwise } in canvas terms
   * (angles grow with y), or null where it is straight to within `tolerance`.
   *
   * Its circle meets the rim at right angles: 2·c·p = 1 + |p|² and 2·c·q = 1 + |q|².
   */
  function arc(px, py, qx, qy, tolerance) {
    const cross = px * qy - py * qx;
    const chord = Math.hypot(px - qx, py - qy);
    // The height of the arc over its chord is about chord²/(8·radius).
    if (Math.abs(cross) < 1e-14) return null;
    const p = (1 + px * px + py * py) / 2;
    const q = (1 + qx * qx + qy * qy) / 2;
    const x = (p * qy - q * py) / cross;
    const y = (q * px - p * qx) / cross;
    const size = Math.hypot(px - x, py - y);
    if (chord * chord < 8 * size * tolerance) return null;
    const from = Math.atan2(py - y, px - x);
    const to = Math.atan2(qy - y, qx - x);
    let swept = to - from;
    if (swept > Math.PI) swept -= 2 * Math.PI;
    if (swept < -Math.PI) swept += 2 * Math.PI;
    return { x, y, radius: size, from, to, clockwise: swept < 0 };
  }

  /** The hyperbolic circle around a point as a circle of the disk: { x, y, radius }. */
  function circle([x, y], r) {
    const rho = Math.tanh(r / 2);
    const square = x * x + y * y;
    const below = 1 - rho * rho * square;
    const shrink = (1 - rho * rho) / below;
    return { x: x * shrink, y: y * shrink, radius: (rho * (1 - square)) / below };
  }

  /**
   * The view after zooming about a spot of the screen: what is under it stays there.
   *
   * The disk is drawn `scale` times as large, and the plane moves along the diameter through the
   * spot so that the point at `spot` (disk coordinates before) is at spot/ratio after.
   */
  function zoomed(motion, scale, wanted, spot) {
    const ratio = wanted / scale;
    const at = inside(spot);
    return compose(translation(at, [at[0] / ratio, at[1] / ratio]), motion);
  }

  return {
    RIM, apply, applyToAll, applyToRim, arc, bounded, circle, compose, composed, decomposed, distance,
    fromCentre, identity, inside, inverse, partWay, radius, renormalised, rotation, spinors,
    toCentre, translation, zoomed,
  };
})();

if (typeof module !== 'undefined') module.exports = hyperbolic;
