"""The token cache: every text tokenised once, unpadded."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from naics_embed.artifacts import atomic_file
from naics_embed.errors import ArtifactError

SCHEMA = pa.schema([('text', pa.string()), ('input_ids', pa.list_(pa.int32()))])


class TokenTable:
    """Texts and their token ids, as flat arrays.

    Attributes:
        texts: the distinct texts, in order of first appearance.
        ids: int32 ``(tokens,)``, ids of all texts end to end, special tokens included.
        offsets: int64 ``(len(texts) + 1,)``, where each text begins in ``ids``.
    """

    def __init__(self, texts: Sequence[str], ids: np.ndarray, offsets: np.ndarray) -> None:
        self.texts = tuple(texts)
        self.ids = ids
        self.offsets = offsets
        self._row = {text: row for row, text in enumerate(self.texts)}

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def lengths(self) -> np.ndarray:
        """int64 ``(n,)``: tokens of each text."""
        return np.diff(self.offsets)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """Return the row of each text as int64. Raises ArtifactError for an unknown text."""
        try:
            return np.array([self._row[text] for text in texts], dtype=np.int64)
        except KeyError as error:
            raise ArtifactError(
                f'text {error.args[0]!r} is not in the token cache; run the tokens stage again'
            ) from error

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
        offsets = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum([len(ids) for ids in lists], out=offsets[1:])
        flat = np.fromiter((i for ids in lists for i in ids), dtype=np.int32, count=offsets[-1])
        return cls(distinct, flat, offsets)

    def write(self, path: Path) -> None:
        """Write the table as parquet: ``text`` string, ``input_ids`` list of int32."""
        lists = pa.ListArray.from_arrays(pa.array(self.offsets, pa.int32()), pa.array(self.ids))
        table = pa.table([pa.array(self.texts, pa.string()), lists], schema=SCHEMA)
        with atomic_file(path) as temporary:
            pq.write_table(table, temporary, compression='zstd')

    @classmethod
    def read(cls, path: Path) -> 'TokenTable':
        """Read what `write` wrote. Raises ArtifactError for another schema."""
        table = pq.read_table(path)
        if table.schema.names != SCHEMA.names:
            raise ArtifactError(f'{path} is no token cache: columns {table.schema.names}')
        lists = table.column('input_ids').combine_chunks()
        offsets = lists.offsets.to_numpy().astype(np.int64)
        return cls(table.column('text').to_pylist(), lists.values.to_numpy(), offsets)


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
