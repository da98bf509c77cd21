"""Workbooks: xlsx, xls and ods, one sheet of them."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from naics_embed.errors import UserError
from naics_embed.tabular.columns import usable_names
from naics_embed.tabular.part import Part, Span
from naics_embed.workbooks.check import check_workbook

CHECKED = ('.xlsx', '.xlsm')
"""Formats whose parts are measured before a reader reserves memory for their cells."""
MOST_BYTES = 512 * 1024 * 1024


class WorkbookFile:
    """A sheet of a workbook. It is read whole: the formats cannot be read in parts.

    Args:
        path: the workbook.
        sheet: name of the sheet; the first one where None.
        skip_rows: rows before the header.

    Raises:
        UserError: it is no workbook, or has no such sheet.
        SourceError: it is damaged, or reaches farther than memory is spent on.
    """

    def __init__(self, path: Path, sheet: str | None = None, skip_rows: int = 0) -> None:
        import fastexcel

        if path.suffix.lower() in CHECKED:
            check_workbook(path)
        elif path.stat().st_size > MOST_BYTES:
            raise UserError(f'{path} is larger than {MOST_BYTES >> 20} MiB; save it as csv')
        self.path = path
        try:
            book = fastexcel.read_excel(path)
        except fastexcel.FastExcelError as error:
            raise UserError(f'{path} is no workbook that can be read ({error})') from error
        if sheet is not None and sheet not in book.sheet_names:
            raise UserError(
                f'{path} has no sheet {sheet!r}; it has {", ".join(map(repr, book.sheet_names))}'
            )
        chosen = sheet if sheet is not None else book.sheet_names[0]
        self.notes = []
        if sheet is None and len(book.sheet_names) > 1:
            self.notes.append(
                f'read the sheet {chosen!r}, the first of {len(book.sheet_names)}; name another '
                'with --sheet'
            )
        try:
            head = book.load_sheet(
                chosen, header_row=None, skip_rows=skip_rows, n_rows=1, dtypes='string'
            )
            body = book.load_sheet(chosen, header_row=None, skip_rows=skip_rows + 1)
        except fastexcel.FastExcelError as error:
            raise UserError(f'{path}: the sheet {chosen!r} cannot be read ({error})') from error
        first = pa.table(head.to_arrow())
        self.original: list[str | None] = [
            None if not len(first) else column[0].as_py() for column in first.columns
        ]
        table = pa.table(body.to_arrow())
        width = max(len(self.original), table.num_columns)
        if not width:
            raise UserError(f'{path}: the sheet {chosen!r} is empty')
        self.original += [None] * (width - len(self.original))
        self.names, changed = usable_names(self.original)
        self.notes += changed
        columns = list(table.columns)
        columns += [pa.nulls(len(table), pa.string())] * (width - len(columns))
        self._table = pa.table(columns, names=self.names)

    def parts(self, rows: int, span: Span | None = None) -> Iterator[Part]:
        """Yield the rows in order, at most ``rows`` at a time, of a span or of all."""
        table = self._table if span is None else self._table.slice(span.first, span.rows)
        for start in range(0, len(table), rows):
            piece = table.slice(start, rows)
            yield Part(self.names, piece, [None] * len(piece))

    def spans(self, rows: int) -> list[Span]:
        """Divide the sheet into spans of ``rows`` rows, the last with what is left."""
        total = len(self._table)
        firsts = range(0, max(total, 1), rows)
        return [Span(first, min(rows, total - first)) for first in firsts]

    def empty(self) -> pa.Table:
        """Return a table with the columns and no row."""
        return self._table.schema.empty_table()
