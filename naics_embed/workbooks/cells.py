"""Extent of a sheet and size of the text in its cells, measured from the cells."""

import re
from array import array

from naics_embed.errors import SourceError
from naics_embed.workbooks.limits import WorkbookLimits, beyond
from naics_embed.workbooks.markup import ElementReader, local_name

ROWS = 1_048_576
COLUMNS = 16_384
"""Bounds of the format; Excel has no cell beyond XFD1048576."""

_REFERENCE = re.compile(r'([A-Za-z]{1,3})([1-9][0-9]{0,6})')
_ROW = re.compile(r'[1-9][0-9]{0,6}')
_KEPT = 40
"""Characters of a value that are kept: a number or the index of a shared string."""
_LONGEST_NUMBER = 330
"""Digits of 5e-324 or 1e308, which the reader writes out."""


class Budget:
    """Cells and text of all sheets of a workbook so far."""

    def __init__(self, limits: WorkbookLimits, name: str) -> None:
        self.limits = limits
        self.name = name
        self.cells = 0
        self.text_bytes = 0

    def use_text(self, size: int, where: str) -> None:
        """Count text of a cell. Raises SourceError beyond the limit."""
        self.text_bytes += size
        if self.text_bytes > self.limits.max_text_bytes:
            raise SourceError(
                f'{where}: the text of the cells is {beyond("max_text_bytes", self.limits)} bytes, '
                'a shared string counted where it is used; split the workbook, or raise that limit'
            )


