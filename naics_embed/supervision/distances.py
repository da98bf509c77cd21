"""The tree metric D* of every pair of codes."""

from pathlib import Path

import polars as pl

from naics_embed.artifacts import atomic_file
from naics_embed.supervision.pairs import pair_columns, unordered_pairs
from naics_embed.taxonomy import Taxonomy


def distances(taxonomy: Taxonomy) -> pl.DataFrame:
    """Return D* of every unordered pair, n(n−1)/2 rows.

    D* counts the edges between two codes in the tree with a virtual root above the sectors, so it
    is a metric, with values 1 … 10.

    Columns: ``i`` < ``j`` (Int16, positions), ``code_i``, ``code_j`` (Enum of the codes in tree
    order) and ``distance`` (UInt8).

    Raises:
        ValueError: there are more codes than int16 can number.
    """
    i, j = unordered_pairs(len(taxonomy))
    edges = pl.Series('distance', taxonomy.tree_distance[i, j])
    return pl.DataFrame([*pair_columns(i, j, taxonomy), edges])


def write_distances(taxonomy: Taxonomy, path: Path) -> int:
    """Write `distances` as parquet, whole or not at all, and return the number of rows."""
    frame = distances(taxonomy)
    with atomic_file(path) as temporary:
        frame.write_parquet(temporary, compression='zstd')
    return frame.height
