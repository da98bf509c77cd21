"""Coding of a partitioned data set: each partition exactly once, whatever is stopped or broken.

A partition's output is written to a temporary file and renamed; then its manifest is written, with
the checksums of input, bundle and output, and the settings. A partition whose manifest still
matches is not coded again; any other is. Readers of data sets ignore the folder of the manifests.
"""

import glob
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed import __version__
from naics_embed.artifacts import atomic_file, checksum, content_key, read_json, write_json
from naics_embed.bundle.storage import Bundle
from naics_embed.errors import ArtifactError, UserError
from naics_embed.search.bulk import (
    check_some_readable,
    check_text_type,
    provenance_of,
    texts_of,
)
from naics_embed.search.coded_columns import ColumnOptions, code_texts
from naics_embed.search.coder import Coder
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.open import READABLE, open_table
from naics_embed.tabular.part import Span
from naics_embed.tabular.streams import format_of
from naics_embed.tabular.write import METADATA, joined
from naics_embed.text.inference.precisions import FLOAT32

MANIFESTS = '_manifests'
HIDDEN = ('.', '_')
WILD = frozenset('*?[')
PARTITIONED = tuple(ending for ending in READABLE if ending != '.txt')
"""Formats of the files of a data set."""


@dataclass(frozen=True)
class Partition:
    """A part of the input that is coded as one.

    Attributes:
        name: path of the output, relative to its folder.
        source: csv or parquet file.
        span: rows of the file; all where None.
        sha256: checksum of the file, where it was planned with one.
        stamp: size and time of change that went with the checksum.
    """

    name: str
    source: Path
    span: Span | None = None
    sha256: str | None = None
    stamp: tuple[int, int] | None = None


@dataclass(frozen=True)
class PartitionSettings:
    """How rows are coded.

    Attributes:
        column: the column of descriptions.
        level: digits of the best code.
        confidence: least probability of the confident code.
        part_rows: rows in memory at a time.
        precision: of the encoder; see `Coder.load`.
    """

    column: str
    level: int
    confidence: float
    part_rows: int
    precision: str = FLOAT32


@dataclass(frozen=True)
class PartitionReport:
    """The result of coding a partition.

    Attributes:
        name: the partition.
        kept: whether an earlier run had coded it.
        rows: rows read and written.
        bad: rows with a reason in ``naics_error``.
        seconds: time that coding took, reading and writing included; 0 where kept.
    """

    name: str
    kept: bool
    rows: int
    bad: int
    seconds: float


def bundle_key(bundle: Bundle) -> str:
    """Return a hash of the content of a bundle's files."""
    return content_key(bundle.manifest['files'])


