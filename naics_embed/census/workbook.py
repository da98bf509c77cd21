"""Reading of a sheet as strings, with errors that name file, sheet, row and column."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl

from naics_embed.census.files import Workbook
from naics_embed.census.sources import SourceFile
from naics_embed.errors import CodeError, SourceError
from naics_embed.taxonomy import Taxonomy, canonical_code
from naics_embed.workbooks.check import check_workbook

if TYPE_CHECKING:
    from fastexcel import ExcelReader

log = logging.getLogger(__name__)

ROW = 'row'
_HEADER_SEARCH_ROWS = 10
_NAMED_ROWS = 5


def read_sheet(file: SourceFile, workbook: Workbook) -> pl.DataFrame:
    """Read the columns of a workbook that matter, every cell a string.

    Letting the reader infer types would turn the codes into integers and lose the ranges
    (31-33). The header may be a few rows down, and blanks and case in it do not matter. Rows
    that are empty in all columns are dropped. A sheet of another name is used, with a warning,
    where it is the only one with the columns.

    Returns:
        ``row`` (int64, number of the row in the sheet, from 1) and one str column for each of
        ``workbook.columns``, under the names used here; an empty cell is null.

    Raises:
        SourceError: the file cannot be read, is too large, or lacks the sheet or a column.
    """
    import fastexcel

    if not file.checked:
        check_workbook(file.path, name=str(file.path))
    with _reader_errors(file):
        reader = fastexcel.read_excel(file.path)
        sheet = _choose_sheet(reader, file, workbook)
        cells = _cells(reader, sheet)
    header = _find_header(cells, workbook)
    if header is None:
        raise _missing_columns(cells, file, sheet, workbook)
    row, positions = header
    names = [name for name, _ in workbook.columns]
    frame = cells.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW),
        *(pl.nth(position).alias(name) for position, name in zip(positions, names, strict=True)),
    ).slice(row + 1)
    blank = [pl.col(name).str.strip_chars().fill_null('') == '' for name in names]
    return frame.filter(~pl.all_horizontal(blank))


@contextmanager
def _reader_errors(file: SourceFile) -> Iterator[None]:
    import fastexcel

    try:
        yield
    except fastexcel.FastExcelError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f'{file.path} cannot be read as a workbook: {reason}; '
            'save it again with Excel or LibreOffice'
        ) from error


def checked_codes(
    frame: pl.DataFrame,
    file: SourceFile,
    workbook: Workbook,
    edition: str,
    taxonomy: Taxonomy | None = None,
) -> list[str]:
    """Return the canonical codes of the column ``code`` of `read_sheet`.

    Args:
        frame: rows as `read_sheet` gives them.
        file: where they come from, for the message.
        workbook: which one it is, for the message.
        edition: title of the edition, for the message.
        taxonomy: where given, every code must be in it.

    Raises:
        SourceError: cells hold no code, or one that is not in the taxonomy.
    """
    codes: list[str] = []
    wrong: list[str] = []
    for row, cell in frame.select(ROW, 'code').iter_rows():
        try:
            # A code column formatted as a decimal number comes as 111110.0.
            code = canonical_code((cell or '').strip().removesuffix('.0'))
        except CodeError:
            wrong.append(f'row {row}: {cell!r}')
            continue
        if taxonomy is not None and code not in taxonomy:
            wrong.append(f'row {row}: {cell!r} (not among the {len(taxonomy):,} codes)')
        codes.append(code)
    if wrong:
        header = dict(workbook.columns)['code']
        more = f' and {len(wrong) - _NAMED_ROWS} more' if len(wrong) > _NAMED_ROWS else ''
        raise SourceError(
            f'{file.path}, column {header!r}: {len(wrong)} of {len(frame):,} rows have no valid '
            f'{edition} code: {"; ".join(wrong[:_NAMED_ROWS])}{more}. '
            f'Use {workbook.file_name!r} of {edition}'
        )
    return codes


def _choose_sheet(reader: 'ExcelReader', file: SourceFile, workbook: Workbook) -> str:
    names = reader.sheet_names
    if workbook.sheet in names:
        return workbook.sheet
    fitting = [name for name in names if _find_header(_cells(reader, name), workbook) is not None]
    if len(fitting) == 1:
        log.warning(
            '%s has no sheet %r; its sheet %r has the columns and is used',
            file.path,
            workbook.sheet,
            fitting[0],
        )
        return fitting[0]
    headers = ', '.join(repr(header) for _, header in workbook.columns)
    fault = f'several have its columns: {", ".join(fitting)}' if fitting else 'none has its columns'
    raise SourceError(
        f'{file.path} has no sheet {workbook.sheet!r}, and of its sheets ({", ".join(names)}) '
        f'{fault} ({headers})'
    )


def _cells(reader: 'ExcelReader', sheet: str) -> pl.DataFrame:
    # With skip_rows=0 blank rows at the top are kept, so that row numbers are those of the sheet.
    return reader.load_sheet(sheet, header_row=None, skip_rows=0, dtypes='string').to_polars()


def _find_header(cells: pl.DataFrame, workbook: Workbook) -> tuple[int, list[int]] | None:
    """Return the row of the header and the position of each column of the workbook."""
    headers = [_plain(header) for _, header in workbook.columns]
    for number, row in enumerate(cells.head(_HEADER_SEARCH_ROWS).iter_rows()):
        present = [_plain(cell) for cell in row]
        if all(present.count(header) == 1 for header in headers):
            return number, [present.index(header) for header in headers]
    return None


def _missing_columns(
    cells: pl.DataFrame, file: SourceFile, sheet: str, workbook: Workbook
) -> SourceError:
    rows = cells.head(_HEADER_SEARCH_ROWS).iter_rows()
    written = ([cell for cell in row if _plain(cell)] for row in rows)
    first_row = next((row for row in written if row), [])
    present = [_plain(cell) for cell in first_row]
    lacking = [header for _, header in workbook.columns if _plain(header) not in present]
    repeated = [header for _, header in workbook.columns if present.count(_plain(header)) > 1]
    fault = ' and '.join(
        [f'lacks the column {header!r}' for header in lacking]
        + [f'has the column {header!r} more than once' for header in repeated]
    )
    listed = ', '.join(repr(cell) for cell in first_row) or 'none'
    return SourceError(
        f'{file.path}, sheet {sheet!r}: {fault}; columns found: {listed}. '
        f'Use the file as published at {workbook.url}'
    )


def _plain(cell: str | None) -> str:
    return ' '.join((cell or '').split()).casefold()
