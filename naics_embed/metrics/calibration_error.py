"""The calibration error on arrays of numpy, for what measures without torch."""

import numpy as np


def binned_error(
    confidence: np.ndarray,
    correct: np.ndarray,
    *,
    bins: int,
    equal_mass: bool = False,
    weights: np.ndarray | None = None,
) -> float:
    """Return what `calibration.expected_calibration_error` does, of answers that it has checked.

    Args:
        confidence: float64 ``(q,)`` in [0, 1].
        correct: ``(q,)``, bool or a probability.
        bins: number of bins. Bounds belong to the lower bin, as in scikit-learn.
        equal_mass: bins at quantiles of the confidence in place of equally wide ones.
        weights: ``(q,)``, above 0, of the answers; all the same where None.
    """
    # Computed as scikit-learn does: another rounding moves answers on the border of two bins.
    edges = np.linspace(0, 1, bins + 1)
    if equal_mass:
        edges = np.percentile(confidence, edges * 100)
    bin_of = np.searchsorted(edges[1:-1], confidence)
    weight = np.ones(len(confidence)) if weights is None else weights.astype(np.float64)
    gap = np.bincount(bin_of, (correct - confidence) * weight, minlength=bins)
    return float(np.abs(gap).sum() / weight.sum())
