"""Coding of a partitioned data set: each partition exactly once, whatever is stopped or broken.

A partition's output is written to a temporary file and renamed; then its manifest is written, with
the checksums of input, bundle and output, and the settings. A partition whose manifest still
matches is not coded again; any other is. Readers of data sets ignore the folder of the manifests.
"""

import glob
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed import __version__
from naics_embed.artifacts import atomic_file, checksum, content_key, read_json, write_json
from naics_embed.bundle.storage import Bundle
from naics_embed.errors import ArtifactError, UserError
from naics_embed.search.bulk import check_some_readable, unreadable
from naics_embed.search.coded_columns import ColumnOptions, Remembered, code_texts
from naics_embed.search.coder import Coder
from naics_embed.search.partition_plan import Partition as Partition
from naics_embed.search.partition_plan import plan_partitions as plan_partitions
from naics_embed.search.partition_plan import stamp_of
from naics_embed.search.prior_column import PriorColumn, prior_cells, prior_of_table
from naics_embed.search.text_columns import (
    TextColumns,
    as_columns,
    check_text_columns,
    row_texts,
)
from naics_embed.tabular.open import ReadOptions, open_table
from naics_embed.tabular.parquet_types import check_parquet, parquet_schema
from naics_embed.tabular.write import METADATA, joined
from naics_embed.text.inference.precisions import FLOAT32

MANIFESTS = '_manifests'


@dataclass(frozen=True)
class PartitionSettings:
    """How rows are coded.

    Attributes:
        column: the column of descriptions, or several with their weights.
        level: digits of the best code.
        confidence: least probability of the confident code.
        part_rows: rows in memory at a time.
        precision: of the encoder; see `Coder.load`.
        columns: the columns that are added.
        reading: how the files are read.
        prior: a column with codes that rows have already; how far they are trusted is estimated
            for each partition.
    """

    column: TextColumns
    level: int | None
    confidence: float
    part_rows: int
    precision: str = FLOAT32
    columns: ColumnOptions = field(default_factory=ColumnOptions)
    reading: ReadOptions = field(default_factory=ReadOptions)
    prior: PriorColumn | None = None


@dataclass(frozen=True)
class PartitionReport:
    """The result of coding a partition.

    Attributes:
        name: the partition.
        kept: whether an earlier run had coded it.
        rows: rows read and written.
        bad: rows that cannot be read, with a reason in the column of errors.
        seconds: time that coding took, reading and writing included; 0 where kept.
        notes: what was detected or changed, a line each.
    """

    name: str
    kept: bool
    rows: int
    bad: int
    seconds: float
    notes: tuple[str, ...] = ()


def bundle_key(bundle: Bundle) -> str:
    """Return a hash of the content of a bundle's files."""
    return content_key(bundle.manifest['files'])


