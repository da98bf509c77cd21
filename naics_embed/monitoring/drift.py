"""The population stability index, and how large it is by chance."""

from dataclasses import dataclass

import numpy as np

CELL = 0.5
"""Rows added to each bin, so that an empty one has a logarithm."""


@dataclass(frozen=True)
class Drift:
    """How far a quantity of a window is from the reference.

    Attributes:
        name: of the quantity.
        psi: population stability index.
        by_chance: what it stays below, with the probability 1 − alpha, if nothing has changed.
        alarm: whether it passes both that and the least index of an alarm.
        largest: bins with the largest part in the index, with their shares: name, reference,
            window.
    """

    name: str
    psi: float
    by_chance: float
    alarm: bool
    largest: tuple[tuple[str, float, float], ...]


def stability_index(reference: np.ndarray, window: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the population stability index, and the part of each bin in it.

    It is ``Σ (q − p) · ln(q / p)``, the symmetric divergence of Jeffreys, with shares p of the
    reference and q of the window; each bin counts half a row more.

    Args:
        reference: counts ``(bins,)``.
        window: counts ``(bins,)``.
    """
    p = (reference + CELL) / (reference + CELL).sum()
    q = (window + CELL) / (window + CELL).sum()
    parts = (q - p) * np.log(q / p)
    return float(parts.sum()), parts


def index_by_chance(bins: int, reference_rows: float, window_rows: float, alpha: float) -> float:
    """Return the 1 − alpha quantile of the index if both samples have the same distribution.

    Then the index is about ``(1/n + 1/m) · χ²`` with one degree of freedom less than there are bins
    (Yurdakul and Naranjo, Journal of Risk Model Validation 2020).

    Args:
        bins: of the index.
        reference_rows: n.
        window_rows: m.
        alpha: probability of a false alarm.
    """
    from scipy.stats import chi2

    scale = 1.0 / reference_rows + 1.0 / window_rows
    return float(scale * chi2.ppf(1.0 - alpha, max(bins - 1, 1)))


def joined_rare(
    names: list[str], reference: np.ndarray, window: np.ndarray, least: float
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Count bins together of which the window has few rows, and by the reference would have few.

    A bin that is new in the window stays, and so does one that has vanished from it.

    Args:
        names: of the bins.
        reference: counts ``(bins,)``.
        window: counts ``(bins,)``.
        least: rows from which a bin is counted by itself.
    """
    expected = reference * (window.sum() / max(reference.sum(), 1))
    rare = (expected < least) & (window < least)
    if rare.sum() < 2:
        return names, reference, window
    kept = np.flatnonzero(~rare)
    return (
        [names[i] for i in kept.tolist()] + ['others'],
        np.append(reference[kept], reference[rare].sum()),
        np.append(window[kept], window[rare].sum()),
    )


def compare_counts(
    name: str,
    names: list[str],
    reference: np.ndarray,
    window: np.ndarray,
    *,
    least_psi: float,
    alpha: float,
    least_expected: float,
    shown: int = 5,
) -> Drift:
    """Compare the counts of a window with those of the reference, bin by bin.

    Args:
        name: of the quantity.
        names: of the bins.
        reference: counts ``(bins,)``.
        window: counts ``(bins,)``.
        least_psi: least index of an alarm.
        alpha: probability of a false alarm.
        least_expected: see `joined_rare`.
        shown: how many bins to name.
    """
    names, reference, window = joined_rare(names, reference, window, least_expected)
    psi, parts = stability_index(reference, window)
    by_chance = index_by_chance(len(names), reference.sum(), window.sum(), alpha)
    order = np.argsort(-parts, kind='stable')[:shown]
    largest = tuple(
        (names[i], float(reference[i] / reference.sum()), float(window[i] / window.sum()))
        for i in order.tolist()
        if parts[i] > 0
    )
    return Drift(name, psi, by_chance, psi > max(by_chance, least_psi), largest)
