"""Calibration of the top-1 answer: Platt's scaling of its probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from naics_embed.evidence.gates import GATES, STYLES, WEIGHING

PRIOR = 3.0
"""Weight, in queries, of the prior that the probabilities need no calibration."""

TINY = 1e-12

LEAST_SLOPE = 0.1
"""Least slope, so that of two answers to alike texts the surer one stays surer."""

AHEAD = 1e-9
"""Least relative lead of the top-1 answer over the second."""


@dataclass(frozen=True)
class TopCalibration:
    """Probability p of the top-1 answer → σ(slope · logit p + shift) (Platt 1999).

    A temperature cannot do this: it lowers the confidence of all answers alike, where sure ones may
    be overconfident and doubtful ones underconfident. Slope and shift may depend on the gates of a
    query, linearly, so that a kind of text that is met with too much confidence has its own.

    Attributes:
        slope: coefficients of the slope, one a gate; ``(1,)``, or 1 and zeros, where nothing
            changes.
        shift: coefficients of the shift.
    """

    slope: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)

    @property
    def caution(self) -> tuple[float, ...]:
        """Coefficients of the shift for the gates `STYLES`."""
        shift = self.shift[len(WEIGHING) : len(GATES)]
        return (*shift, *(0.0,) * (len(STYLES) - len(shift)))

    def with_caution(self, shifts: Sequence[float]) -> 'TopCalibration':
        """Return it with other coefficients of the shift for the gates `STYLES`.

        They are chosen, not fitted: texts that are written for a project are easier than those of
        real firms, so the project's labelled queries cannot tell them.
        """
        at, end = len(WEIGHING), len(GATES)
        slope, shift = (np.zeros(max(end, len(values))) for values in (self.slope, self.shift))
        slope[: len(self.slope)], shift[: len(self.shift)] = self.slope, self.shift
        shift[at:end] = shifts
        return TopCalibration(tuple(slope.tolist()), tuple(shift.tolist()))

    @property
    def changes_nothing(self) -> bool:
        """Whether it is the identity."""
        return self.slope[0] == 1.0 and not any((*self.slope[1:], *self.shift))

    def to_dict(self) -> dict[str, list[float]]:
        """Return plain values for JSON."""
        return {'slope': list(self.slope), 'shift': list(self.shift)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'TopCalibration':
        """Rebuild from `to_dict`, or from a file in which both are numbers.

        Raises:
            KeyError, TypeError, ValueError: the values are something else.
        """
        slope, shift = (np.atleast_1d(np.array(values[name], float)) for name in ('slope', 'shift'))
        return cls(tuple(slope.tolist()), tuple(shift.tolist()))

    def confidence(self, confidence: np.ndarray, gates: np.ndarray | None = None) -> np.ndarray:
        """Calibrate probabilities of top-1 answers, float64 ``(q,)``.

        Args:
            confidence: ``(q,)``.
            gates: as for `apply`.
        """
        slope, shift = self._line(len(confidence), gates)
        held = np.clip(confidence, TINY, 1 - TINY)
        return _sigmoid(slope * (np.log(held) - np.log1p(-held)) + shift)

    def _line(self, count: int, gates: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return slope and shift of each query."""
        facts = np.ones((count, 1)) if gates is None else gates
        slope = facts[:, : len(self.slope)] @ np.array(self.slope)
        return np.maximum(slope, LEAST_SLOPE), facts[:, : len(self.shift)] @ np.array(self.shift)

    def apply(self, probabilities: np.ndarray, gates: np.ndarray | None = None) -> np.ndarray:
        """Calibrate the greatest probability of each row, and scale the others to the rest.

        The ranking stays: the top-1 answer never falls below the second.

        Args:
            probabilities: float64 ``(q, codes)``, rows of sum 1.
            gates: ``(q, gates)``, those of the queries; the first is 1. None where slope and shift
                do not depend on others.

        Returns:
            the same shape, rows of sum 1; the argument itself where nothing changes.
        """
        if self.changes_nothing or probabilities.shape[1] < 2:
            return probabilities
        slope, shift = self._line(len(probabilities), gates)
        rows = np.arange(len(probabilities))
        first = probabilities.argmax(axis=1)
        top = probabilities[rows, first]
        others = probabilities.copy()
        others[rows, first] = 0
        # Not 1 − top, which is 0 or less where the top-1 answer is as good as certain.
        rest = np.maximum(others.sum(axis=1), TINY)
        second = others.max(axis=1) / rest
        calibrated = _sigmoid(slope * (np.log(top) - np.log(rest)) + shift)
        calibrated = np.maximum(calibrated, (1 + AHEAD) * second / (1 + second))
        others *= ((1 - calibrated) / rest)[:, None]
        others[rows, first] = calibrated
        others /= others.sum(axis=1, keepdims=True)
        return others


def fit_top(
    confidence: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    gates: np.ndarray | None = None,
    caution: Sequence[float] = (),
) -> TopCalibration:
    """Fit slope and shift by maximum likelihood.


    Args:
        confidence: ``(q,)``, probabilities of top-1 answers, by weights that were fitted
            without these queries.
        right: bool ``(q,)``.
        weight: ``(q,)``, of each query.
        gates: ``(q, gates)``, on which slope and shift depend; the first is 1. None for one slope
            and one shift for all.
        caution: coefficients of the shift for the gates `STYLES`, which are kept; empty where
            these are fitted as those of other gates.

    Returns:
        the calibration; the one that changes nothing where the fitted slope is not positive.
    """
    from scipy.optimize import minimize

    held = np.clip(confidence, TINY, 1 - TINY)
    facts = np.ones((len(held), 1)) if gates is None else gates
    kept = np.zeros(facts.shape[1])
    styles = np.zeros(len(kept), dtype=bool)
    if len(caution):
        styles[len(WEIGHING) : len(GATES)] = True
        kept[styles] = caution
    taken_off = facts @ kept
    facts = facts[:, ~styles]
    logit = np.log(held) - np.log1p(-held)
    features = np.concatenate([facts * logit[:, None], facts], axis=1)
    fraction = weight / weight.sum()
    identity = np.zeros(features.shape[1])
    identity[0] = 1.0
    penalty = PRIOR / len(held)

    def loss(a: np.ndarray) -> tuple[float, np.ndarray]:
        z = features @ a + taken_off
        value = fraction @ (np.logaddexp(0, z) - right * z)
        slope = features.T @ (fraction * (_sigmoid(z) - right))
        away = a - identity
        return float(value + penalty * away @ away), slope + 2 * penalty * away

    fitted = minimize(loss, identity, jac=True, method='L-BFGS-B').x
    if not facts.mean(axis=0) @ fitted[: facts.shape[1]] > 0:
        fitted = identity
    slope, shift = np.zeros(len(styles)), kept
    slope[~styles], shift[~styles] = np.split(fitted, 2)
    return TopCalibration(tuple(slope.tolist()), tuple(shift.tolist()))


def folds(count: int, parts: int) -> Sequence[np.ndarray]:
    """Return for each part the queries it holds, bool ``(count,)``; the draw is always the same."""
    part = np.random.default_rng(0).permutation(count) % parts
    return [part == i for i in range(parts)]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))
