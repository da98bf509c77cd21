"""The unordered pairs of codes, as columns."""

import numpy as np
import polars as pl

from naics_embed.taxonomy import Taxonomy


def unordered_pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return int16 ``(n(n−1)/2,)`` arrays i < j that list every pair once, by i, then j.

    Raises:
        ValueError: ``n`` positions do not fit into int16.
    """
    if n > np.iinfo(np.int16).max:
        raise ValueError(f'{n} codes: positions of pairs are stored as int16')
    i, j = np.triu_indices(n, k=1)
    return i.astype(np.int16), j.astype(np.int16)


def code_column(name: str, positions: np.ndarray, taxonomy: Taxonomy) -> pl.Series:
    """Return codes as an Enum column, two bytes a row and a dictionary in parquet.

    Args:
        name: name of the column.
        positions: integers ``(m,)``, positions in ``taxonomy.codes``.
        taxonomy: the codes; they are the categories, in their order.
    """
    return enum_column(name, positions.astype(np.uint16), taxonomy.codes)


def enum_column(name: str, ids: np.ndarray, categories: tuple[str, ...]) -> pl.Series:
    """Return ``categories[ids]`` as an Enum column; ``ids`` is uint8 or uint16 ``(m,)``."""
    smallest = np.uint8 if len(categories) < np.iinfo(np.uint8).max else np.uint16
    return pl.Series(name, ids.astype(smallest)).cat.to(pl.Enum(categories))


def pair_columns(i: np.ndarray, j: np.ndarray, taxonomy: Taxonomy) -> list[pl.Series]:
    """Return the columns ``i, j`` (Int16) and ``code_i, code_j`` (Enum) of some pairs."""
    return [
        pl.Series('i', i.astype(np.int16)),
        pl.Series('j', j.astype(np.int16)),
        code_column('code_i', i, taxonomy),
        code_column('code_j', j, taxonomy),
    ]
