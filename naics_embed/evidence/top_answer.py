"""Calibration of the top-1 answer: Platt's scaling of its probability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRIOR = 3.0
"""Weight, in queries, of the prior that the probabilities need no calibration."""

TINY = 1e-12

AHEAD = 1e-9
"""Least relative lead of the top-1 answer over the second."""


@dataclass(frozen=True)
class TopCalibration:
    """Probability p of the top-1 answer → σ(slope · logit p + shift) (Platt 1999).

    A temperature cannot do this: it lowers the confidence of all answers alike, where sure ones may
    be overconfident and doubtful ones underconfident.

    Attributes:
        slope: 1 where nothing changes.
        shift: 0 where nothing changes.
    """

    slope: float = 1.0
    shift: float = 0.0

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate the greatest probability of each row, and scale the others to the rest.

        The ranking stays: the top-1 answer never falls below the second.

        Args:
            probabilities: float64 ``(q, codes)``, rows of sum 1.

        Returns:
            the same shape, rows of sum 1; the argument itself where nothing changes.
        """
        if (self.slope, self.shift) == (1.0, 0.0) or probabilities.shape[1] < 2:
            return probabilities
        rows = np.arange(len(probabilities))
        first = probabilities.argmax(axis=1)
        top = probabilities[rows, first]
        others = probabilities.copy()
        others[rows, first] = 0
        # Not 1 − top, which is 0 or less where the top-1 answer is as good as certain.
        rest = np.maximum(others.sum(axis=1), TINY)
        second = others.max(axis=1) / rest
        calibrated = _sigmoid(self.slope * (np.log(top) - np.log(rest)) + self.shift)
        calibrated = np.maximum(calibrated, (1 + AHEAD) * second / (1 + second))
        others *= ((1 - calibrated) / rest)[:, None]
        others[rows, first] = calibrated
        others /= others.sum(axis=1, keepdims=True)
        return others


def fit_top(confidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> TopCalibration:
    """Fit the two numbers by maximum likelihood.

    Args:
        confidence: ``(q,)``, probabilities of top-1 answers, by weights that were fitted
            without these queries.
        right: bool ``(q,)``.
        weight: ``(q,)``, of each query.

    Returns:
        the calibration; the one that changes nothing where the fitted slope is not positive.
    """
    from scipy.optimize import minimize

    held = np.clip(confidence, TINY, 1 - TINY)
    features = np.column_stack([np.log(held) - np.log1p(-held), np.ones(len(held))])
    fraction = weight / weight.sum()
    identity = np.array([1.0, 0.0])
    penalty = PRIOR / len(held)

    def loss(a: np.ndarray) -> tuple[float, np.ndarray]:
        z = features @ a
        value = fraction @ (np.logaddexp(0, z) - right * z)
        slope = features.T @ (fraction * (_sigmoid(z) - right))
        away = a - identity
        return float(value + penalty * away @ away), slope + 2 * penalty * away

    fitted = minimize(loss, identity, jac=True, method='L-BFGS-B').x
    return TopCalibration(float(fitted[0]), float(fitted[1])) if fitted[0] > 0 else TopCalibration()


def folds(count: int, parts: int) -> Sequence[np.ndarray]:
    """Return for each part the queries it holds, bool ``(count,)``; the draw is always the same."""
    part = np.random.default_rng(0).permutation(count) % parts
    return [part == i for i in range(parts)]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))
