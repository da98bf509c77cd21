"""Assembly of texts, labels and frozen encodings from what earlier stages wrote."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from naics_embed.text.corpus import QuerySet, TextCorpus
from naics_embed.text.encoding import read_encoding
from naics_embed.text.tokens import TokenTable
from tasks.frames import frame_of, positions

BASELINE_CHANNELS = ('title', 'description')
"""Channels that baselines read, each text a row of its own."""


def corpus_of(
    tokens: Artifact, encoding: Artifact, channels: Artifact, names: Sequence[str]
) -> TextCorpus:
    """Read tokens, encodings and the named channels."""
    table = TokenTable.read(Path(tokens.path))
    embeddings, states = read_encoding(Path(encoding.path))
    frame = frame_of(channels)
    rows = np.full((len(frame), len(names)), -1, dtype=np.int64)
    # One look-up for all channels: each one hashes the texts of the whole table.
    present = frame.select(pl.col(names).is_not_null()).to_numpy().T
    rows.T[present] = table.rows(
        pl.concat([frame[name].alias('text') for name in names]).drop_nulls()
    )
    return TextCorpus(table, embeddings, states, rows)


def located(frame: pl.DataFrame, tokens: TokenTable, taxonomy: Taxonomy) -> pl.DataFrame:
    """Add ``row``, the index of a query's text in the tokens, and ``target``, that of its code."""
    return frame.with_columns(
        row=pl.Series(tokens.rows(frame['text'])),
        target=pl.Series(positions(frame['code'], taxonomy)),
    )


def as_queries(frame: pl.DataFrame) -> QuerySet:
    """Return the queries of a frame with ``row`` and ``target``."""
    return QuerySet(frame['row'].to_numpy(writable=True), frame['target'].to_numpy(writable=True))


def query_set(frame: pl.DataFrame, tokens: TokenTable, taxonomy: Taxonomy) -> QuerySet:
    """Look up texts and codes of a frame of queries."""
    return as_queries(located(frame, tokens, taxonomy))


def of_codes(frame: pl.DataFrame, taxonomy: Taxonomy, selected: np.ndarray) -> pl.DataFrame:
    """Keep the rows whose code is among ``selected``, bool ``(n,)``."""
    return frame.filter(pl.Series(selected[positions(frame['code'], taxonomy)]))


def leaf_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows labelled with a six-digit code."""
    return frame.filter(pl.col('code').str.len_chars() == LEAF_LEVEL)
