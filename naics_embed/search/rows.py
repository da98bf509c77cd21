"""Rows of csv and parquet files: read in parts, coded, and given the columns of their codes.

A row that cannot be coded stays, with the reason in ``naics_error``. Bytes of a csv file that are
no UTF-8 travel as lone surrogates, so that they can be written as they were.
"""

import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed.errors import UserError
from naics_embed.search.coder import Answer, Coder
from naics_embed.search.searcher import text_fault

ADDED = (
    'naics_code',
    'naics_title',
    'naics_probability',
    'naics_confident_code',
    'naics_confident_title',
    'naics_confident_probability',
    'naics_error',
)
"""Columns added to the input: the best code of the level; the deepest code that passes the
confidence; what was wrong with the row."""

FORMATS = ('.csv', '.parquet')
PROBABILITIES = ('naics_probability', 'naics_confident_probability')


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


@dataclass(frozen=True)
class Span:
    """Consecutive rows of a file.

    Attributes:
        first: the first of them, from 0.
        rows: how many.
        offset: bytes before the first; of csv files only.
    """

    first: int
    rows: int
    offset: int = 0


def header_of(source: Path) -> list[str]:
    """Return the names of the columns. Raises UserError where the file has none."""
    if source.suffix.lower() == '.parquet':
        try:
            with pq.ParquetFile(source) as file:
                return list(file.schema_arrow.names)
        except pa.ArrowInvalid as error:
            raise UserError(f'{source} is no parquet file ({error})') from error
    with _open_csv(source) as stream:
        for header in csv.reader(stream):
            return header
    raise UserError(f'{source} is empty: a csv file needs a header')


def check_column(source: Path, column: str) -> list[str]:
    """Return the names of the columns of a file that can be coded.

    Raises:
        UserError: the file is no csv or parquet file, lacks the column of texts, or has a column
            that would be added.
    """
    header = header_of(source)
    if column not in header:
        raise UserError(f'{source} has no column {column!r}; it has {", ".join(header)}')
    taken = [name for name in ADDED if name in header]
    if taken:
        raise UserError(f'{source} has a column {taken[0]} already; rename it')
    return header


def spans_of(source: Path, rows: int) -> list[Span]:
    """Divide a file into spans of ``rows`` rows, the last with what is left; one where it is empty.

    A csv file is read once for this: a field may hold line breaks.
    """
    if source.suffix.lower() == '.parquet':
        with pq.ParquetFile(source) as file:
            total = file.metadata.num_rows
        firsts = range(0, max(total, 1), rows)
        return [Span(first, min(rows, total - first)) for first in firsts]
    spans: list[Span] = []
    with _open_csv(source) as stream:
        lines = _Lines(stream)
        reader = csv.reader(lines)
        if next(reader, None) is None:
            raise UserError(f'{source} is empty: a csv file needs a header')
        first, begin, count = 0, lines.read, 0
        for _ in reader:
            count += 1
            if count == rows:
                spans.append(Span(first, count, begin))
                first, begin, count = first + count, lines.read, 0
    if count or not spans:
        spans.append(Span(first, count, begin))
    return spans


def read_parts(
    source: Path, column: str, part_rows: int, span: Span | None = None
) -> Iterator[Part]:
    """Yield the rows of a file, or of a span of it, in order, at most ``part_rows`` at a time."""
    if source.suffix.lower() == '.parquet':
        for table in _tables(source, part_rows, span):
            texts = table.column(column).to_pylist()
            yield Part(texts, [None] * len(texts), table)
        return
    header = header_of(source)
    at = header.index(column)
    with _open_csv(source) as stream:
        if span is None:
            reader = csv.reader(stream)
            next(reader)
        else:
            stream.buffer.seek(span.offset)
            reader = csv.reader(io.TextIOWrapper(stream.buffer, **_ENCODING))
        rows: list[list[str]] = []
        faults: list[str | None] = []
        left = sys.maxsize if span is None else span.rows
        while left and (row := next(reader, None)) is not None:
            left -= 1
            faults.append(_shape_fault(row, header))
            rows.append((row + [''] * len(header))[: len(header)])
            if len(rows) == part_rows:
                yield Part([fields[at] for fields in rows], faults, rows)
                rows, faults = [], []
        if rows:
            yield Part([fields[at] for fields in rows], faults, rows)


