"""The files of the data stages, read together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from naics_embed.supervision.triplets import TRIPLETS


@dataclass(frozen=True)
class DataFiles:
    """The files of the data stages, read.

    Attributes:
        codebook: ``code, level, title, description, description_origin, excluded`` and more.
        distances: ``i, j, distance`` of every unordered pair.
        relations: ``i, j, relation, relation_id`` of every unordered pair.
        triplets: ``anchor, positive, negative, distance_positive, distance_negative, margin``.
        redirections: ``code, phrase, targets, lineal, same_code``; no rows without a workbook.
        entries: index entries, ``code, text, role``; no rows without a workbook.
        queries: labelled texts, ``text, code, kind, split``.
        holdout: ``code, split``.
    """

    codebook: pl.DataFrame
    distances: pl.DataFrame
    relations: pl.DataFrame
    triplets: pl.DataFrame
    redirections: pl.DataFrame
    entries: pl.DataFrame
    queries: pl.DataFrame
    holdout: pl.DataFrame

    @classmethod
    def read(cls, paths: Mapping[str, Path]) -> 'DataFiles':
        """Read the files.

        Args:
            paths: the parquet files by the names of the stages' outputs: ``codebook``,
                ``distances``, ``relations``, ``redirections``, ``index_entries``, ``queries``,
                ``structure_holdout``; and the directory ``triplets``.
        """
        return cls(
            codebook=pl.read_parquet(paths['codebook']),
            distances=pl.read_parquet(paths['distances']),
            relations=pl.read_parquet(paths['relations']),
            triplets=pl.read_parquet(paths['triplets'] / TRIPLETS / '*' / '*.parquet'),
            redirections=pl.read_parquet(paths['redirections']),
            entries=pl.read_parquet(paths['index_entries']),
            queries=pl.read_parquet(paths['queries']),
            holdout=pl.read_parquet(paths['structure_holdout']),
        )
