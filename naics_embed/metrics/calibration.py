"""Calibration of a confidence."""

import numpy as np
import torch
from torch import Tensor

from naics_embed.metrics.selective import (
    accuracy_at_coverage,
    area_under_risk,
    checked_answers,
    risk_coverage,
)
from naics_embed.metrics.validation import (
    MetricError,
    check_any,
    check_finite,
    check_index,
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
    # Computed as scikit-learn does: another rounding moves answers on the border of two bins.
    edges = np.linspace(0, 1, bins + 1)
    if equal_mass:
        edges = np.percentile(confidence.numpy(), edges * 100)
    bin_of = torch.from_numpy(np.searchsorted(edges[1:-1], confidence.numpy()))
    each = correct - confidence
    total = float(len(confidence))
    if weights is not None:
        check_length('weights', weights, len(confidence))
        each = each * weights.to(torch.float64)
        total = float(weights.sum())
    gap = torch.zeros(bins, dtype=torch.float64).index_add_(0, bin_of, each)
    return float(gap.abs().sum()) / total


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


def calibration_metrics(
    logits: Tensor,
    truth: Tensor,
    *,
    temperature: float = 1.0,
    bins: int,
    coverages: tuple[float, ...],
) -> dict[str, float]:
    """Return the metrics of probabilities over candidates, softmax(logits / temperature).

    Args:
        logits: ``(q, m)``; log probabilities are logits too. −inf rules a candidate out.
        truth: int64 ``(q,)``, column of the right candidate.
        temperature: from `fit_temperature` on validation queries.
        bins: bins of the calibration error of the top-1 answer.
        coverages: fractions of answers given, for the accuracies.

    Returns:
        Those of `confidence_metrics` for the top-1 answer; ``nll``, mean −log p of the right
        candidate in nats; ``brier``, mean squared error summed over candidates, 0 to 2 (Brier
        1950).

    Raises:
        MetricError: shapes that do not fit, NaN, a right candidate that is ruled out.
    """
    logits = _logits(logits, truth)
    _check_temperature(temperature)
    log_p = torch.log_softmax(logits / temperature, dim=1)
    return _metrics(log_p, truth, bins=bins, coverages=coverages)


def calibration_ceiling(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    bins: int,
    coverages: tuple[float, ...],
    draws: int,
    seed: int,
) -> dict[str, float]:
    """Return the metrics, under the same keys, were these probabilities exactly true.

    The means over ``draws`` sets of labels drawn from the probabilities themselves: what the same
    predictions would get if nothing were wrong with them. The calibration error is not 0 there,
    because bins hold finitely many answers.
    """
    check_positive('draws', draws)
    _check_temperature(temperature)
    p = torch.softmax(logits.detach().to(dtype=torch.float64, device='cpu') / temperature, dim=1)
    check_finite('probabilities', p)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(p, draws, replacement=True, generator=generator)
    by_draw = [
        _metrics(p.log(), label, bins=bins, coverages=coverages) for label in labels.unbind(1)
    ]
    return {name: sum(metrics[name] for metrics in by_draw) / draws for name in by_draw[0]}


def fit_temperature(
    logits: Tensor, truth: Tensor, *, bounds: tuple[float, float], tolerance: float = 1e-6
) -> float:
    """Return the temperature that minimises the mean −log p of the right candidates.

    Platt's scaling with one parameter (Guo et al. 2017). The loss is convex in 1/temperature, so
    its slope is bisected between the bounds; a bound is returned where the slope does not change
    sign between them.

    Args:
        logits: ``(q, m)`` of validation queries; −inf rules a candidate out.
        truth: int64 ``(q,)``, column of the right candidate.
        bounds: least and greatest temperature.
        tolerance: relative accuracy of the result.

    Raises:
        MetricError: shapes that do not fit, bounds that are not 0 < least < greatest.
    """
    least, greatest = bounds
    if not 0 < least < greatest:
        raise MetricError(f'bounds must be 0 < least < greatest, not {least:g} and {greatest:g}')
    if not tolerance > 0:
        raise MetricError(f'tolerance must be positive, not {tolerance:g}')
    logits = _logits(logits, truth)
    ruled_out = torch.isneginf(logits)
    weights = logits.masked_fill(ruled_out, 0.0)
    right = float(logits.gather(1, truth[:, None]).mean())
    low, high = 1 / greatest, 1 / least
    while high - low > tolerance * low:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        expected = torch.softmax(logits * middle, dim=1).mul_(weights).sum(dim=1).mean()
        if float(expected) > right:
            high = middle
        else:
            low = middle
    return 2 / (low + high)


def _metrics(
    log_p: Tensor, truth: Tensor, *, bins: int, coverages: tuple[float, ...]
) -> dict[str, float]:
    log_p_truth = log_p.gather(1, truth[:, None])
    top = log_p.max(dim=1, keepdim=True).values
    # One of several equally probable answers is right with equal chance.
    correct = (log_p_truth == top).to(torch.float64) / (log_p == top).sum(dim=1, keepdim=True)
    p = log_p.exp()
    brier = p.square().sum(dim=1) - 2 * log_p_truth.exp().squeeze(1) + 1
    result = confidence_metrics(
        top.exp().clamp(max=1.0).squeeze(1), correct.squeeze(1), bins=bins, coverages=coverages
    )
    return result | {'nll': -float(log_p_truth.mean()), 'brier': float(brier.mean())}


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise MetricError(f'temperature must be positive, not {temperature:g}')


def _logits(logits: Tensor, truth: Tensor) -> Tensor:
    if logits.ndim != 2:
        raise MetricError(f'logits must be (queries, candidates), not {tuple(logits.shape)}')
    check_length('truth', truth, len(logits))
    check_any('queries', len(truth))
    check_index('truth', truth, logits.shape[1])
    wide = logits.detach().to(dtype=torch.float64, device='cpu')
    if bool(wide.isnan().any()) or bool(torch.isposinf(wide).any()):
        raise MetricError('logits hold NaN or +inf')
    if bool(torch.isneginf(wide.gather(1, truth[:, None])).any()):
        raise MetricError('the right candidate of a query is ruled out by a logit of −inf')
    return wide
