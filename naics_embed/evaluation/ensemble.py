"""A strong baseline: several baselines, weighed on validation queries."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from naics_embed.evaluation.queries import HOLDOUT_PREFIX, QueryGroup
from naics_embed.evidence.fusion import Fusion, fit_fusion
from naics_embed.evidence.gates import GATES
from naics_embed.evidence.settings import FusionSettings

MEMBERS = ('logistic_regression', 'neighbours', 'tfidf_svm', 'bm25')
"""Linear and nearest neighbours on frozen embeddings, linear and BM25 on words."""

FIT = FusionSettings(penalty=1e-3, iterations=100)


def ensemble(members: Mapping[str, np.ndarray], groups: Sequence[QueryGroup]) -> np.ndarray:
    """Score candidates by a weighted sum of the scores of the members.

    Four weights, the same for all queries and codes, are fitted by maximum likelihood on the
    validation queries; each group of them counts the same. Without validation queries the members
    count the same, each in units of its own standard deviation over codes.

    Args:
        members: name → float32 ``(q, m)``, the queries of all groups one after another. A candidate
            that a member cannot score (−inf) gets its lowest score of that query.
        groups: the groups, all ranking the same m candidates.

    Returns:
        float32 ``(q, m)``.
    """
    names = tuple(members)
    scores = np.stack([_finite(members[name]) for name in names], axis=-1)
    gates = np.zeros((len(scores), len(GATES)))
    gates[:, 0] = 1
    split = np.concatenate([[group.split] * len(group.texts) for group in groups])
    kind = np.concatenate(
        [[group.prefix.removeprefix(HOLDOUT_PREFIX)] * len(group.texts) for group in groups]
    )
    truth = np.concatenate(
        [torch.searchsorted(group.candidates, group.target).numpy() for group in groups]
    )
    chosen = split == 'validation'
    if chosen.any():
        fusion = fit_fusion(
            names, scores[chosen], gates[chosen], truth[chosen], kind[chosen].tolist(), FIT
        )
    else:
        spread = scores.std(axis=1, dtype=np.float64).mean(axis=0)
        weights = np.zeros((len(GATES), len(names)))
        weights[0] = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        fusion = Fusion(names, weights, spread)
    return (scores @ fusion.weights[0].astype(np.float32)).astype(np.float32)


def _finite(scores: np.ndarray) -> np.ndarray:
    finite = np.isfinite(scores)
    lowest = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    return np.where(finite, scores, np.where(np.isfinite(lowest), lowest, 0.0)).astype(np.float32)
