"""Coding of a whole file: streamed, resumable, no row lost.

Rows are coded in parts, each written whole into a folder beside the output. A run that was stopped
goes on after the last part.
"""

import csv
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from naics_embed.artifacts import atomic_file, read_json, write_json
from naics_embed.errors import UserError
from naics_embed.search.coder import Coder
from naics_embed.search.rows import (
    ADDED,
    FORMATS,
    Part,
    as_fields,
    as_text,
    check_column,
    code_rows,
    header_of,
    no_rows,
    read_parts,
    with_added,
)

STATE = 'state.json'


@dataclass(frozen=True)
class FileJob:
    """What is to be coded, and how.

    Attributes:
        source: csv (UTF-8, with a header) or parquet file.
        column: the column of descriptions.
        out: csv or parquet file to write.
        level: digits of the best code.
        confidence: least probability of the answer.
        part_rows: rows coded and written at a time.
    """

    source: Path
    column: str
    out: Path
    level: int = 6
    confidence: float = 0.8
    part_rows: int = 2048


@dataclass(frozen=True)
class FileReport:
    """What became of a file.

    Attributes:
        rows: rows read and written.
        bad: rows with a reason in ``naics_error``.
        resumed: rows that an earlier run had coded.
    """

    rows: int
    bad: int
    resumed: int


def code_file(
    coder: Coder,
    job: FileJob,
    *,
    restart: bool = False,
    report: Callable[[int], None] | None = None,
) -> FileReport:
    """Code every row of a file.

    Args:
        coder: codes texts.
        job: what and how.
        restart: forget the parts of an earlier run.
        report: called with the number of rows done after each part.

    Raises:
        UserError: a file does not exist or has another format, the column is missing, an added
            column is there already, parts of another job lie beside the output, another process
            writes it, or the input changed while it was read.
    """
    header = _check(job)
    lock = job.out.with_name(f'.{job.out.name}.lock')
    try:
        with FileLock(lock, timeout=0):
            found = _code_alone(coder, job, header, restart, report)
            # Nobody waits for this lock, so nobody holds a file that has no name any more.
            lock.unlink(missing_ok=True)
    except Timeout as error:
        raise UserError(f'another run is writing {job.out}; wait for its end') from error
    return found


def _code_alone(
    coder: Coder,
    job: FileJob,
    header: list[str],
    restart: bool,
    report: Callable[[int], None] | None,
) -> FileReport:
    parts = job.out.with_name(f'.{job.out.name}.parts')
    if restart and parts.is_dir():
        shutil.rmtree(parts)
    identity = _identity(coder, job)
    done, bad = _resume(parts, identity)
    resumed = done
    rows = 0
    for number, part in enumerate(read_parts(job.source, job.column, job.part_rows)):
        rows += len(part)
        if rows <= done:
            continue
        added = code_rows(coder, part, job.level, job.confidence)
        bad += sum(row['naics_error'] is not None for row in added)
        _write_part(parts / f'{number:08d}{job.out.suffix}', part, added, job)
        _check_unchanged(coder, job, identity)
        done = rows
        write_json(parts / STATE, {**identity, 'rows': done, 'bad': bad})
        if report is not None:
            report(done)
    _check_unchanged(coder, job, identity)
    _join(parts, job, header)
    shutil.rmtree(parts)
    return FileReport(done, bad, resumed)


def _check(job: FileJob) -> list[str]:
    for path in (job.source, job.out):
        if path.suffix.lower() not in FORMATS:
            raise UserError(f'{path} must end in .csv or .parquet')
    if not job.source.is_file():
        raise UserError(f'{job.source} does not exist')
    if not job.out.parent.is_dir():
        raise UserError(f'{job.out.parent} does not exist; name a folder that does')
    if job.out.exists() and job.out.samefile(job.source):
        raise UserError(f'{job.out} is the input; name another file to write')
    if job.part_rows < 1:
        raise UserError(f'part_rows must be at least 1, not {job.part_rows}')
    return check_column(job.source, job.column)


def _identity(coder: Coder, job: FileJob) -> dict[str, Any]:
    """What must be the same for parts to be taken up again."""
    status = job.source.stat()
    return {
        'source': str(job.source.resolve()),
        'size': status.st_size,
        'modified': status.st_mtime_ns,
        'column': job.column,
        'level': job.level,
        'confidence': job.confidence,
        'precision': coder.precision,
        'part_rows': job.part_rows,
        'table': coder.searcher.bundle.manifest['files'],
    }


def _check_unchanged(coder: Coder, job: FileJob, identity: dict[str, Any]) -> None:
    if not job.source.is_file() or _identity(coder, job) != identity:
        raise UserError(f'{job.source} was changed while it was read; run again with --restart')


def _resume(parts: Path, identity: dict[str, Any]) -> tuple[int, int]:
    if not (parts / STATE).is_file():
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir()
        return 0, 0
    state = read_json(parts / STATE)
    if {key: state.get(key) for key in identity} != identity:
        raise UserError(
            f'{parts} holds parts of another run (other input, options or table); give --restart '
            'to start anew'
        )
    return int(state['rows']), int(state['bad'])


def _write_part(path: Path, part: Part, added: list[dict[str, Any]], job: FileJob) -> None:
    with atomic_file(path) as temporary:
        if job.out.suffix.lower() == '.csv':
            rows = part.rows if isinstance(part.rows, list) else as_fields(part.rows)
            with temporary.open(
                'w', encoding='utf-8', errors='surrogateescape', newline=''
            ) as stream:
                writer = csv.writer(stream)
                for fields, new in zip(rows, added, strict=True):
                    writer.writerow([*fields, *(as_text(new[name]) for name in ADDED)])
            return
        pq.write_table(with_added(part.rows, added, header_of(job.source)), temporary)


def _join(parts: Path, job: FileJob, header: list[str]) -> None:
    files = sorted(parts.glob(f'[0-9]*{job.out.suffix}'))
    with atomic_file(job.out) as temporary:
        if job.out.suffix.lower() == '.csv':
            with temporary.open('wb') as stream:
                stream.write(_csv_line([*header, *ADDED]))
                for file in files:
                    with file.open('rb') as part:
                        shutil.copyfileobj(part, stream)
            return
        if not files:
            pq.write_table(no_rows(job.source, header), temporary)
            return
        schema = pq.read_schema(files[0])
        with pq.ParquetWriter(temporary, schema) as writer:
            for file in files:
                writer.write_table(pq.read_table(file))


def _csv_line(fields: list[str]) -> bytes:
    line = io.StringIO(newline='')
    csv.writer(line).writerow(fields)
    return line.getvalue().encode('utf-8', 'surrogateescape')
