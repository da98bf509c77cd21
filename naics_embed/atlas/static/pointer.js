'use strict';

/* Mouse, pen and fingers on the canvas. */
const pointer = (() => {
  const CLICK = 5;
  const REACH = { mouse: 14, touch: 24, pen: 18 };
  const TWICE_MS = 350;

  /**
   * Listen on a canvas.
   *
   * `map` has view, picture, state, and hover(i, x, y), select(i), fly(i).
   */
  function listen(canvas, map) {
    const down = new Map();
    let travelled = 0;
    let last = { time: 0, x: 0, y: 0 };

    const spot = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const disk = ([x, y]) => map.picture.toDisk(x, y, map.view.scale);
    const under = (event, [x, y]) =>
      map.picture.nearest(x, y, REACH[event.pointerType] || REACH.mouse, map.state.shown);

    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      down.set(event.pointerId, spot(event));
      travelled = down.size > 1 ? Infinity : 0;
      map.view.stop();
    });

    canvas.addEventListener('pointermove', (event) => {
      const now = spot(event);
      const before = down.get(event.pointerId);
      if (!before) {
        map.hover(under(event, now), ...now);
        return;
      }
      travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (down.size === 1) {
        if (travelled <= CLICK && event.pointerType !== 'mouse') return;
        canvas.classList.add('dragging');
        map.hover(-1, 0, 0);
        map.view.drag(disk(before), disk(now));
      } else if (down.size === 2) {
        const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
        const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
        const apart = (a, b) => Math.max(8, Math.hypot(a[0] - b[0], a[1] - b[1]));
        map.view.drag(disk(middle(before, other)), disk(middle(now, other)));
        const factor = apart(now, other) / apart(before, other);
        map.view.zoom(factor, disk(middle(now, other)));
      }
      down.set(event.pointerId, now);
    });

    const up = (event) => {
      if (!down.delete(event.pointerId)) return;
      if (!down.size) canvas.classList.remove('dragging');
      if (event.type !== 'pointerup' || travelled > CLICK) return;
      const now = spot(event);
      const found = under(event, now);
      const twice =
        event.timeStamp - last.time < TWICE_MS &&
        Math.hypot(now[0] - last.x, now[1] - last.y) < 2 * CLICK;
      last = { time: twice ? 0 : event.timeStamp, x: now[0], y: now[1] };
      if (!twice) map.select(found);
      else if (found >= 0) map.fly(found);
      else map.view.centre(view.held(disk(now)));
    };
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
    canvas.addEventListener('pointerleave', () => down.size || map.hover(-1, 0, 0));

    canvas.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const lines = event.deltaMode === 1 ? 18 : 1;
        // A pinch on a trackpad comes as a wheel with the control key, in small steps.
        const speed = event.ctrlKey ? 0.012 : 0.0016;
        const factor = Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * speed);
        map.hover(-1, 0, 0);
        map.view.zoom(factor, disk(spot(event)));
      },
      { passive: false },
    );
  }

  return { listen };
})();
