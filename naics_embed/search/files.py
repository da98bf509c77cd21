"""Coding of a whole file: streamed, resumable, no row lost.

Rows are coded in parts, each written whole into a folder beside the output. A run that was stopped
goes on after the last part. A row that cannot be coded stays, with the reason in ``naics_error``.
"""

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed.artifacts import atomic_file, read_json, write_json
from naics_embed.errors import UserError
from naics_embed.search.coder import Answer, Coder
from naics_embed.search.searcher import text_fault

ADDED = (
    'naics_code',
    'naics_title',
    'naics_probability',
    'naics_answer',
    'naics_answer_title',
    'naics_answer_probability',
    'naics_error',
)
"""Columns added to the input: the best code of the level; the deepest code that passes the
confidence; what was wrong with the row."""

FORMATS = ('.csv', '.parquet')
PROBABILITIES = ('naics_probability', 'naics_answer_probability')
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
            column is there already, or parts of another job lie beside the output.
    """
    header = _check(job)
    parts = job.out.with_name(f'.{job.out.name}.parts')
    if restart and parts.is_dir():
        shutil.rmtree(parts)
    done, bad = _resume(parts, _identity(coder, job))
    resumed = done
    rows = 0
    for number, part in enumerate(_parts(job, header)):
        rows += len(part)
        if rows <= done:
            continue
        added = _coded(coder, job, part)
        bad += sum(row['naics_error'] is not None for row in added)
        _write_part(parts / f'{number:08d}{job.out.suffix}', part, added, job)
        done = rows
        write_json(parts / STATE, {**_identity(coder, job), 'rows': done, 'bad': bad})
        if report is not None:
            report(done)
    _join(parts, job, header)
    shutil.rmtree(parts)
    return FileReport(done, bad, resumed)


@dataclass(frozen=True)
class Part:
    """Some rows of a file.

    Attributes:
        texts: the descriptions.
        faults: what is wrong with a row's shape; None for a good row.
        rows: fields of each row, or an Arrow table.
    """

    texts: list[Any]
    faults: list[str | None]
    rows: list[list[str]] | pa.Table

    def __len__(self) -> int:
        return len(self.texts)


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
    header = _header(job.source)
    if job.column not in header:
        raise UserError(f'{job.source} has no column {job.column!r}; it has {", ".join(header)}')
    taken = [name for name in ADDED if name in header]
    if taken:
        raise UserError(f'{job.source} has a column {taken[0]} already; rename it')
    return header


def _header(source: Path) -> list[str]:
    if source.suffix.lower() == '.parquet':
        try:
            return list(pq.ParquetFile(source).schema_arrow.names)
        except pa.ArrowInvalid as error:
            raise UserError(f'{source} is no parquet file ({error})') from error
    with _open_csv(source) as stream:
        for header in csv.reader(stream):
            return header
    raise UserError(f'{source} is empty: a csv file needs a header')


def _open_csv(source: Path) -> Any:
    csv.field_size_limit(sys.maxsize)
    # Bytes that are no UTF-8 travel as lone surrogates and are written as they were.
    return source.open(encoding='utf-8-sig', errors='surrogateescape', newline='')


def _parts(job: FileJob, header: list[str]) -> Iterator[Part]:
    if job.source.suffix.lower() == '.parquet':
        for batch in pq.ParquetFile(job.source).iter_batches(job.part_rows):
            table = pa.Table.from_batches([batch])
            texts = table.column(job.column).to_pylist()
            yield Part(texts, [None] * len(texts), table)
        return
    at = header.index(job.column)
    with _open_csv(job.source) as stream:
        reader = csv.reader(stream)
        next(reader)
        rows: list[list[str]] = []
        faults: list[str | None] = []
        for row in reader:
            faults.append(_shape_fault(row, header))
            rows.append((row + [''] * len(header))[: len(header)])
            if len(rows) == job.part_rows:
                yield Part([fields[at] for fields in rows], faults, rows)
                rows, faults = [], []
        if rows:
            yield Part([fields[at] for fields in rows], faults, rows)


def _shape_fault(row: list[str], header: list[str]) -> str | None:
    if len(row) == len(header):
        return None
    fault = f'{len(row)} fields where the header has {len(header)}'
    more = row[len(header) :]
    return f'{fault}; left over: {json.dumps(more)}' if more else fault


def _coded(coder: Coder, job: FileJob, part: Part) -> list[dict[str, Any]]:
    faults = [
        fault or (None if text_fault(text) is None else f'the text {text_fault(text)}')
        for text, fault in zip(part.texts, part.faults, strict=True)
    ]
    distinct = list(
        dict.fromkeys(t for t, fault in zip(part.texts, faults, strict=True) if fault is None)
    )
    answers = coder.search(distinct, k=1, level=job.level, confidence=job.confidence)
    found = dict(zip(distinct, answers, strict=True))
    return [
        _fields(None if fault else found[text], fault)
        for text, fault in zip(part.texts, faults, strict=True)
    ]


def _fields(answer: Answer | None, fault: str | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(ADDED)
    row['naics_error'] = fault
    if answer is not None:
        best, chosen = answer.hits[0], answer.chosen
        row |= {
            'naics_code': best.official,
            'naics_title': best.title,
            'naics_probability': best.probability,
        }
        if chosen is not None:
            row |= {
                'naics_answer': chosen.official,
                'naics_answer_title': chosen.title,
                'naics_answer_probability': chosen.probability,
            }
    return row


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
        'part_rows': job.part_rows,
        'table': coder.searcher.bundle.manifest['files'],
    }


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
            rows = part.rows if isinstance(part.rows, list) else _as_fields(part.rows)
            with temporary.open(
                'w', encoding='utf-8', errors='surrogateescape', newline=''
            ) as stream:
                writer = csv.writer(stream)
                for fields, new in zip(rows, added, strict=True):
                    writer.writerow([*fields, *(_text(new[name]) for name in ADDED)])
            return
        pq.write_table(_with_added(part.rows, added, _header(job.source)), temporary)


def _with_added(
    rows: list[list[str]] | pa.Table, added: list[dict[str, Any]], header: list[str]
) -> pa.Table:
    if isinstance(rows, list):
        columns = [[_valid(fields[i]) for fields in rows] for i in range(len(header))]
        rows = pa.table([pa.array(column, pa.string()) for column in columns], names=header)
    for name in ADDED:
        kind = pa.float64() if name in PROBABILITIES else pa.string()
        values = [row[name] if name in PROBABILITIES else _valid(row[name]) for row in added]
        rows = rows.append_column(name, pa.array(values, kind))
    return rows


def _valid(text: str | None) -> str | None:
    """Replace bytes that are no UTF-8, which parquet cannot hold."""
    if text is None:
        return None
    return text.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')


def _as_fields(table: pa.Table) -> list[list[str]]:
    columns = [[_text(value) for value in column.to_pylist()] for column in table.columns]
    return [list(fields) for fields in zip(*columns, strict=True)]


def _text(value: Any) -> str:
    if value is None:
        return ''
    return f'{value:.6f}' if isinstance(value, float) else str(value)


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
            table = _with_added(_empty(job, header), [], header)
            pq.write_table(table, temporary)
            return
        schema = pq.read_schema(files[0])
        with pq.ParquetWriter(temporary, schema) as writer:
            for file in files:
                writer.write_table(pq.read_table(file))


def _empty(job: FileJob, header: list[str]) -> list[list[str]] | pa.Table:
    if job.source.suffix.lower() == '.parquet':
        return pq.ParquetFile(job.source).schema_arrow.empty_table()
    return []


def _csv_line(fields: list[str]) -> bytes:
    line = io.StringIO(newline='')
    csv.writer(line).writerow(fields)
    return line.getvalue().encode('utf-8', 'surrogateescape')
