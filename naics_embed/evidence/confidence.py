"""Metrics of probabilities over the tree: calibration at each level, and back-off."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from naics_embed.metrics.calibration import confidence_metrics
from naics_embed.taxonomy import LEVELS, Taxonomy

BINS = 15
COVERAGES = (0.8,)


@dataclass(frozen=True)
class Decisions:
    """The best code of one level for each query.

    Attributes:
        confidence: float64 ``(q,)``, probability of the best code of the level.
        correct: bool ``(q,)``, whether the right leaf lies below it.
    """

    confidence: Tensor
    correct: Tensor


def decisions(
    probabilities: np.ndarray, truth: np.ndarray, taxonomy: Taxonomy
) -> dict[int, Decisions]:
    """Sum leaf probabilities to each level and take the best code there.

    Args:
        probabilities: float64 ``(q, leaves)``, six-digit codes in the order of the taxonomy.
        truth: int64 ``(q,)``, columns of the right leaves.
        taxonomy: the tree.

    Returns:
        level → its decisions.
    """
    leaves = taxonomy.at_level(LEVELS[-1])
    by_level: dict[int, Decisions] = {}
    for column, level in enumerate(LEVELS):
        ancestor = taxonomy.ancestors[leaves, column]
        _, first, column_of = np.unique(ancestor, return_index=True, return_inverse=True)
        sums = np.add.reduceat(probabilities, first, axis=1)
        by_level[level] = Decisions(
            torch.from_numpy(sums.max(axis=1)).clamp(max=1.0),
            torch.from_numpy(sums.argmax(axis=1) == column_of[truth]),
        )
    return by_level


def coding_metrics(by_level: dict[int, Decisions], confidence: float) -> dict[str, float]:
    """Return calibration and back-off metrics.

    Args:
        by_level: from `decisions`.
        confidence: least probability of a code that is given as the answer.

    Returns:
        ``ece``, ``aurc`` and ``accuracy_at_coverage_0.8`` of six-digit answers; ``level4_ece`` and
        ``level4_accuracy`` and so on; ``confident_accuracy``, the fraction of answers that hold
        when each text gets the deepest code whose probability passes ``confidence``;
        ``confident_coverage``, the fraction of texts that get any; and ``confident_level``, the
        mean digits of those answers.
    """
    metrics: dict[str, float] = {}
    for level, decided in by_level.items():
        values = confidence_metrics(
            decided.confidence, decided.correct, bins=BINS, coverages=COVERAGES
        )
        if level == LEVELS[-1]:
            names = (
                'ece',
                'aurc',
                *(f'accuracy_at_coverage_{fraction:g}' for fraction in COVERAGES),
            )
            metrics |= {name: values[name] for name in names}
        else:
            metrics |= {f'level{level}_{name}': values[name] for name in ('accuracy', 'ece')}
    depth = torch.zeros(len(by_level[LEVELS[-1]].correct), dtype=torch.int64)
    right = torch.zeros_like(depth, dtype=torch.bool)
    for level in LEVELS:
        sure = by_level[level].confidence >= confidence
        depth[sure] = level
        right[sure] = by_level[level].correct[sure]
    answered = depth > 0
    metrics['confident_coverage'] = float(answered.double().mean())
    if bool(answered.any()):
        metrics['confident_accuracy'] = float(right[answered].double().mean())
        metrics['confident_level'] = float(depth[answered].double().mean())
    return metrics


def first_leaves(taxonomy: Taxonomy) -> dict[int, np.ndarray]:
    """Return for each level where the leaves below each of its codes begin, int64 arrays."""
    leaves = taxonomy.at_level(LEVELS[-1])
    return {
        level: np.unique(taxonomy.ancestors[leaves, column], return_index=True)[1]
        for column, level in enumerate(LEVELS)
    }