def code_rows(coder: Coder, part: Part, level: int, confidence: float) -> list[dict[str, Any]]:
    """Return the values of `ADDED` for each row; each distinct text is coded once."""
    faults = [
        fault or (None if text_fault(text) is None else f'the text {text_fault(text)}')
        for text, fault in zip(part.texts, part.faults, strict=True)
    ]
    distinct = list(
        dict.fromkeys(t for t, fault in zip(part.texts, faults, strict=True) if fault is None)
    )
    answers = coder.search(distinct, k=1, level=level, confidence=confidence)
    found = dict(zip(distinct, answers, strict=True))
    return [
        _fields(None if fault else found[text], fault)
        for text, fault in zip(part.texts, faults, strict=True)
    ]


def with_added(
    rows: list[list[str]] | pa.Table, added: list[dict[str, Any]], header: list[str]
) -> pa.Table:
    """Return rows as an Arrow table with the columns of `ADDED`; those of a csv file are strings.

    Bytes that are no UTF-8, which parquet cannot hold, are replaced.
    """
    if isinstance(rows, list):
        columns = [[_valid(fields[i]) for fields in rows] for i in range(len(header))]
        rows = pa.table([pa.array(column, pa.string()) for column in columns], names=header)
    for name in ADDED:
        kind = pa.float64() if name in PROBABILITIES else pa.string()
        values = [row[name] if name in PROBABILITIES else _valid(row[name]) for row in added]
        rows = rows.append_column(name, pa.array(values, kind))
    return rows


def no_rows(source: Path, header: list[str]) -> pa.Table:
    """Return the table that `with_added` gives for no row."""
    if source.suffix.lower() != '.parquet':
        return with_added([], [], header)
    with pq.ParquetFile(source) as file:
        return with_added(file.schema_arrow.empty_table(), [], header)


def as_fields(table: pa.Table) -> list[list[str]]:
    """Return the rows of a table as fields of a csv file."""
    columns = [[as_text(value) for value in column.to_pylist()] for column in table.columns]
    return [list(fields) for fields in zip(*columns, strict=True)]


def as_text(value: Any) -> str:
    """Return a value as a field of a csv file."""
    if value is None:
        return ''
    return f'{value:.6f}' if isinstance(value, float) else str(value)


_ENCODING = {'encoding': 'utf-8', 'errors': 'surrogateescape', 'newline': ''}


def _open_csv(source: Path) -> io.TextIOWrapper:
    csv.field_size_limit(sys.maxsize)
    stream = source.open('rb')
    if stream.peek(3)[:3] == b'\xef\xbb\xbf':
        stream.seek(3)
    return io.TextIOWrapper(stream, **_ENCODING)


class _Lines:
    """Lines of a csv file, and how many bytes they took."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self.stream = stream
        self.read = stream.buffer.tell()

    def __iter__(self) -> Iterator[str]:
        for line in self.stream:
            self.read += len(line.encode('utf-8', 'surrogateescape'))
            yield line


def _tables(source: Path, part_rows: int, span: Span | None) -> Iterator[pa.Table]:
    with pq.ParquetFile(source) as file:
        if span is None:
            for batch in file.iter_batches(part_rows):
                yield pa.Table.from_batches([batch])
            return
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        end = span.first + span.rows
        groups = [
            i for i, at in enumerate(starts) if at < end and at + sizes[i] > span.first and sizes[i]
        ]
        if not groups:
            return
        at = starts[groups[0]]
        for batch in file.iter_batches(part_rows, row_groups=groups):
            begin, stop = max(span.first - at, 0), min(end - at, len(batch))
            at += len(batch)
            if begin < stop:
                yield pa.Table.from_batches([batch.slice(begin, stop - begin)])


def _shape_fault(row: list[str], header: list[str]) -> str | None:
    if len(row) == len(header):
        return None
    fault = f'{len(row)} fields where the header has {len(header)}'
    more = row[len(header) :]
    return f'{fault}; left over: {json.dumps(more)}' if more else fault


def _fields(answer: Answer | None, fault: str | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(ADDED)
    row['naics_error'] = fault
    if answer is not None:
        best, confident = answer.hits[0], answer.confident
        row |= {
            'naics_code': best.official,
            'naics_title': best.title,
            'naics_probability': best.probability,
        }
        if confident is not None:
            row |= {
                'naics_confident_code': confident.official,
                'naics_confident_title': confident.title,
                'naics_confident_probability': confident.probability,
            }
    return row


def _valid(text: str | None) -> str | None:
    if text is None:
        return None
    return text.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
