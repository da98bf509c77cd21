"""Coding of a partitioned data set: each partition exactly once, whatever is stopped or broken.

A partition's output is moved into place whole; then its manifest, which names the checksums of
input, bundle and output, and the settings. A partition whose manifest still tells the truth is not
coded again; any other is. Readers of data sets pass over the folder of the manifests.
"""

import glob
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
from naics_embed.search.coder import Coder
from naics_embed.search.rows import (
    FORMATS,
    Span,
    check_column,
    code_rows,
    no_rows,
    read_parts,
    spans_of,
    with_added,
)
from naics_embed.text.inference.precisions import FLOAT32

MANIFESTS = '_manifests'
HIDDEN = ('.', '_')
WILD = frozenset('*?[')


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
        confidence: least probability of the answer.
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
    """What became of a partition.

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
        found = base.glob(pattern)
        files = sorted(path for path in found if _is_data(path, base))
        if not files:
            raise UserError(f'{source} has no .csv or .parquet file')
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
    header = check_column(partition.source, settings.column)
    coder = load()
    if bundle_key(coder.searcher.bundle) != bundle:
        raise ArtifactError(
            f'{coder.searcher.bundle.path} was exported anew while it was in use; run again'
        )
    total = bad = 0
    writer: pq.ParquetWriter | None = None
    with atomic_file(target) as temporary:
        try:
            for part in read_parts(
                partition.source, settings.column, settings.part_rows, partition.span
            ):
                added = code_rows(coder, part, settings.level, settings.confidence)
                table = with_added(part.rows, added, header)
                if writer is None:
                    writer = pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table)
                total += len(part)
                bad += sum(row['naics_error'] is not None for row in added)
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            pq.write_table(no_rows(partition.source, header), temporary)
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
    """Remove what killed processes left half-written; nobody else may be writing."""
    for partition in partitions:
        for path in (out / partition.name, manifest_of(out, partition.name)):
            for left in path.parent.glob(f'.{glob.escape(path.name)}.*{path.suffix}'):
                left.unlink(missing_ok=True)


def _spans(source: Path, rows: int) -> list[Partition]:
    if source.suffix.lower() not in FORMATS:
        raise UserError(f'{source} must end in .csv or .parquet')
    stamp, sha256 = _stamp(source), checksum(source)[0]
    try:
        spans = spans_of(source, rows)
    except pa.ArrowInvalid as error:
        raise UserError(f'{source} is no parquet file ({error})') from error
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
    return not hidden and path.suffix.lower() in FORMATS and path.is_file()


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
    """What must be the same for a partition to be kept."""
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
