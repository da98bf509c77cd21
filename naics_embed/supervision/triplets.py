"""Training triplets on disk: sampled anchor by anchor, written and read in small pieces.

A directory of triplets holds

- ``triplets/anchor_level=L/part-0.parquet`` for the levels L = 2 … 6, in many row groups. Columns:
  ``anchor, positive, negative`` (Int16 positions), ``code_anchor, code_positive, code_negative``
  (Enum of the codes), ``distance_positive, distance_negative`` (UInt8, D*), ``margin`` (Float32),
  ``positive_relation, negative_relation`` (UInt8 relation ids), ``positive_mark`` (UInt8: 1 lineal,
  2 redirect, 3 both) and ``negative_kind`` (Enum);
- ``marked_pairs.parquet``: the lineal and redirecting pairs, none of which is ever a negative;
- ``summary.json``: settings and counts.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed.artifacts import atomic_directory, write_json
from naics_embed.errors import ArtifactError
from naics_embed.supervision.marks import marked_pairs, pair_marks
from naics_embed.supervision.pairs import code_column, enum_column
from naics_embed.supervision.relations import relation_names
from naics_embed.supervision.sampling import (
    NEGATIVE_KINDS,
    Triplets,
    TripletSettings,
    sample_anchor,
)
from naics_embed.taxonomy import LEVELS, Taxonomy

__all__ = ['NEGATIVE_KINDS', 'TripletSettings', 'Triplets', 'iterate_triplets', 'write_triplets']

MARKED_PAIRS = 'marked_pairs.parquet'
SUMMARY = 'summary.json'
TRIPLETS = 'triplets'

log = logging.getLogger(__name__)


def write_triplets(
    taxonomy: Taxonomy,
    redirect_pairs: np.ndarray | set[tuple[int, int]],
    hidden: np.ndarray,
    settings: TripletSettings,
    directory: Path,
) -> dict[str, int]:
    """Sample triplets and write them, replacing ``directory`` only when all is written.

    Memory holds one row group of triplets and a few ``(n, n)`` tables of bytes.

    Args:
        taxonomy: the tree.
        redirect_pairs: positions ``(m, 2)`` of codes joined by a cross-reference, any direction.
        hidden: bool ``(n,)``, codes that must not occur in any triplet.
        settings: counts, margin, seed.
        directory: where to write; the layout is described above.

    Returns:
        Triplets by kind of negative, in the order of `NEGATIVE_KINDS`.

    Raises:
        ValueError: ``hidden`` or ``redirect_pairs`` do not fit the taxonomy.
    """
    if hidden.shape != (len(taxonomy),) or hidden.dtype != np.bool_:
        raise ValueError(
            f'hidden must be bool ({len(taxonomy)},), not {hidden.dtype} {hidden.shape}'
        )
    marks = pair_marks(taxonomy, redirect_pairs)
    visible = ~hidden
    by_kind = np.zeros(len(NEGATIVE_KINDS), dtype=np.int64)
    by_positive = np.zeros(len(relation_names()), dtype=np.int64)
    by_level: dict[str, int] = {}
    schema = _frame(Triplets.empty(), taxonomy).to_arrow().schema
    with atomic_directory(directory) as temporary:
        for level in LEVELS:
            anchors = taxonomy.at_level(level)
            anchors = anchors[visible[anchors]]
            order = np.random.default_rng([settings.seed, level]).permutation(anchors)
            part = temporary / TRIPLETS / f'anchor_level={level}' / 'part-0.parquet'
            samples = (sample_anchor(taxonomy, a, marks, visible, settings) for a in order)
            by_level[str(level)] = 0
            part.parent.mkdir(parents=True)
            with pq.ParquetWriter(part, schema, compression='zstd') as writer:
                for group in _groups(samples, settings, level):
                    writer.write_table(
                        _frame(group, taxonomy).to_arrow(), row_group_size=settings.group_rows
                    )
                    by_kind += np.bincount(group.negative_kind, minlength=len(by_kind))
                    by_positive += np.bincount(group.positive_relation, minlength=len(by_positive))
                    by_level[str(level)] += len(group)
        marked_pairs(taxonomy, redirect_pairs).write_parquet(temporary / MARKED_PAIRS)
        counts = {kind: int(count) for kind, count in zip(NEGATIVE_KINDS, by_kind, strict=True)}
        summary = {
            'settings': asdict(settings),
            'triplets': sum(counts.values()),
            'by_anchor_level': by_level,
            'by_negative_kind': counts,
            'by_positive_relation': _by_name(by_positive),
        }
        write_json(temporary / SUMMARY, summary)
    log.info('%s triplets', f'{sum(counts.values()):,}')
    return counts


def iterate_triplets(
    directory: Path,
    batch_size: int,
    *,
    levels: Iterable[int] = LEVELS,
    seed: int | None = None,
    buffer_groups: int = 8,
) -> Iterator[Triplets]:
    """Stream triplets in batches, holding at most ``buffer_groups`` row groups in memory.

    Args:
        directory: directory that `write_triplets` wrote.
        batch_size: triplets a batch; the last batch may be smaller.
        levels: levels of the anchors.
        seed: None gives the stored order, level by level. Otherwise the row groups of all levels
            are visited in a random order and shuffled together, ``buffer_groups`` at a time; give
            another seed each epoch.
        buffer_groups: row groups shuffled together.

    Yields:
        Triplets as numpy columns; every stored triplet of those levels occurs once.

    Raises:
        ArtifactError: the directory holds no triplets, or those of a level are missing.
        ValueError: ``batch_size`` or ``buffer_groups`` is not positive.
    """
    if batch_size < 1 or buffer_groups < 1:
        raise ValueError(
            f'batch_size and buffer_groups must be positive, not {batch_size} and {buffer_groups}'
        )
    return _iterate(_row_groups(directory, levels), batch_size, seed, buffer_groups)


def _iterate(
    groups: list[tuple[Path, int]], batch_size: int, seed: int | None, buffer_groups: int
) -> Iterator[Triplets]:
    rng = None if seed is None else np.random.default_rng(seed)
    if rng is not None:
        groups = [groups[i] for i in rng.permutation(len(groups))]
    step = 1 if rng is None else buffer_groups
    rest: list[Triplets] = []
    for start in range(0, len(groups), step):
        loaded = [_read_group(path, number) for path, number in groups[start : start + step]]
        held = Triplets.concatenate([*rest, *loaded])
        if rng is not None:
            held = held.take(rng.permutation(len(held)))
        whole = len(held) - len(held) % batch_size
        for first in range(0, whole, batch_size):
            yield held.take(slice(first, first + batch_size))
        rest = [held.take(slice(whole, None))]
    if rest and len(rest[0]):
        yield rest[0]


def _row_groups(directory: Path, levels: Iterable[int]) -> list[tuple[Path, int]]:
    groups: list[tuple[Path, int]] = []
    for level in levels:
        part = directory / TRIPLETS / f'anchor_level={level}' / 'part-0.parquet'
        if not part.is_file():
            raise ArtifactError(f'{part} does not exist; run the triplets stage to write it')
        try:
            count = pq.read_metadata(part).num_row_groups
        except pa.ArrowInvalid as error:
            raise ArtifactError(f'{part} is damaged ({error}); run the triplets stage') from error
        groups.extend((part, number) for number in range(count))
    return groups


def _read_group(path: Path, number: int) -> Triplets:
    names = [field.name for field in fields(Triplets)]
    with pq.ParquetFile(path) as file:
        table = file.read_row_group(number, columns=names)
    columns: dict[str, np.ndarray] = {}
    for name in names:
        column = table.column(name).combine_chunks()
        if isinstance(column, pa.DictionaryArray):
            kinds = [NEGATIVE_KINDS.index(kind) for kind in column.dictionary.to_pylist()]
            columns[name] = np.array(kinds, dtype=np.uint8)[column.indices.to_numpy()]
        else:
            columns[name] = column.to_numpy()
    return Triplets(**columns)


def _groups(
    samples: Iterable[Triplets], settings: TripletSettings, level: int
) -> Iterator[Triplets]:
    """Gather triplets into row groups and shuffle each, so that a batch mixes anchors."""
    rng = np.random.default_rng([settings.seed, level, settings.group_rows])
    held: list[Triplets] = []
    rows = 0
    for sample in samples:
        held.append(sample)
        rows += len(sample)
        while rows >= settings.group_rows:
            joined = Triplets.concatenate(held)
            group = joined.take(slice(settings.group_rows))
            yield group.take(rng.permutation(len(group)))
            held = [joined.take(slice(settings.group_rows, None))]
            rows = len(held[0])
    if rows:
        joined = Triplets.concatenate(held)
        yield joined.take(rng.permutation(len(joined)))


def _frame(group: Triplets, taxonomy: Taxonomy) -> pl.DataFrame:
    columns: list[pl.Series] = []
    for field in fields(Triplets):
        values: np.ndarray = getattr(group, field.name)
        if field.name == 'negative_kind':
            columns.append(enum_column(field.name, values, NEGATIVE_KINDS))
            continue
        columns.append(pl.Series(field.name, values))
        if field.name in ('anchor', 'positive', 'negative'):
            columns.append(code_column(f'code_{field.name}', values, taxonomy))
    return pl.DataFrame(columns)


def _by_name(by_relation: np.ndarray) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, count in zip(relation_names(), by_relation.tolist(), strict=True):
        if count:
            counts[name] = counts.get(name, 0) + count
    return counts