def plan_partitions(source: str, out: Path, rows: int) -> list[Partition]:
    """Divide the input: a partition a file of a folder or glob, or spans of a single file.

    Files and folders whose names begin with a dot or an underscore are passed over.

    Args:
        source: a folder, a file, or a pattern such as ``in/*/part-*.parquet``.
        out: folder to write; it keeps the folders below the input's.
        rows: rows of a partition of a single file.

    Raises:
        UserError: there is no input, two files have one name, or ``out`` is the input's folder,
            would write over the input, or holds parquet files that are no partition of it.
    """
    wild = bool(WILD & set(source)) and not Path(source).exists()
    if not wild and Path(source).is_file():
        partitions = _spans(Path(source), rows)
    else:
        base = _base(source) if wild else Path(source)
        if not base.is_dir():
            raise UserError(f'{source} does not exist: give a folder, a file, or a pattern')
        pattern = str(Path(source).relative_to(base)) if wild else '**/*'
        files = sorted(path for path in base.glob(pattern) if _is_data(path, base))
        if not files:
            raise UserError(f'{source} has no file in a format that is read, such as .csv')
        partitions = [
            Partition(path.relative_to(base).with_suffix('.parquet').as_posix(), path)
            for path in files
        ]
        if out.resolve().is_relative_to(base.resolve()):
            raise UserError(f'{out} lies in the folder of the input; name one outside {base}')
    if out.exists() and not out.is_dir():
        raise UserError(f'{out} is no folder')
    _check_out(out, partitions)
    return partitions


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
    stamp = _stamp(partition.source)
    if partition.sha256 is not None and stamp != partition.stamp:
        raise UserError(f'{partition.source} was changed while it was read; run again')
    sha256 = partition.sha256 or checksum(partition.source)[0]
    identity = _identity(partition, settings, sha256, bundle)
    kept = _kept(target, manifest, identity)
    if kept is not None:
        return PartitionReport(partition.name, True, kept['rows'], kept['bad'], 0.0)
    start = time.perf_counter()
    table = open_table(partition.source)
    check_text_column(partition.source, settings.column, table.names, table.original)
    check_text_type(partition.source, settings.column, table)
    columns = ColumnOptions()
    columns.check(partition.source, table.names)
    coder = load()
    if bundle_key(coder.searcher.bundle) != bundle:
        raise ArtifactError(
            f'{coder.searcher.bundle.path} was exported again while it was in use; run again'
        )
    total = bad = 0
    empty = table.empty()
    for one in columns.schema():
        empty = empty.append_column(one, pa.array([], one.type))
    provenance = provenance_of(coder)
    kept_metadata = empty.schema.metadata or {}
    schema = empty.schema.with_metadata(
        {**kept_metadata, METADATA: json.dumps(provenance).encode()}
    )
    with atomic_file(target) as temporary:
        with pq.ParquetWriter(temporary, schema) as writer:
            for part in table.parts(settings.part_rows, partition.span):
                added = code_texts(
                    coder,
                    texts_of(part, settings.column),
                    part.faults,
                    columns,
                    level=settings.level,
                    confidence=settings.confidence,
                    provenance=provenance,
                )
                if not total:
                    check_some_readable(partition.source, added, columns)
                writer.write_table(joined(part, added).cast(schema))
                total += len(part)
                bad += len(added) - added.column('naics_error').null_count
        if _stamp(partition.source) != stamp:
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
            'library_version': __version__,
        },
    )
    return PartitionReport(partition.name, False, total, bad, seconds)


def manifest_of(out: Path, name: str) -> Path:
    """Return where the manifest of a partition lies."""
    return out / MANIFESTS / f'{name}.json'


def discard_temporary(out: Path, partitions: list[Partition]) -> None:
    """Remove the temporary files of killed processes; no other process may be writing."""
    for partition in partitions:
        for path in (out / partition.name, manifest_of(out, partition.name)):
            for left in path.parent.glob(f'.{glob.escape(path.name)}.*{path.suffix}'):
                left.unlink(missing_ok=True)


def _spans(source: Path, rows: int) -> list[Partition]:
    stamp, sha256 = _stamp(source), checksum(source)[0]
    spans = open_table(source).spans(rows)
    return [
        Partition(f'part-{number:05d}.parquet', source, span, sha256, stamp)
        for number, span in enumerate(spans)
    ]


def _stamp(source: Path) -> tuple[int, int]:
    status = source.stat()
    return status.st_size, status.st_mtime_ns


def _base(pattern: str) -> Path:
    """Return the folder above the first wildcard."""
    parts = Path(pattern).parts
    first = next(i for i, part in enumerate(parts) if WILD & set(part))
    return Path(*parts[:first])


def _is_data(path: Path, base: Path) -> bool:
    hidden = any(part.startswith(HIDDEN) for part in path.relative_to(base).parts)
    return not hidden and format_of(path) in PARTITIONED and path.is_file()


def _check_out(out: Path, partitions: list[Partition]) -> None:
    for partition in partitions:
        target = out / partition.name
        if target.exists() and target.samefile(partition.source):
            raise UserError(f'{target} is the input; name another folder to write')
    twice = [name for name, n in Counter(p.name for p in partitions).items() if n > 1]
    if twice:
        raise UserError(f'two files of the input would be written to {out / twice[0]}; rename one')
    names = {partition.name for partition in partitions}
    there = {
        path.relative_to(out).as_posix() for path in out.rglob('*.parquet') if _is_data(path, out)
    }
    if there - names:
        raise UserError(
            f'{out / min(there - names)} is no partition of this input; move it away, or name '
            'another folder'
        )


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
        'column': settings.column,
        'level': settings.level,
        'confidence': settings.confidence,
        'precision': settings.precision,
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
