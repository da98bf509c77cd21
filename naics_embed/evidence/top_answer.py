"""Calibration of the first answer: Platt's scaling of its probability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRIOR = 3.0
"""Weight, in queries, of the belief that the probabilities are right as they are."""

TINY = 1e-12

AHEAD = 1e-9
"""By so much, relatively, the first answer stays before the second."""


@dataclass(frozen=True)
class TopCalibration:
    """Probability p of the first answer → σ(slope · logit p + shift) (Platt 1999).

    A temperature cannot do this: it makes sure answers and doubtful ones less sure alike, where
    the first may be too sure and the second not sure enough.

    Attributes:
        slope: 1 where nothing is to be mended.
        shift: 0 there.
    """

    slope: float = 1.0
    shift: float = 0.0

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Mend the greatest probability of each row, and scale the others to the rest.

        The ranking stays: the first answer never falls below the second.

        Args:
            probabilities: float64 ``(q, codes)``, rows of sum 1.

        Returns:
            the same shape, rows of sum 1; the argument itself where there is nothing to mend.
        """
        if (self.slope, self.shift) == (1.0, 0.0) or probabilities.shape[1] < 2:
            return probabilities
        rows = np.arange(len(probabilities))
        first = probabilities.argmax(axis=1)
        top = probabilities[rows, first]
        others = probabilities.copy()
        others[rows, first] = 0
        # Not 1 − top, which is 0 or less where the first answer is as good as certain.
        rest = np.maximum(others.sum(axis=1), TINY)
        second = others.max(axis=1) / rest
        mended = _sigmoid(self.slope * (np.log(top) - np.log(rest)) + self.shift)
        mended = np.maximum(mended, (1 + AHEAD) * second / (1 + second))
        others *= ((1 - mended) / rest)[:, None]
        others[rows, first] = mended
        others /= others.sum(axis=1, keepdims=True)
        return others


def fit_top(confidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> TopCalibration:
    """Fit the two numbers by maximum likelihood.

    Args:
        confidence: ``(q,)``, probabilities of first answers to queries that had no part in the
            fit of what gave them.
        right: bool ``(q,)``.
        weight: ``(q,)``, of each query.

    Returns:
        the calibration; a falling one is never returned, but that which changes nothing.
    """
    from scipy.optimize import minimize

    held = np.clip(confidence, TINY, 1 - TINY)
    features = np.column_stack([np.log(held) - np.log1p(-held), np.ones(len(held))])
    fraction = weight / weight.sum()
    as_it_is = np.array([1.0, 0.0])
    penalty = PRIOR / len(held)

    def loss(a: np.ndarray) -> tuple[float, np.ndarray]:
        z = features @ a
        value = fraction @ (np.logaddexp(0, z) - right * z)
        slope = features.T @ (fraction * (_sigmoid(z) - right))
        away = a - as_it_is
        return float(value + penalty * away @ away), slope + 2 * penalty * away

    found = minimize(loss, as_it_is, jac=True, method='L-BFGS-B').x
    return TopCalibration(float(found[0]), float(found[1])) if found[0] > 0 else TopCalibration()


def folds(count: int, parts: int) -> Sequence[np.ndarray]:
    """Return for each part the queries it holds, bool ``(count,)``, drawn once and for all."""
    part = np.random.default_rng(0).permutation(count) % parts
    return [part == i for i in range(parts)]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))
