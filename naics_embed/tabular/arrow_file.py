"""Files with types: parquet, feather and Arrow, JSON lines."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from naics_embed.errors import UserError
from naics_embed.tabular.columns import usable_names
from naics_embed.tabular.part import Part, Span
from naics_embed.tabular.streams import open_bytes


class _Typed(ABC):
    """What files with types have in common."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.original: list[str | None] = list(schema.names)
        self.names, self.notes = usable_names(self.original)
        self._schema = pa.schema(
            [field.with_name(name) for field, name in zip(schema, self.names, strict=True)]
        )

    @abstractmethod
    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order."""

    def _part(self, table: pa.Table) -> Part:
        return Part(self.names, table.rename_columns(self.names), [None] * len(table))

    def parts(self, rows: int, span: Span | None = None) -> Iterator[Part]:
        """Yield the rows in order, at most ``rows`` at a time, of a span or of all."""
        first, last = (0, None) if span is None else (span.first, span.first + span.rows)
        at = 0
        for batch in self._batches(rows):
            begin = max(first - at, 0)
            stop = len(batch) if last is None else min(last - at, len(batch))
            at += len(batch)
            for start in range(begin, stop, rows):
                piece = batch.slice(start, min(rows, stop - start))
                yield self._part(pa.Table.from_batches([piece]))
            if last is not None and at >= last:
                return

    def spans(self, rows: int) -> list[Span]:
        """Divide the table into spans of ``rows`` rows, the last with what is left."""
        total = self._count()
        firsts = range(0, max(total, 1), rows)
        return [Span(first, min(rows, total - first)) for first in firsts]

    def _count(self) -> int:
        return sum(len(batch) for batch in self._batches(2**16))

    def empty(self) -> pa.Table:
        """Return a table with the columns and no row."""
        return self._schema.empty_table()


class ParquetFile(_Typed):
    """A parquet file. Raises UserError where it is none."""

    def __init__(self, path: Path) -> None:
        with _reading(path, 'parquet'), pq.ParquetFile(path) as file:
            super().__init__(path, file.schema_arrow)

    def _count(self) -> int:
        with pq.ParquetFile(self.path) as file:
            return int(file.metadata.num_rows)

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        with _reading(self.path, 'parquet'), pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(rows)

    def parts(self, rows: int, span: Span | None = None) -> Iterator[Part]:
        """Yield the rows in order; of a span, only its row groups are read."""
        if span is None:
            yield from super().parts(rows)
            return
        with _reading(self.path, 'parquet'), pq.ParquetFile(self.path) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            starts = [sum(sizes[:i]) for i in range(len(sizes))]
            end = span.first + span.rows
            groups = [
                i
                for i, at in enumerate(starts)
                if at < end and at + sizes[i] > span.first and sizes[i]
            ]
            if not groups:
                return
            at = starts[groups[0]]
            for batch in file.iter_batches(rows, row_groups=groups):
                begin, stop = max(span.first - at, 0), min(end - at, len(batch))
                at += len(batch)
                if begin < stop:
                    piece = batch.slice(begin, stop - begin)
                    yield self._part(pa.Table.from_batches([piece]))


class ArrowFile(_Typed):
    """A feather or Arrow file, of the file or the stream format. Raises UserError otherwise."""

    def __init__(self, path: Path) -> None:
        with self._open(path) as reader:
            super().__init__(path, reader.schema)

    @staticmethod
    @contextmanager
    def _open(path: Path) -> Iterator[Any]:
        with _reading(path, 'Arrow'), pa.memory_map(str(path)) as source:
            try:
                reader: Any = pa.ipc.open_file(source)
            except pa.ArrowInvalid:
                source.seek(0)
                reader = pa.ipc.open_stream(source)
            yield reader

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        with self._open(self.path) as reader:
            if hasattr(reader, 'num_record_batches'):
                for number in range(reader.num_record_batches):
                    yield reader.get_batch(number)
            else:
                yield from reader


class JsonLines(_Typed):
    """A file with a JSON object a line. Raises UserError where a line is none."""

    def __init__(self, path: Path) -> None:
        with _reading(path, 'JSON lines'), open_bytes(path) as stream:
            super().__init__(path, pj.open_json(pa.PythonFile(stream)).schema)

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        with _reading(self.path, 'JSON lines'), open_bytes(self.path) as stream:
            yield from pj.open_json(pa.PythonFile(stream))


@contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f'{path} is no {kind} file that can be read ({error})') from error
