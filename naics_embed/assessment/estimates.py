"""Shares with intervals, and what a threshold on the confidence leaves to people."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054
"""Quantile of the normal distribution for intervals of 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A weighted mean with an interval of 95 %.

    Attributes:
        value: the mean; NaN where there is no text.
        low: lower end, at least 0.
        high: upper end, at most 1.
        texts: how many.
    """

    value: float
    low: float
    high: float
    texts: int


def share(
    values: np.ndarray, weights: np.ndarray, groups: Sequence[Hashable] | np.ndarray
) -> Estimate:
    """Estimate a mean of values in [0, 1].

    The variance is that of a ratio of totals of clusters (Cochran 1977, 6.3), so that texts of one
    firm do not count as independent. Where all values are alike, the interval is Wilson's.

    Args:
        values: ``(n,)``, or bool.
        weights: ``(n,)``, above 0.
        groups: cluster of each text.
    """
    n = len(values)
    if n == 0:
        return Estimate(float('nan'), float('nan'), float('nan'), 0)
    values = values.astype(np.float64)
    total = weights.sum()
    mean = min(1.0, max(0.0, float(weights @ values / total)))
    _, cluster = np.unique(np.asarray(groups), return_inverse=True)
    residual = np.bincount(cluster, weights * (values - mean))
    count = len(residual)
    # All alike but for rounding: the sample says nothing of how far texts differ.
    if count < 2 or np.abs(residual).max() <= 1e-12 * total:
        return _wilson(mean, count, n)
    variance = float(residual @ residual) / total**2 * count / (count - 1)
    half = Z * float(np.sqrt(variance))
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), n)


def _wilson(mean: float, count: int, texts: int) -> Estimate:
    """Return the interval of Wilson (1927) for a fraction of independent clusters."""
    centre = (mean + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * np.sqrt(mean * (1 - mean) / count + Z**2 / (4 * count**2))
    return Estimate(mean, max(0.0, float(centre - half)), min(1.0, float(centre + half)), texts)


@dataclass(frozen=True)
class Automation:
    """What is coded automatically at a threshold.

    Attributes:
        threshold: least confidence of a text that is coded automatically.
        share: weighted fraction of those texts.
        accuracy: weighted fraction of them that is right.
    """

    threshold: float
    share: float
    accuracy: float


def automation_curve(
    confidence: np.ndarray, right: np.ndarray, weights: np.ndarray
) -> list[Automation]:
    """Return every threshold that can be told from others, the highest first."""
    order = np.argsort(-confidence, kind='stable')
    sorted_confidence = confidence[order]
    taken = np.cumsum(weights[order])
    good = np.cumsum((weights * right)[order])
    last = np.flatnonzero(np.diff(sorted_confidence, append=-1.0) != 0)
    return [
        Automation(
            float(sorted_confidence[i]), float(taken[i] / taken[-1]), float(good[i] / taken[i])
        )
        for i in last.tolist()
    ]


def at_target(curve: Sequence[Automation], target: float) -> Automation | None:
    """Return the lowest threshold whose accuracy reaches a target; None where none does."""
    reaching = [point for point in curve if point.accuracy >= target]
    return reaching[-1] if reaching else None


def expected_share(
    probability: np.ndarray, weights: np.ndarray, groups: Sequence[Hashable] | np.ndarray
) -> Estimate:
    """Estimate the fraction of events from the probability of each.

    Beside the variance between clusters, as in `share`, there is that of the events themselves,
    ``p (1 − p)``; within a cluster these are taken to occur together, which is the worst case, as
    of copies of one text. An error of the probabilities is not part of the interval.

    Args:
        probability: ``(n,)``, in [0, 1].
        weights: ``(n,)``, above 0.
        groups: cluster of each text.
    """
    n = len(probability)
    if n == 0:
        return Estimate(float('nan'), float('nan'), float('nan'), 0)
    total = weights.sum()
    mean = min(1.0, max(0.0, float(weights @ probability / total)))
    _, cluster = np.unique(np.asarray(groups), return_inverse=True)
    residual = np.bincount(cluster, weights * (probability - mean))
    deviation = np.bincount(cluster, weights * np.sqrt(probability * (1 - probability)))
    count = len(residual)
    between = float(residual @ residual) * (count / (count - 1) if count > 1 else 1.0)
    half = Z * float(np.sqrt(between + deviation @ deviation) / total)
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), n)
