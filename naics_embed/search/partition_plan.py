"""Division of a data set into partitions, each of which is coded as one."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from naics_embed.artifacts import checksum
from naics_embed.errors import UserError
from naics_embed.tabular.open import READABLE, ReadOptions, open_table
from naics_embed.tabular.part import Span
from naics_embed.tabular.streams import format_of

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


def plan_partitions(
    source: str, out: Path, rows: int, reading: ReadOptions | None = None
) -> list[Partition]:
    """Divide the input: a partition a file of a folder or glob, or spans of a single file.

    Files and folders whose names begin with a dot or an underscore are passed over.

    Args:
        source: a folder, a file, or a pattern such as ``in/*/part-*.parquet``.
        out: folder to write; it keeps the folders below the input's.
        rows: rows of a partition of a single file.
        reading: how such a file is read.

    Raises:
        UserError: there is no input, two files have one name, or ``out`` is the input's folder,
            would write over the input, or holds parquet files that are no partition of it.
    """
    wild = bool(WILD & set(source)) and not Path(source).exists()
    if not wild and Path(source).is_file():
        partitions = _spans(Path(source), rows, reading)
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


def _spans(source: Path, rows: int, reading: ReadOptions | None) -> list[Partition]:
    stamp, sha256 = stamp_of(source), checksum(source)[0]
    spans = open_table(source, reading).spans(rows)
    return [
        Partition(f'part-{number:05d}.parquet', source, span, sha256, stamp)
        for number, span in enumerate(spans)
    ]


def stamp_of(source: Path) -> tuple[int, int]:
    """Return size and time of change of a file."""
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
