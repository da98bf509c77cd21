"""Limited-memory BFGS in single precision, for convex losses of very many weights.

SciPy's works in double precision on lists of bounds that are not needed here; for a classifier of
400,000 weights most of its time is not the loss.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

PAIRS = 5
"""Steps that are remembered."""

ENOUGH = 1e-4
"""Decrease that a step must bring, as a part of what the slope promises (Armijo)."""

FLAT = 1e-5
"""Largest partial derivative at which it stops."""

STILL = 1e-9
"""Relative decrease at which it stops."""

HALVINGS = 20


def minimise(
    loss: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray, iterations: int
) -> np.ndarray:
    """Return where a convex loss is least (Liu & Nocedal 1989), float32.

    Args:
        loss: gives value and gradient, float32 of the shape of its argument.
        start: float32, where to begin; it stays as it is.
        iterations: at most so many steps.
    """
    at = start
    value, slope = loss(at)
    pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=PAIRS)
    for _ in range(iterations):
        if not np.abs(slope).max(initial=0.0) > FLAT:
            break
        direction = _direction(slope, pairs)
        descent = float(np.vdot(slope, direction))
        step = 1.0 if pairs else 1.0 / max(float(np.linalg.norm(slope)), 1.0)
        for _ in range(HALVINGS):
            there = at + np.float32(step) * direction
            new_value, new_slope = loss(there)
            if new_value <= value + ENOUGH * step * descent:
                break
            # The least point of the parabola through what is known, but no tiny step.
            curve = new_value - value - step * descent
            step *= min(max(-step * descent / (2 * curve), 0.1), 0.5) if curve > 0 else 0.5
        else:
            break
        moved, changed = there - at, new_slope - slope
        curvature = float(np.vdot(moved, changed))
        if curvature > 0:
            pairs.append((moved, changed, curvature))
        decrease = value - new_value
        at, value, slope = there, new_value, new_slope
        if decrease <= STILL * max(abs(value), 1.0):
            break
    return at


def _direction(
    slope: np.ndarray, pairs: 'deque[tuple[np.ndarray, np.ndarray, float]]'
) -> np.ndarray:
    """Return minus the inverse Hessian, as the remembered steps tell it, times the slope."""
    direction = -slope
    factors = []
    for moved, changed, curvature in reversed(pairs):
        factor = float(np.vdot(moved, direction)) / curvature
        factors.append(factor)
        direction -= np.float32(factor) * changed
    if pairs:
        _, changed, curvature = pairs[-1]
        direction *= np.float32(curvature / float(np.vdot(changed, changed)))
    for (moved, changed, curvature), factor in zip(pairs, reversed(factors), strict=True):
        other = float(np.vdot(changed, direction)) / curvature
        direction += np.float32(factor - other) * moved
    return direction
