"""Coding of a whole file: streamed, resumable, no row lost.

Rows are coded in parts, each written whole into a folder next to the output. A run that was stopped
resumes after the last part.
"""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from naics_embed.artifacts import atomic_file, read_json, write_json
from naics_embed.errors import UserError
from naics_embed.search.coded_columns import UNREADABLE, ColumnOptions, Remembered, code_texts
from naics_embed.search.coder import Coder
from naics_embed.search.prior_column import PriorColumn, prior_cells, prior_of_table
from naics_embed.search.text_columns import (
    TextColumn,
    TextColumns,
    as_columns,
    check_text_columns,
    row_texts,
)
from naics_embed.search.text_columns import texts_of as texts_of
from naics_embed.tabular.open import ReadOptions, open_table
from naics_embed.tabular.parquet_types import check_parquet
from naics_embed.tabular.part import Part, TableSource
from naics_embed.tabular.text_file import TextFile
from naics_embed.tabular.write import (
    TEXT,
    check_output,
    join_parts,
    part_ending,
    write_part,
)

STATE = 'state.json'
NUMBER = re.compile(r'[-+]?[$€£]?[0-9][0-9.,\s%-]*')
"""What a column of descriptions does not consist of: amounts, identifiers, codes."""


@dataclass(frozen=True)
class FileJob:
    """What is to be coded, and how.

    Attributes:
        source: a table in one of `tabular.open.READABLE`.
        column: the column of descriptions, or several with their weights.
        out: file to write, in one of `tabular.write.WRITABLE`.
        level: digits of the best code.
        confidence: least probability of the confident code.
        part_rows: rows coded and written at a time.
        reading: how the table is read.
        columns: the columns that are added.
        prior: a column with codes that rows have already.
        copied: of a source that is a copy, what tells its content; a run that was stopped goes on
            where another copy has the same.
    """

    source: Path
    column: TextColumns
    out: Path
    level: int | None = None
    confidence: float = 0.8
    part_rows: int = 2048
    reading: ReadOptions = field(default_factory=ReadOptions)
    columns: ColumnOptions = field(default_factory=ColumnOptions)
    prior: PriorColumn | None = None
    copied: str | None = None


@dataclass(frozen=True)
class FileReport:
    """What became of a file.

    Attributes:
        rows: rows read and written.
        bad: rows that cannot be read, with a reason in the column of errors.
        resumed: rows that an earlier run had coded.
        notes: what was detected or changed, a line each.
        statuses: status → rows, one of `naics_embed.search.status.STATUSES` or ``cannot be read``.
    """

    rows: int
    bad: int
    resumed: int
    notes: tuple[str, ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)


def code_file(
    coder: Coder,
    job: FileJob,
    *,
    restart: bool = False,
    force: bool = False,
    report: Callable[[int], None] | None = None,
    table: TableSource | None = None,
    note: Callable[[str], None] | None = None,
) -> FileReport:
    """Code every row of a file.

    Args:
        coder: codes texts.
        job: what and how.
        restart: forget the parts of an earlier run.
        force: replace an output that is there.
        report: called with the number of rows done after each part.
        table: what `open_job` gave for this job; it is opened here where None.
        note: called with what is found out about prior codes before the rows are coded.

    Raises:
        UserError: a file does not exist or has another format, the column is missing or holds no
            text, an added column is there already, the output is there, parts of another job lie
            beside it, another process writes it, no row of the first part can be read, or the
            input changed while it was read.
    """
    table = open_job(job, force=force) if table is None else table
    lock = job.out.with_name(f'.{job.out.name}.lock')
    try:
        with FileLock(lock, timeout=0):
            result = _code_alone(coder, job, table, restart, report, note)
            # Nobody waits for this lock, so nobody holds a file that has no name any more.
            lock.unlink(missing_ok=True)
    except Timeout as error:
        raise UserError(f'another run is writing {job.out}; wait for its end') from error
    return result


def open_job(job: FileJob, *, force: bool = False) -> TableSource:
    """Check a job before any work, and open its table. Raises UserError as `code_file`."""
    if not job.source.is_file():
        raise UserError(f'{job.source} does not exist')
    resuming = _parts(job).is_dir()
    check_output(job.out, force=force or resuming)
    if job.part_rows < 1:
        raise UserError(f'part_rows must be at least 1, not {job.part_rows}')
    table = open_table(job.source, job.reading)
    if job.out.exists() and job.out.samefile(job.source):
        raise UserError(f'{job.out} is the input; name another file to write')
    check_text_columns(job.source, as_columns(job.column), table)
    if job.prior is not None:
        job.prior.check(job.source, table)
    job.columns.check(job.source, table.names)
    if job.out.suffix.lower() == '.parquet':
        check_parquet(job.source, table.empty().schema)
    return table


def check_some_readable(source: object, added: pa.Table, columns: ColumnOptions) -> None:
    """Raise UserError where not one row of a part can be read: the file is not what it seems."""
    status, error = columns.prefix + 'status', columns.prefix + 'error'
    if status in added.column_names and len(added):
        values = added.column(status).to_pylist()
        if set(values) == {UNREADABLE}:
            first = added.column(error)[0].as_py() if error in added.column_names else ''
            raise UserError(
                f'{source}: none of the first {len(added):,} rows can be read ({first}); check the '
                'column, and --delimiter, --encoding and --quote'
            )


def _parts(job: FileJob) -> Path:
    return job.out.with_name(f'.{job.out.name}.parts')


