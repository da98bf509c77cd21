"""Risk–coverage curve and reliability of six-digit answers, for a report to draw."""

from typing import Any

import numpy as np
import torch

from naics_embed.evidence.confidence import BINS, Decisions
from naics_embed.metrics.selective import accuracy_at_coverage, risk_coverage

COVERAGES = tuple(percent / 100 for percent in range(1, 101))


def curves(decided: Decisions) -> dict[str, Any]:
    """Return plain values for JSON.

    Args:
        decided: confidence in the first answer of each query, and whether it is right.

    Returns:
        ``coverage``, shares of the queries answered, surest first; ``top1``, the share of these
        answers that is right; and ``reliability``, the equally wide bins of the calibration error
        that hold any answer: ``low`` < confidence ≤ ``high``, mean ``confidence``, ``accuracy``,
        ``count``.

    Raises:
        MetricError: there is no answer.
    """
    curve = risk_coverage(decided.confidence, decided.correct)
    confidence = decided.confidence.to(torch.float64).numpy()
    correct = decided.correct.to(torch.float64).numpy()
    edges = np.linspace(0, 1, BINS + 1)
    bin_of = np.searchsorted(edges[1:-1], confidence)
    bins = [(int(at), bin_of == at) for at in np.unique(bin_of)]
    return {
        'coverage': list(COVERAGES),
        'top1': [accuracy_at_coverage(curve, share) for share in COVERAGES],
        'reliability': [
            {
                'low': float(edges[at]),
                'high': float(edges[at + 1]),
                'confidence': float(confidence[own].mean()),
                'accuracy': float(correct[own].mean()),
                'count': int(own.sum()),
            }
            for at, own in bins
        ],
    }
