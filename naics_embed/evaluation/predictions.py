"""The answers of a coder to held-out queries, one row a query."""

import numpy as np
import polars as pl
import torch

from naics_embed.evaluation.queries import HOLDOUT_PREFIX, PREFIXES, QueryGroup
from naics_embed.evidence.confidence import decisions
from naics_embed.taxonomy import LEVELS, Taxonomy

PREDICTION_SCHEMA = pl.Schema(
    {
        'split': pl.String(),
        'kind': pl.String(),
        'hidden': pl.Boolean(),
        'text': pl.String(),
        'code': pl.String(),
        'chosen': pl.String(),
        'rank': pl.Int32(),
        'probability': pl.Float64(),
        **{f'confidence_{level}': pl.Float64() for level in LEVELS},
        **{f'right_{level}': pl.Boolean() for level in LEVELS},
    }
)
"""``rank`` of the right code, 1 is best; ``probability`` of the right code; for each level the
probability of the best code there, and whether the right code lies below it. ``chosen`` is the best
six-digit code. ``hidden`` rows belong to codes that were hidden from training."""

KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}


def prediction_frame(
    group: QueryGroup, probabilities: np.ndarray, taxonomy: Taxonomy
) -> pl.DataFrame:
    """Return the answers to a group of queries of six-digit codes.

    Args:
        group: the queries.
        probabilities: float64 ``(q, leaves)``, six-digit codes in the order of the taxonomy.
        taxonomy: the tree.
    """
    truth = torch.searchsorted(group.candidates, group.target).numpy()
    of_truth = probabilities[np.arange(len(truth)), truth]
    by_level = decisions(probabilities, truth, taxonomy)
    leaves = group.candidates.numpy()
    kind = KINDS[group.prefix.removeprefix(HOLDOUT_PREFIX)]
    columns = {
        'split': [group.split] * len(truth),
        'kind': [kind] * len(truth),
        'hidden': [group.prefix.startswith(HOLDOUT_PREFIX)] * len(truth),
        'text': group.texts,
        'code': [taxonomy.codes[leaf] for leaf in leaves[truth]],
        'chosen': [taxonomy.codes[leaf] for leaf in leaves[probabilities.argmax(axis=1)]],
        'rank': (probabilities > of_truth[:, None]).sum(axis=1) + 1,
        'probability': of_truth,
        **{
            f'confidence_{level}': decision.confidence.numpy()
            for level, decision in by_level.items()
        },
        **{f'right_{level}': decision.correct.numpy() for level, decision in by_level.items()},
    }
    return pl.DataFrame(columns, schema=PREDICTION_SCHEMA)
