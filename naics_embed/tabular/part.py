"""Rows of a table as they are handed on: some at a time, with what is wrong with their shape."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

Fields = list[list[str]]


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    Attributes:
        names: names of the columns.
        rows: fields of each row of a text file, or an Arrow table.
        faults: what is wrong with the shape of a row; None for a good one.
    """

    names: list[str]
    rows: Fields | pa.Table
    faults: list[str | None]

    def __len__(self) -> int:
        return len(self.faults)

    def column(self, name: str) -> list[Any]:
        """Return the values of a column."""
        at = self.names.index(name)
        if isinstance(self.rows, list):
            return [fields[at] for fields in self.rows]
        return list(self.rows.column(at).to_pylist())

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table; fields of a text file are strings.

        Bytes of a text file that are no text, which Arrow cannot hold, are replaced.
        """
        if not isinstance(self.rows, list):
            return self.rows
        columns = [
            pa.array([valid(fields[i]) for fields in self.rows], pa.string())
            for i in range(len(self.names))
        ]
        return pa.table(columns, names=self.names)


@dataclass(frozen=True)
class Span:
    """Consecutive rows of a table.

    Attributes:
        first: the first of them, from 0.
        rows: how many.
        offset: bytes before the first; of text files whose lines can be found in the bytes.
    """

    first: int
    rows: int
    offset: int | None = None


class TableSource(Protocol):
    """A table that can be read in parts.

    Attributes:
        path: the file.
        names: names of the columns; each is there once.
        original: names as the file has them.
        notes: what was detected or changed, a line each.
    """

    path: Path
    names: list[str]
    original: list[str | None]
    notes: list[str]

    def parts(self, rows: int, span: Span | None = None) -> Iterator[Part]:
        """Yield the rows in order, at most ``rows`` at a time, of a span or of all."""
        ...

    def spans(self, rows: int) -> list[Span]:
        """Divide the table into spans of ``rows`` rows, the last with what is left."""
        ...

    def empty(self) -> pa.Table:
        """Return a table with the columns and no row."""
        ...


def valid(text: str) -> str:
    """Return a text without lone surrogates, which stand for bytes that are no text."""
    return text.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
