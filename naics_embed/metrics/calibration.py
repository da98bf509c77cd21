"""Calibration of a confidence."""

import torch
from torch import Tensor

from naics_embed.metrics.calibration_error import binned_error
from naics_embed.metrics.selective import (
    accuracy_at_coverage,
    area_under_risk,
    checked_answers,
    risk_coverage,
)
from naics_embed.metrics.validation import (
    MetricError,
    check_length,
    check_positive,
)


def expected_calibration_error(
    confidence: Tensor,
    correct: Tensor,
    *,
    bins: int,
    equal_mass: bool = False,
    weights: Tensor | None = None,
) -> float:
    """Return the mean over answers of |accuracy − mean confidence| of their bin.

    Args:
        confidence: ``(q,)`` in [0, 1].
        correct: ``(q,)``, bool or a probability.
        bins: number of bins. Bounds belong to the lower bin, as in scikit-learn.
        equal_mass: bins at quantiles of the confidence (Nguyen & O'Connor 2015) in place of
            equally wide ones (Guo et al. 2017).
        weights: ``(q,)``, above 0, of the answers; all the same where None.
    """
    check_positive('bins', bins)
    confidence, correct = checked_answers(confidence, correct)
    if not (float(confidence.min()) >= 0 and float(confidence.max()) <= 1):
        raise MetricError('confidence must lie between 0 and 1')
    if weights is not None:
        check_length('weights', weights, len(confidence))
    return binned_error(
        confidence.numpy(),
        correct.numpy(),
        bins=bins,
        equal_mass=equal_mass,
        weights=None if weights is None else weights.to(torch.float64).numpy(),
    )


def confidence_metrics(
    confidence: Tensor, correct: Tensor, *, bins: int, coverages: tuple[float, ...]
) -> dict[str, float]:
    """Return the metrics of a confidence in one answer a query.

    Args:
        confidence: ``(q,)`` in [0, 1].
        correct: ``(q,)``, bool or a probability; right in whatever sense the confidence is about
            (the code, or its four-digit parent).
        bins: bins of the calibration error.
        coverages: fractions of answers given, for the accuracies.

    Returns:
        ``accuracy``, ``mean_confidence``, ``ece`` (equally wide bins), ``ece_equal_mass``,
        ``aurc``, and ``accuracy_at_coverage_C`` for each coverage.
    """
    curve = risk_coverage(confidence, correct)
    result = {
        'accuracy': 1 - float(curve.risk[-1]),
        'mean_confidence': float(confidence.to(torch.float64).mean()),
        'ece': expected_calibration_error(confidence, correct, bins=bins),
        'ece_equal_mass': expected_calibration_error(
            confidence, correct, bins=bins, equal_mass=True
        ),
        'aurc': area_under_risk(confidence, correct),
    }
    return result | {
        f'accuracy_at_coverage_{fraction:g}': accuracy_at_coverage(curve, fraction)
        for fraction in coverages
    }