class StringsReader(ElementReader):
    """Sizes of the shared strings.

    Attributes:
        sizes: bytes of each.
    """

    def __init__(self, limits: WorkbookLimits, where: str) -> None:
        super().__init__()
        self.sizes = array('Q')
        self._limits = limits
        self._where = where
        self._in_text = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a string or a piece of one."""
        self.depth += 1
        if ':' in name:
            name = local_name(name)
        if name == 'si':
            self.sizes.append(0)
            if len(self.sizes) > self._limits.max_strings:
                raise SourceError(
                    f'{self._where}: it has {beyond("max_strings", self._limits)} shared strings; '
                    'split the workbook, or raise that limit'
                )
        self._in_text = name == 't'

    def text(self, content: str) -> None:
        """Count the bytes of a piece."""
        if self._in_text and self.sizes:
            self.sizes[-1] += _bytes(content)

    def end(self, name: str) -> None:
        """End a piece."""
        self.depth -= 1
        self._in_text = False


class SheetReader(ElementReader):
    """Rows and columns of one sheet.

    The extent that the sheet declares (``dimension``) and merged ranges do not count: readers use
    the cells. A cell without content does not count either, since spreadsheet programs keep
    many that have only a format.

    Attributes:
        rows: number of the last row that has content.
        columns: number of the last such column.
    """

    def __init__(self, budget: Budget, strings: array, where: str) -> None:
        super().__init__()
        self.rows = 0
        self.columns = 0
        self._budget = budget
        self._strings = strings
        self._where = where
        self._data_depth = 0
        self._row = 0
        self._row_digits = _NONE
        self._column = 0
        self._kind: str | None = None
        self._counted = True
        self._in_value = False
        self._value = ''

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Follow rows, cells and their content."""
        self.depth += 1
        if ':' in name:
            name = local_name(name)
        if not self._data_depth:
            if name == 'sheetData':
                self._data_depth = self.depth
        elif name == 'c':
            self._locate(attributes.get('r'))
            self._kind = attributes.get('t')
            self._counted = False
        elif name == 'row':
            self._begin_row(attributes.get('r'))
        else:
            if not self._counted:
                self._counted = True
                if self._row > self.rows or self._column > self.columns:
                    self._reach(self._row, self._column)
            if name == 'v':
                self._value = ''
                self._in_value = True
            elif name == 't':
                self._in_value = True
                self._kind = 'str'

    def text(self, content: str) -> None:
        """Count the text of a cell, and keep what may be an index or a number."""
        if self._in_value:
            kind = self._kind
            if (kind is None or kind in 'ns') and len(self._value) < _KEPT:
                self._value += content[:_KEPT]
            if kind != 's':
                self._budget.use_text(_bytes(content), self._where)

    def end(self, name: str) -> None:
        """Take in a value that is complete."""
        self.depth -= 1
        if ':' in name:
            name = local_name(name)
        if name == 'v':
            self._in_value = False
            if self._kind == 's':
                self._use_shared()
            elif self._kind in (None, 'n') and 'e' in self._value.lower():
                self._budget.use_text(_LONGEST_NUMBER, self._where)
        elif name == 't':
            self._in_value = False
        elif self.depth < self._data_depth:
            self._data_depth = 0

    def _begin_row(self, reference: str | None) -> None:
        self._column = 0
        self._counted = True
        if reference is None:
            self._row += 1
            self._row_digits = _NONE
        elif _ROW.fullmatch(reference) and int(reference) <= ROWS:
            self._row = int(reference)
            self._row_digits = reference
        else:
            raise SourceError(
                f'{self._where}: a row has the number {reference[:_KEPT]!r}; '
                f'rows are numbered from 1 to {ROWS:,}. {_REPAIR}'
            )

    def _locate(self, reference: str | None) -> None:
        column = self._column + 1
        if reference is None:
            self._row = max(self._row, 1)
        else:
            # Nearly all cells repeat the number of their row after a letter.
            named = 0
            if reference.endswith(self._row_digits):
                named = _LETTERS.get(reference.removesuffix(self._row_digits), 0)
            if not named:
                row, named = self._parsed(reference)
                # A reader may count on from either; the larger one bounds both.
                self._row = max(self._row, row)
            if named > column:
                column = named
        self._column = column

    def _parsed(self, reference: str) -> tuple[int, int]:
        match = _REFERENCE.fullmatch(reference)
        row, column = (int(match[2]), _number(match[1])) if match else (0, 0)
        if not 1 <= row <= ROWS or not 1 <= column <= COLUMNS:
            raise SourceError(
                f'{self._where}: a cell has the reference {reference[:_KEPT]!r}; '
                f'references go from A1 to XFD{ROWS}. {_REPAIR}'
            )
        return row, column

    def _reach(self, row: int, column: int) -> None:
        """Extend the sheet to a cell."""
        if row > ROWS or column > COLUMNS:
            raise SourceError(
                f'{self._where}: a cell lies in row {row:,}, column {column:,}, '
                f'and the last one of a sheet is XFD{ROWS}. {_REPAIR}'
            )
        self.rows, self.columns = max(self.rows, row), max(self.columns, column)
        cells = self.rows * self.columns
        limits = self._budget.limits
        if self._budget.cells + cells > limits.max_cells:
            raise SourceError(
                f'{self._where}: with a cell in row {row:,}, column {column:,} it spans '
                f'{self.rows:,} × {self.columns:,} = {cells:,} cells, and all sheets together '
                f'{beyond("max_cells", limits)}. Delete what lies far outside of the table (in '
                'Excel, Ctrl+End goes to the last cell), split the table, or raise that limit'
            )

    def _use_shared(self) -> None:
        try:
            index = int(self._value)
            size = self._strings[index] if index >= 0 else None
        except (ValueError, IndexError):
            size = None
        if size is None:
            raise SourceError(
                f'{self._where}: a cell has the shared string {self._value!r}, and there are '
                f'{len(self._strings):,}. {_REPAIR}'
            )
        self._budget.use_text(size, self._where)


_REPAIR = 'Save the workbook again with Excel or LibreOffice'


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number(letters: str) -> int:
    """Return the number of a column, from 1."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord('A') + 1
    return number


_LETTERS = {letter: _number(letter) for letter in 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'}
_NONE = '\0'
"""Ends no reference."""
