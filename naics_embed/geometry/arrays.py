"""The part of `lorentz` and `models` that searching needs, on arrays of numpy and without torch.

Importing torch takes longer than an answer, and a process that only searches need not have it.
Points are space parts, float64, as in `lorentz`; nothing here has a gradient.
"""

import math

import numpy as np

NEAR = 1e-2
"""Below this haversine the inner product of two far points has lost digits that count."""
PAIRS = 65_536
"""Near pairs computed at a time; bounds the memory."""


def exp0(tangents: np.ndarray, c: float) -> np.ndarray:
    """Return what `lorentz.exp0` does, float64 ``(..., d)``."""
    length = math.sqrt(c) * np.linalg.norm(tangents, axis=-1, keepdims=True)
    safe = np.where(length > 0, length, 1)
    return np.asarray(np.where(length > 0, np.sinh(safe) / safe, 1) * tangents)


def log0(points: np.ndarray, c: float) -> np.ndarray:
    """Return what `lorentz.log0` does, float64 ``(..., d)``."""
    length = math.sqrt(c) * np.linalg.norm(points, axis=-1, keepdims=True)
    safe = np.where(length > 0, length, 1)
    return np.asarray(np.where(length > 0, np.arcsinh(safe) / safe, 1) * points)


def pairwise_distance(points: np.ndarray, others: np.ndarray, c: float) -> np.ndarray:
    """Return geodesic distances of all pairs of ``(n, d)`` and ``(m, d)``, float64 ``(n, m)``.

    By one inner product for each pair, and by the difference of the two where they are near: within
    1e-8 of `lorentz.pairwise_distance` at radius 9.
    """
    x, y = math.sqrt(c) * points, math.sqrt(c) * others
    above_x, above_y = _height(x), _height(y)
    u = (above_x[:, None] * (1 + above_y) + above_y - x @ y.T) / 2
    row, column = np.nonzero(u < NEAR)
    for start in range(0, len(row), PAIRS):
        at = row[start : start + PAIRS], column[start : start + PAIRS]
        one, other = x[at[0]], y[at[1]]
        step = one - other
        time = (step * (one + other)).sum(-1) / (2 + above_x[at[0]] + above_y[at[1]])
        u[at] = (np.square(step).sum(-1) - np.square(time)) / 4
    return np.asarray(2 * np.arcsinh(np.sqrt(np.maximum(u, 0))) / math.sqrt(c))


def centroid(points: np.ndarray, weights: np.ndarray, c: float) -> np.ndarray:
    """Return what `lorentz.centroid` does for one set: ``(n, d)``, ``(n,)`` to float64 ``(d,)``.

    The norm of the weighted sum is that of its pairs, ``Σᵢⱼ wᵢwⱼ(1 + 2uᵢⱼ)``, all of them
    positive, so that far sets keep their digits.
    """
    if not weights.any():
        return np.zeros(points.shape[-1])
    half = pairwise_distance(math.sqrt(c) * points, math.sqrt(c) * points, 1.0) / 2
    square = weights @ (1 + 2 * np.square(np.sinh(half))) @ weights
    return np.asarray(weights @ points / math.sqrt(square))


def to_poincare(points: np.ndarray, c: float) -> np.ndarray:
    """Return what `models.to_poincare` does, float64 ``(..., d)``."""
    square = c * np.square(points).sum(-1, keepdims=True)
    return np.asarray(points / (1 + np.sqrt(1 + square)))


def from_poincare(ball: np.ndarray, c: float) -> np.ndarray:
    """Return what `models.from_poincare` does, float64 ``(..., d)``."""
    gap = 1 - c * np.square(ball).sum(-1, keepdims=True)
    return np.asarray(2 * ball / np.where(gap > 0, gap, np.nan))


def _height(x: np.ndarray) -> np.ndarray:
    square = np.square(x).sum(-1)
    return np.asarray(square / (1 + np.sqrt(1 + square)))
