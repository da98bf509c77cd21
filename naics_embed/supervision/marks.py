"""Pairs of codes that must never be pushed apart.

An ancestor is not the opposite of its descendant. And a cross-reference between two codes means
that an activity moves from one to the other, not that they are far apart: 474 of the 2,394
sibling pairs are such pairs.
"""

import numpy as np
import polars as pl

from naics_embed.supervision.pairs import pair_columns
from naics_embed.taxonomy import Taxonomy

LINEAL = 1
REDIRECT = 2


def pair_marks(taxonomy: Taxonomy, redirect_pairs: np.ndarray | set[tuple[int, int]]) -> np.ndarray:
    """Return a symmetric uint8 ``(n, n)`` table of marks, the sum of `LINEAL` and `REDIRECT`.

    Args:
        taxonomy: the tree.
        redirect_pairs: positions ``(m, 2)`` of codes joined by a cross-reference, in any
            direction and order; repeats are allowed, a pair of equal codes is ignored.

    Raises:
        ValueError: the pairs have another shape, or a position is not one of the taxonomy.
    """
    n = len(taxonomy)
    pairs = np.array(sorted(redirect_pairs) if isinstance(redirect_pairs, set) else redirect_pairs)
    if pairs.size == 0:
        pairs = np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.issubdtype(pairs.dtype, np.integer):
        raise ValueError(f'redirect pairs must be integers (m, 2), not {pairs.dtype} {pairs.shape}')
    if pairs.size and (pairs.min() < 0 or pairs.max() >= n):
        raise ValueError(f'redirect pairs must hold positions 0 … {n - 1}')
    level = taxonomy.level
    marks = np.where(
        taxonomy.lca_level == np.minimum(level[:, None], level[None, :]), LINEAL, 0
    ).astype(np.uint8)
    first, second = pairs[:, 0], pairs[:, 1]
    marks[first, second] |= REDIRECT
    marks[second, first] |= REDIRECT
    np.fill_diagonal(marks, 0)
    return marks


def marked_pairs(
    taxonomy: Taxonomy, redirect_pairs: np.ndarray | set[tuple[int, int]]
) -> pl.DataFrame:
    """Return the marked unordered pairs.

    Columns: ``i`` < ``j`` (Int16), ``code_i``, ``code_j`` (Enum), ``lineal``, ``redirect``
    (Boolean, at least one of them true).

    Raises:
        ValueError: like `pair_marks`.
    """
    marks = pair_marks(taxonomy, redirect_pairs)
    i, j = np.nonzero(np.triu(marks))
    kinds = marks[i, j]
    return pl.DataFrame(
        [
            *pair_columns(i, j, taxonomy),
            pl.Series('lineal', (kinds & LINEAL) > 0),
            pl.Series('redirect', (kinds & REDIRECT) > 0),
        ]
    )
