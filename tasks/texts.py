"""Assembly of texts, labels and frozen encodings from what earlier stages wrote."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.corpus import QuerySet, TextCorpus
from naics_embed.text.encoding import read_encoding
from naics_embed.text.tokens import TokenTable
from tasks.frames import frame_of

LEAF_LEVEL = 6


def corpus_of(inputs: dict[str, Artifact], channels: Sequence[str]) -> TextCorpus:
    """Read tokens, encodings and the chosen channels."""
    tokens = TokenTable.read(Path(inputs['tokens'].path))
    embeddings, states = read_encoding(Path(inputs['encoding'].path))
    frame = frame_of(inputs['channels'])
    rows = np.full((len(frame), len(channels)), -1, dtype=np.int64)
    for column, channel in enumerate(channels):
        present = frame[channel].is_not_null().to_numpy()
        rows[present, column] = tokens.rows(frame[channel].drop_nulls().to_list())
    return TextCorpus(tokens, embeddings, states, rows)


def query_set(frame: pl.DataFrame, tokens: TokenTable, taxonomy: Taxonomy) -> QuerySet:
    """Look up texts and codes of a frame of queries."""
    return QuerySet(tokens.rows(frame['text'].to_list()), taxonomy.indices(frame['code'].to_list()))


def of_codes(frame: pl.DataFrame, taxonomy: Taxonomy, chosen: np.ndarray) -> pl.DataFrame:
    """Keep the rows whose code is among ``chosen``, bool ``(n,)``."""
    return frame.filter(pl.Series(chosen[taxonomy.indices(frame['code'].to_list())]))


def leaf_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows labelled with a six-digit code."""
    return frame.filter(pl.col('code').str.len_chars() == LEAF_LEVEL)