def code_partition(
    partition: Partition,
    out: Path,
    settings: PartitionSettings,
    bundle: str,
    load: Callable[[], Coder],
) -> PartitionReport:
    """Code a partition, unless it is coded already; the output is there whole or not at all.

    Args:
        partition: what to code.
        out: folder of the output.
        settings: how.
        bundle: `bundle_key` of the bundle that is to be used.
        load: returns the coder; called only where something is to be coded.

    Raises:
        UserError: the file cannot be read, or was changed meanwhile.
        ArtifactError: ``load`` returns a coder of another bundle.
    """
    if not partition.source.is_file():
        raise UserError(f'{partition.source} is gone')
    target, manifest = out / partition.name, manifest_of(out, partition.name)
    stamp = stamp_of(partition.source)
    if partition.sha256 is not None and stamp != partition.stamp:
        raise UserError(f'{partition.source} was changed while it was read; run again')
    sha256 = partition.sha256 or checksum(partition.source)[0]
    identity = _identity(partition, settings, sha256, bundle)
    kept = _kept(target, manifest, identity)
    if kept is not None:
        return PartitionReport(
            partition.name, True, kept['rows'], kept['bad'], 0.0, tuple(kept.get('notes', ()))
        )
    start = time.perf_counter()
    table = open_table(partition.source, settings.reading)
    check_text_columns(partition.source, as_columns(settings.column), table)
    if settings.prior is not None:
        settings.prior.check(partition.source, table)
    columns = settings.columns
    columns.check(partition.source, table.names)
    check_parquet(partition.source, table.empty().schema)
    coder = load()
    if bundle_key(coder.searcher.bundle) != bundle:
        raise ArtifactError(
            f'{coder.searcher.bundle.path} was exported again while it was in use; run again'
        )
    total = bad = 0
    remembered = Remembered()
    empty = table.empty()
    for one in columns.schema():
        empty = empty.append_column(one, pa.array([], one.type))
    provenance = coder.provenance
    prior = None
    if settings.prior is not None:
        texts_from = as_columns(settings.column)
        prior = prior_of_table(
            coder, table, texts_from, settings.prior, settings.part_rows, partition.span
        )
    kept_metadata = empty.schema.metadata or {}
    schema = parquet_schema(empty.schema).with_metadata(
        {**kept_metadata, METADATA: json.dumps(provenance.lasting()).encode()}
    )
    with atomic_file(target) as temporary:
        with pq.ParquetWriter(temporary, schema) as writer:
            for part in table.parts(settings.part_rows, partition.span):
                texts = row_texts(part, as_columns(settings.column))
                added = code_texts(
                    coder,
                    texts.main,
                    part.faults,
                    columns,
                    level=settings.level,
                    confidence=settings.confidence,
                    provenance=provenance.now(),
                    lighter=texts.lighter,
                    prior=prior_cells(prior, settings.prior, part),
                    remembered=remembered,
                )
                if not total:
                    check_some_readable(partition.source, added, columns)
                writer.write_table(joined(part, added).cast(schema))
                total += len(part)
                bad += unreadable(added, columns, part)
        if stamp_of(partition.source) != stamp:
            raise UserError(f'{partition.source} was changed while it was read; run again')
        digest, size = checksum(temporary)
    seconds = time.perf_counter() - start
    write_json(
        manifest,
        {
            **identity,
            'source': str(partition.source.resolve()),
            'output': {'sha256': digest, 'size': size},
            'rows': total,
            'bad': bad,
            'seconds': seconds,
            'part_rows': settings.part_rows,
            'notes': table.notes,
            'library_version': __version__,
        },
    )
    return PartitionReport(partition.name, False, total, bad, seconds, tuple(table.notes))


def manifest_of(out: Path, name: str) -> Path:
    """Return where the manifest of a partition lies."""
    return out / MANIFESTS / f'{name}.json'


def discard_temporary(out: Path, partitions: list[Partition]) -> None:
    """Remove the temporary files of killed processes; no other process may be writing."""
    for partition in partitions:
        for path in (out / partition.name, manifest_of(out, partition.name)):
            for left in path.parent.glob(f'.{glob.escape(path.name)}.*{path.suffix}'):
                left.unlink(missing_ok=True)


def _identity(
    partition: Partition, settings: PartitionSettings, sha256: str, bundle: str
) -> dict[str, Any]:
    """Return what must be the same for a partition to be kept."""
    return {
        'input': {
            'sha256': sha256,
            'span': None if partition.span is None else asdict(partition.span),
        },
        'bundle': bundle,
        'column': [[one.name, one.weight] for one in as_columns(settings.column)],
        **({} if settings.prior is None else {'prior': settings.prior.identity()}),
        'level': settings.level,
        'confidence': settings.confidence,
        'precision': settings.precision,
        'columns': {**asdict(settings.columns), 'columns': list(settings.columns.chosen)},
        'reading': asdict(settings.reading),
    }


def _kept(target: Path, manifest: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """Return the manifest of a partition that is coded already, or None."""
    if not (manifest.is_file() and target.is_file()):
        return None
    try:
        stored = read_json(manifest)
    except ArtifactError:
        return None
    if not isinstance(stored, dict) or {key: stored.get(key) for key in identity} != identity:
        return None
    digest, size = checksum(target)
    return stored if stored.get('output') == {'sha256': digest, 'size': size} else None