def _code_alone(
    coder: Coder,
    job: FileJob,
    table: TableSource,
    restart: bool,
    report: Callable[[int], None] | None,
    note: Callable[[str], None] | None,
) -> FileReport:
    parts = _parts(job)
    if restart and parts.is_dir():
        shutil.rmtree(parts)
    identity = _identity(coder, job)
    done, bad, counts = _resume(parts, identity)
    resumed = done
    provenance = coder.provenance
    ending = part_ending(job.out)
    prior = None
    if job.prior is not None:
        known = len(table.notes)
        columns = as_columns(job.column)
        prior = prior_of_table(coder, table, columns, job.prior, job.part_rows)
        if note is not None:
            for line in table.notes[known:]:
                note(line)
    rows, remembered = 0, Remembered()
    for number, part in enumerate(table.parts(job.part_rows)):
        rows += len(part)
        if rows <= done:
            continue
        texts = row_texts(part, as_columns(job.column))
        if not number:
            check_words(job.source, as_columns(job.column), texts.main)
        added = code_texts(
            coder,
            texts.main,
            part.faults,
            job.columns,
            level=job.level,
            confidence=job.confidence,
            provenance=provenance.now(),
            lighter=texts.lighter,
            counts=counts,
            done=None if report is None else partial(_tell, report, done, len(part)),
            prior=prior_cells(prior, job.prior, part),
            remembered=remembered,
        )
        if not number:
            check_some_readable(job.source, added, job.columns)
        bad += unreadable(added, job.columns, part)
        with atomic_file(parts / f'{number:08d}{ending}') as temporary:
            write_part(temporary, part, added, _delimiter(table, job))
        _check_unchanged(coder, job, identity)
        done = rows
        write_json(parts / STATE, {**identity, 'rows': done, 'bad': bad, 'statuses': counts})
        if report is not None:
            report(done)
    _check_unchanged(coder, job, identity)
    empty = table.empty()
    for one in job.columns.schema():
        empty = empty.append_column(one, pa.array([], one.type))
    with atomic_file(job.out) as temporary:
        join_parts(
            sorted(parts.glob(f'[0-9]*{ending}')),
            temporary,
            job.out.suffix.lower(),
            empty,
            delimiter=_delimiter(table, job),
            mark=isinstance(table, TextFile) and table.dialect.encoding == 'utf-8-sig',
            # Without the time: the same input gives the same bytes.
            metadata=provenance.lasting(),
        )
    shutil.rmtree(parts)
    return FileReport(done, bad, resumed, tuple(table.notes), dict(counts))


def check_words(source: object, columns: Sequence[TextColumn], texts: Sequence[Any]) -> None:
    """Raise UserError where every text of a part is a number: that column has no descriptions."""
    said = [text for text in texts if isinstance(text, str) and text.strip()]
    if said and all(NUMBER.fullmatch(text.strip()) for text in said):
        names = ', '.join(repr(one.name) for one in columns)
        raise UserError(
            f'{source}: the column {names} holds numbers, such as {said[0]!r}, not descriptions; '
            'name the column of descriptions with --text-column'
        )


def _tell(report: Callable[[int], None], before: int, rows: int, fraction: float) -> None:
    # The whole part is told when it is saved.
    if fraction < 1:
        report(before + int(rows * fraction))


def unreadable(added: pa.Table, columns: ColumnOptions, part: Part) -> int:
    """Return how many rows of a part cannot be read."""
    name = columns.prefix + 'error'
    if name in added.column_names:
        return len(added) - added.column(name).null_count
    return sum(fault is not None for fault in part.faults)


def _delimiter(table: TableSource, job: FileJob) -> str | None:
    """Return the delimiter of the output: that of the input where both are csv."""
    same = isinstance(table, TextFile) and job.source.suffix.lower() == job.out.suffix.lower()
    if same and job.out.suffix.lower() in TEXT:
        assert isinstance(table, TextFile)
        return table.dialect.delimiter
    return None


def _identity(coder: Coder, job: FileJob) -> dict[str, Any]:
    """What must be the same for parts to be taken up again."""
    status = job.source.stat()
    of_file = {
        'source': str(job.source.resolve()),
        'size': status.st_size,
        'modified': status.st_mtime_ns,
    }
    return {
        **(of_file if job.copied is None else {'copied': job.copied}),
        'column': [[one.name, one.weight] for one in as_columns(job.column)],
        **({} if job.prior is None else {'prior': job.prior.identity()}),
        'level': job.level,
        'confidence': job.confidence,
        'precision': coder.precision,
        **({} if coder.population is None else {'population': coder.population.name}),
        'part_rows': job.part_rows,
        'parts': part_ending(job.out),
        'reading': asdict(job.reading),
        'columns': {**asdict(job.columns), 'columns': list(job.columns.chosen)},
        'table': coder.searcher.bundle.manifest['files'],
    }


def _check_unchanged(coder: Coder, job: FileJob, identity: dict[str, Any]) -> None:
    if not job.source.is_file() or _identity(coder, job) != identity:
        raise UserError(f'{job.source} was changed while it was read; run again with --restart')


def _resume(parts: Path, identity: dict[str, Any]) -> tuple[int, int, Counter[str]]:
    if not (parts / STATE).is_file():
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir()
        return 0, 0, Counter()
    state = read_json(parts / STATE)
    if {key: state.get(key) for key in identity} != identity:
        raise UserError(
            f'{parts} holds parts of another run (other input, options or table); give --restart '
            'to start again'
        )
    return int(state['rows']), int(state['bad']), Counter(state.get('statuses', {}))
