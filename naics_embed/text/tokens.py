"""The token cache: every text tokenised once, unpadded."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from naics_embed.artifacts import atomic_file
from naics_embed.errors import ArtifactError

SCHEMA = pa.schema([('text', pa.string()), ('input_ids', pa.list_(pa.int32()))])
GROUP = 65_536
"""Texts of a row group, which is what reading holds at a time."""


class TokenTable:
    """Texts and their token ids.

    Texts stay an Arrow column and are looked up as one: most readers want the rows of a few of them
    and need no string object of each.

    Attributes:
        offsets: int64 ``(n + 1,)``, where each text begins in ``ids``.
        lengths: int64 ``(n,)``, tokens of each text.
    """

    def __init__(
        self,
        texts: pa.LargeStringArray,
        ids: np.ndarray | Callable[[], np.ndarray],
        offsets: np.ndarray,
    ) -> None:
        """Collect the columns.

        Args:
            texts: the n distinct texts.
            ids: int32 ``(tokens,)``, or a function that reads them when they are first needed.
            offsets: int64 ``(n + 1,)``.
        """
        self.offsets = offsets
        self.lengths = np.diff(offsets)
        self._texts = texts
        self._ids = ids

    def __len__(self) -> int:
        return len(self._texts)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The distinct texts, in order of first appearance."""
        return tuple(self._texts.to_pylist())

    @cached_property
    def ids(self) -> np.ndarray:
        """int32 ``(tokens,)``: ids of all texts end to end, special tokens included."""
        return self._ids() if callable(self._ids) else self._ids

    def rows(self, texts: Sequence[str] | pl.Series) -> np.ndarray:
        """Return the row of each text as int64. Raises ArtifactError for an unknown text."""
        requested = texts.to_arrow() if isinstance(texts, pl.Series) else _column(texts)
        requested = requested.cast(pa.large_string())
        rows = pc.index_in(requested, value_set=self._texts)
        if rows.null_count:
            missing = requested[pc.index(rows.is_null(), True).as_py()].as_py()
            raise ArtifactError(
                f'text {missing!r} is not in the token cache; run the tokens stage again'
            )
        return pl.Series(rows).to_numpy().astype(np.int64)

    def padded(self, rows: np.ndarray, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return ids and mask of some texts, padded to the longest of them.

        Args:
            rows: int ``(b,)``.
            limit: keep at most this many tokens of each text.

        Returns:
            int64 ``(b, longest)`` token ids (0 where padded) and bool mask of the same shape.
        """
        lengths = self.lengths[rows] if limit is None else np.minimum(self.lengths[rows], limit)
        columns = np.arange(int(lengths.max()))
        mask = columns[None, :] < lengths[:, None]
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = self.ids[(self.offsets[rows][:, None] + columns[None, :])[mask]]
        return ids, mask

    @classmethod
    def build(cls, texts: Sequence[str], tokenizer: Tokenizer) -> 'TokenTable':
        """Tokenise the distinct texts among ``texts``."""
        distinct = list(dict.fromkeys(texts))
        lists = [encoding.ids for encoding in tokenizer.encode_batch_fast(distinct)]
        offsets = _ends([len(ids) for ids in lists])
        flat = np.fromiter((i for ids in lists for i in ids), dtype=np.int32, count=offsets[-1])
        return cls(_column(distinct), flat, offsets)

    def write(self, path: Path) -> None:
        """Write the table as parquet: ``text`` string, ``input_ids`` list of int32."""
        with (
            atomic_file(path) as temporary,
            pq.ParquetWriter(temporary, SCHEMA, compression='zstd') as writer,
        ):
            for start in range(0, max(1, len(self)), GROUP):
                texts = self._texts[start : start + GROUP].cast(pa.string())
                ends = self.offsets[start : start + len(texts) + 1]
                lists = pa.ListArray.from_arrays(
                    pa.array(ends - ends[0], pa.int32()), pa.array(self.ids[ends[0] : ends[-1]])
                )
                writer.write_table(pa.table([texts, lists], schema=SCHEMA))

    @classmethod
    def read(cls, path: Path) -> 'TokenTable':
        """Read what `write` wrote: texts and lengths, row group by row group.

        The ids themselves are read when they are first needed; a training that uses hidden states
        never reads them. Raises ArtifactError for another schema.
        """
        file = pq.ParquetFile(path)
        if file.schema_arrow.names != SCHEMA.names:
            raise ArtifactError(f'{path} is no token cache: columns {file.schema_arrow.names}')
        texts, lengths = [], []
        for part in file.iter_batches(GROUP):
            texts.append(part.column('text').cast(pa.large_string()))
            lengths.append(pc.list_value_length(part.column('input_ids')).to_numpy())
        return cls(
            pa.chunked_array(texts, pa.large_string()).combine_chunks(),
            partial(_read_ids, path),
            _ends(np.concatenate([np.empty(0, np.int64), *lengths])),
        )


def _column(texts: Sequence[str]) -> pa.LargeStringArray:
    """Return texts as a column; `pyarrow.array` would load pandas, a sixth of a first answer."""
    return pl.Series(texts, dtype=pl.String).to_arrow().cast(pa.large_string())


def _ends(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return 0 and the running total of lengths, int64 ``(n + 1,)``."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _read_ids(path: Path) -> np.ndarray:
    file = pq.ParquetFile(path)
    parts = file.iter_batches(GROUP, columns=['input_ids'])
    flat = [part.column('input_ids').flatten().to_numpy() for part in parts]
    return np.concatenate([np.empty(0, np.int32), *flat])


def load_tokenizer(folder: Path, window: int) -> Tokenizer:
    """Load ``tokenizer.json``, truncating at ``window`` tokens and never padding."""
    tokenizer = Tokenizer.from_file(str(folder / 'tokenizer.json'))
    tokenizer.enable_truncation(window)
    tokenizer.no_padding()
    return tokenizer


def length_parts(lengths: np.ndarray, cost: int) -> list[np.ndarray]:
    """Split texts into parts that are padded apart, so that computing them is cheapest.

    Minimises padded tokens plus ``cost`` for each part, exactly: in order of length, by dynamic
    programming over the distinct lengths.

    Args:
        lengths: int ``(n,)`` tokens of each text.
        cost: what a part costs beside its padded tokens, in tokens.

    Returns:
        positions of the texts of each part, shorter texts first; together each text once.
    """
    order = np.argsort(lengths, kind='stable')
    distinct, first = np.unique(lengths[order], return_index=True)
    start = np.append(first, len(order))
    best = np.zeros(len(distinct) + 1)
    cut = np.zeros(len(distinct) + 1, dtype=np.int64)
    for end in range(1, len(distinct) + 1):
        total = best[:end] + (start[end] - start[:end]) * distinct[end - 1] + cost
        cut[end] = int(total.argmin())
        best[end] = total[cut[end]]
    parts = []
    end = len(distinct)
    while end:
        parts.append(order[start[cut[end]] : start[end]])
        end = int(cut[end])
    return parts[::-1]


def length_batches(lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Yield positions in batches of similar length, longest first.

    Args:
        lengths: int ``(n,)`` tokens of each text.
        batch_tokens: most tokens of a padded batch; a longer text makes a batch of its own.
    """
    order = np.argsort(-lengths, kind='stable')
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // int(max(lengths[order[start]], 1)))
        yield order[start : start + size]
        start += size
