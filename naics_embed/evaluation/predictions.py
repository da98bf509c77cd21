"""What a coder answered to each held-out query, one row a query."""

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
six-digit code. ``hidden`` rows belong to codes whose place was hidden from training."""

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
    own = probabilities[np.arange(len(truth)), truth]
    decided = decisions(probabilities, truth, taxonomy)
    leaves = group.candidates.numpy()
    kind = KINDS[group.prefix.removeprefix(HOLDOUT_PREFIX)]
    columns = {
        'split': [group.split] * len(truth),
        'kind': [kind] * len(truth),
        'hidden': [group.prefix.startswith(HOLDOUT_PREFIX)] * len(truth),
        'text': group.texts,
        'code': [taxonomy.codes[leaf] for leaf in leaves[truth]],
        'chosen': [taxonomy.codes[leaf] for leaf in leaves[probabilities.argmax(axis=1)]],
        'rank': (probabilities > own[:, None]).sum(axis=1) + 1,
        'probability': own,
        **{f'confidence_{level}': found.confidence.numpy() for level, found in decided.items()},
        **{f'right_{level}': found.correct.numpy() for level, found in decided.items()},
    }
    return pl.DataFrame(columns, schema=PREDICTION_SCHEMA)
