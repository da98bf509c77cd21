"""Selective prediction: accuracy when only confident answers are given."""

from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.metrics.validation import MetricError, check_any, check_finite, check_length


@dataclass(frozen=True)
class RiskCoverage:
    """Error of the most confident answers, as more and more are given (El-Yaniv & Wiener 2010).

    One point for each distinct confidence, answers of the same confidence entering together.

    Attributes:
        threshold: float64 ``(p,)``, descending; answers at least this confident are given.
        coverage: float64 ``(p,)``, fraction of answers given; the last is 1.
        risk: float64 ``(p,)``, fraction of these that are wrong.
    """

    threshold: Tensor
    coverage: Tensor
    risk: Tensor


def risk_coverage(confidence: Tensor, correct: Tensor) -> RiskCoverage:
    """Return the curve of `RiskCoverage`.

    Args:
        confidence: ``(q,)``, any score that is higher for surer answers.
        correct: ``(q,)``, bool, or the probability in [0, 1] that the answer is right.

    Raises:
        MetricError: no answers, lengths that differ, a value that is not finite or not in [0, 1].
    """
    confidence, correct = checked_answers(confidence, correct)
    threshold, group, size = confidence.unique(return_inverse=True, return_counts=True)
    wrong = torch.zeros(len(threshold), dtype=torch.float64).index_add_(0, group, 1 - correct)
    given = size.flip(0).cumsum(0).to(torch.float64)
    return RiskCoverage(
        threshold=threshold.flip(0),
        coverage=given / len(confidence),
        risk=wrong.flip(0).cumsum(0) / given,
    )


def accuracy_at_coverage(curve: RiskCoverage, coverage: float) -> float:
    """Return the fraction right among the most confident ``coverage`` of answers.

    Answers tied at the threshold are taken at random, in expectation.

    Raises:
        MetricError: the coverage is not above 0 and at most 1.
    """
    if not 0 < coverage <= 1:
        raise MetricError(f'coverage must be above 0 and at most 1, not {coverage:g}')
    zero = torch.zeros(1, dtype=torch.float64)
    fraction = torch.cat([zero, curve.coverage])
    errors = torch.cat([zero, curve.coverage * curve.risk])
    at = min(int(torch.searchsorted(curve.coverage, coverage)), len(curve.coverage) - 1)
    part = (coverage - fraction[at]) / (fraction[at + 1] - fraction[at])
    return 1 - float(errors[at] + part * (errors[at + 1] - errors[at])) / coverage


def area_under_risk(confidence: Tensor, correct: Tensor) -> float:
    """Return the mean, over k = 1 … q, of the risk of the k most confident answers.

    AURC (Geifman & El-Yaniv 2017), less is better; answers of one confidence are taken in random
    order, in expectation. Arguments and errors as for `risk_coverage`.
    """
    confidence, correct = checked_answers(confidence, correct)
    _, group, size = confidence.unique(return_inverse=True, return_counts=True)
    wrong = torch.zeros(len(size), dtype=torch.float64).index_add_(0, group, 1 - correct)
    by_confidence = torch.repeat_interleave((wrong / size).flip(0), size.flip(0))
    given = torch.arange(1, len(confidence) + 1, dtype=torch.float64)
    return float((by_confidence.cumsum(0) / given).mean())


def checked_answers(confidence: Tensor, correct: Tensor) -> tuple[Tensor, Tensor]:
    """Return confidence and correctness as float64 vectors on the CPU, or raise MetricError."""
    check_length('confidence', confidence, confidence.numel())
    check_length('correct', correct, len(confidence))
    check_any('answers', len(confidence))
    confidence = confidence.detach().to(dtype=torch.float64, device='cpu')
    correct = correct.detach().to(dtype=torch.float64, device='cpu')
    check_finite('confidence', confidence)
    if not (float(correct.min()) >= 0 and float(correct.max()) <= 1):
        raise MetricError('correct must be bool, or probabilities between 0 and 1')
    return confidence, correct
