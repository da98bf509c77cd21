'use strict';

/* What part of the plane is seen: a motion and a magnification, and how they change. */
const view = (() => {
  const FARTHEST = 1;
  const NEAREST = 8;
  // Nearest to the rim that a pointer takes hold of the plane.
  const HOLD = 0.995;
  const ease = (t) => (t < 0.5 ? 4 * t * t * t : 1 - (2 - 2 * t) ** 3 / 2);
  const clamped = (value, least, most) => Math.min(most, Math.max(least, value));

  function held([x, y]) {
    const norm = Math.hypot(x, y);
    return norm > HOLD ? [(x / norm) * HOLD, (y / norm) * HOLD] : [x, y];
  }

  class View {
    /**
     * `changed` is called after each change, `still` says whether to leave animations out, `limit`
     * how far from home one may go.
     */
    constructor(changed, still, limit) {
      this.limit = limit;
      this.motion = hyperbolic.identity();
      this.scale = 1;
      this.changed = changed;
      this.still = still;
      this.flight = 0;
    }

    stop() {
      cancelAnimationFrame(this.flight);
      this.flight = 0;
    }

    get flying() {
      return this.flight !== 0;
    }

    /** Move the plane so that what was at one spot of the disk is at another. */
    drag(from, to) {
      this.stop();
      const outside = Math.hypot(...from) > 1 && Math.hypot(...to) > 1;
      const by = outside
        ? hyperbolic.rotation(Math.atan2(to[1], to[0]) - Math.atan2(from[1], from[0]))
        : hyperbolic.translation(held(from), held(to));
      this.move(by);
    }

    move(by) {
      this.motion = hyperbolic.bounded(hyperbolic.compose(by, this.motion), this.limit);
      this.changed();
    }

    /** Look a distance farther in a direction; x and y point to the right and down. */
    pan(x, y, distance) {
      this.stop();
      const step = Math.tanh(distance / this.scale / 2);
      this.move(hyperbolic.fromCentre([-x * step, -y * step]));
    }

    /** Magnify about a spot of the disk; below the whole disk, go back home instead. */
    zoom(factor, spot) {
      this.stop();
      const wanted = clamped(this.scale * factor, FARTHEST, NEAREST);
      if (wanted !== this.scale) {
        const nearer = hyperbolic.zoomed(this.motion, this.scale, wanted, held(spot));
        this.motion = hyperbolic.bounded(nearer, this.limit);
        this.scale = wanted;
      } else if (factor < 1) {
        const { centre, angle } = hyperbolic.decomposed(this.motion);
        const away = hyperbolic.partWay(centre, factor);
        this.motion = hyperbolic.composed({ centre: away, angle: angle * factor });
      }
      this.changed();
    }

    /** Travel along the geodesic to a point of the picture until it is at the centre. */
    centre(point, scale = this.scale) {
      const start = this.motion;
      const first = Math.log(this.scale);
      const last = Math.log(clamped(scale, FARTHEST, NEAREST));
      const far = hyperbolic.radius(point);
      // On a long way the whole disk comes into view.
      const dip = clamped(far / 6, 0, 0.8);
      return this.animate(clamped(300 + 150 * far, 300, 1500), (t) => {
        const by = hyperbolic.toCentre(hyperbolic.partWay(point, t));
        this.motion = hyperbolic.compose(by, start);
        const level = first + (last - first) * t;
        this.scale = Math.exp(level * (1 - dip * Math.sin(Math.PI * t)));
      });
    }

    home() {
      const { centre, angle } = hyperbolic.decomposed(this.motion);
      const turned = Math.atan2(Math.sin(angle), Math.cos(angle));
      const first = Math.log(this.scale);
      return this.animate(700, (t) => {
        const away = hyperbolic.partWay(centre, 1 - t);
        this.motion = hyperbolic.composed({ centre: away, angle: turned * (1 - t) });
        this.scale = Math.exp(first * (1 - t));
      });
    }

    /** Call `step` with fractions of the way up to 1; resolves when it is there or was stopped. */
    animate(duration, step) {
      this.stop();
      if (this.still()) {
        step(1);
        this.changed();
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        let begun = null;
        const tick = (now) => {
          begun ??= now;
          const t = Math.min(1, (now - begun) / duration);
          step(ease(t));
          this.flight = t < 1 ? requestAnimationFrame(tick) : 0;
          this.changed();
          if (t === 1) resolve();
        };
        this.flight = requestAnimationFrame(tick);
      });
    }
  }

  return { View, held };
})();

if (typeof module !== 'undefined') module.exports = view;
