"""Files of delimited text: csv and its kin, and plain text with a row a line."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from naics_embed.errors import UserError
from naics_embed.tabular.columns import usable_names
from naics_embed.tabular.dialect import Dialect, DialectOptions, check_encoding, detect_dialect
from naics_embed.tabular.part import Part, Span
from naics_embed.tabular.streams import compression_of, format_of, open_bytes

LINE_COLUMN = 'text'
"""Name of the one column of a plain text file."""
SCANNED_BYTES = 64 * 1024 * 1024
"""So much of a file is looked at to find its encoding."""


class TextFile:
    """A file of delimited text, or of lines.

    Args:
        path: the file.
        options: what the user says about it.

    Raises:
        UserError: the file is empty, or is not in its encoding.
    """

    def __init__(self, path: Path, options: DialectOptions | None = None) -> None:
        csv.field_size_limit(sys.maxsize)
        self.path = path
        self.lines = format_of(path) == '.txt' and (options is None or options.delimiter is None)
        with open_bytes(path) as stream:
            sample = stream.read(SCANNED_BYTES)
            whole = not stream.read(1)
        check_encoding(path, sample, options.checked().encoding if options else None)
        self.dialect = detect_dialect(sample, options, whole=whole)
        if self.lines:
            self.dialect = Dialect(self.dialect.encoding, '\n', '', self.dialect.skip_rows, False)
        self.notes: list[str] = []
        self.original = self._header()
        self.names, changed = usable_names(self.original)
        if (self.dialect, self.lines) not in ((Dialect(), False), (Dialect('utf-8-sig'), False)):
            words = self.dialect.encoding.upper() if self.lines else self.dialect.describe()
            self.notes.append(f'read as {words}')
        self.notes += changed

    def _header(self) -> list[str | None]:
        if self.lines:
            return [LINE_COLUMN]
        with open_bytes(self.path) as stream:
            first = next(self._records(stream), None)
        if first is None:
            raise UserError(f'{self.path} is empty: it needs a row with the names of the columns')
        if self.dialect.header:
            return list(first)
        return [f'column_{number}' for number in range(1, len(first) + 1)]

    def _records(self, stream: BinaryIO, *, after: bool = False) -> Iterator[list[str]]:
        """Yield records; ``after`` where the stream does not stand at the beginning of the file."""
        encoding = self.dialect.encoding
        if after and encoding == 'utf-8-sig':
            encoding = 'utf-8'
        plain = encoding.startswith('utf-8') or encoding == 'ascii'
        text = io.TextIOWrapper(
            stream, encoding, 'surrogateescape' if plain else 'strict', newline=''
        )
        try:
            lines: Iterator[str] = iter(text)
            if not after:
                lines = islice(lines, self.dialect.skip_rows, None)
            if self.lines:
                for line in lines:
                    yield [line.rstrip('\r\n')]
            else:
                yield from csv.reader(lines, **self.dialect.reader_options())
        except UnicodeDecodeError as error:
            raise UserError(
                f'{self.path} is not all {encoding.upper()}: byte {error.start} of a part cannot '
                'be read; name its encoding with --encoding'
            ) from error
        except csv.Error as error:
            raise UserError(f'{self.path}: {error}; name its quotes with --quote') from error

    def parts(self, rows: int, span: Span | None = None) -> Iterator[Part]:
        """Yield the rows in order, at most ``rows`` at a time, of a span or of all."""
        with open_bytes(self.path) as stream:
            if span is None:
                records = self._records(stream)
                if self.dialect.header and not self.lines:
                    next(records, None)
            elif span.offset is None:
                records = self._records(stream)
                first = span.first + (self.dialect.header and not self.lines)
                records = islice(records, first, first + span.rows)
            else:
                stream.seek(span.offset)
                records = islice(self._records(stream, after=True), span.rows)
            while True:
                fields: list[list[str]] = []
                faults: list[str | None] = []
                for record in islice(records, rows):
                    faults.append(self._fault(record))
                    fields.append((record + [''] * len(self.names))[: len(self.names)])
                if not fields:
                    return
                yield Part(self.names, fields, faults)

    def spans(self, rows: int) -> list[Span]:
        """Divide the file into spans; it is read once for this: a field may hold line breaks."""
        if compression_of(self.path) is not None or not self.dialect.plain:
            total = sum(len(part) for part in self.parts(rows))
            firsts = range(0, max(total, 1), rows)
            return [Span(first, min(rows, total - first)) for first in firsts]
        spans: list[Span] = []
        with self.path.open('rb') as stream:
            if stream.peek(3)[:3] == b'\xef\xbb\xbf':
                stream.seek(3)
            for _ in range(self.dialect.skip_rows):
                stream.readline()
            lines = _Lines(stream)
            reader: Iterator[Any] = iter(lines)
            if not self.lines:
                reader = csv.reader(lines, **self.dialect.reader_options())
                if self.dialect.header:
                    next(reader, None)
            first, begin, count = 0, lines.read, 0
            for _ in reader:
                count += 1
                if count == rows:
                    spans.append(Span(first, count, begin))
                    first, begin, count = first + count, lines.read, 0
        if count or not spans:
            spans.append(Span(first, count, begin))
        return spans

    def empty(self) -> pa.Table:
        """Return a table of strings with the columns and no row."""
        return pa.table({name: pa.array([], pa.string()) for name in self.names})

    def _fault(self, record: list[str]) -> str | None:
        if len(record) == len(self.names):
            return None
        fault = f'{len(record)} fields where the header has {len(self.names)}'
        more = record[len(self.names) :]
        return f'{fault}; left over: {json.dumps(more)}' if more else fault


class _Lines:
    """Lines of a text file, with any line end, and how many bytes of the file they took."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = stream.tell()
        self._text = io.TextIOWrapper(stream, 'utf-8', 'surrogateescape', newline='')

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.read += len(line.encode('utf-8', 'surrogateescape'))
            yield line
