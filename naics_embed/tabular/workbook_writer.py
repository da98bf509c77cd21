"""Workbooks as people open them: types, a header that stays, a filter, no formulas."""

import datetime
import decimal
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from naics_embed.errors import UserError
from naics_embed.tabular.part_file import part_rows, read_part_table
from naics_embed.tabular.values import as_text

SHEET = 'coded'
MOST_ROWS = 2**20
MOST_COLUMNS = 2**14
MOST_CHARACTERS = 32_767
"""Of a cell."""
EXACT = 2**53
"""Whole numbers below are exact in a workbook, whose numbers are float64."""
WIDEST, NARROWEST = 60, 8
PARTS = ('probability', 'fraction')
"""Endings of columns of numbers from 0 to 1, which are shown with three decimals."""
MEASURED_ROWS = 200


def write_workbook(
    files: Sequence[Path], target: Path, schema: pa.Schema, metadata: dict[str, Any]
) -> None:
    """Write parts as one sheet of a workbook.

    Text stays text, also where it begins like a formula. Text columns whose every value is a
    number as a workbook would write it become numbers.

    Args:
        files: the parts of one schema.
        target: the workbook.
        schema: the columns.
        metadata: what is said of the output, as properties of the document.

    Raises:
        UserError: there are more rows or columns than a sheet can hold.
    """
    import xlsxwriter

    rows = sum(part_rows(file) for file in files)
    if rows >= MOST_ROWS or len(schema) > MOST_COLUMNS:
        raise UserError(
            f'{rows:,} rows of {len(schema)} columns do not fit into a sheet; write .csv or '
            '.parquet'
        )
    numeric = _numeric_columns(files, schema)
    days = _day_columns(files, schema)
    options = {
        'constant_memory': True,
        'strings_to_formulas': False,
        'strings_to_numbers': False,
        'strings_to_urls': False,
        'default_date_format': 'yyyy-mm-dd hh:mm:ss',
        'nan_inf_to_errors': False,
    }
    with xlsxwriter.Workbook(str(target), options) as book:
        for name, value in metadata.items():
            book.set_custom_property(name, str(value), 'text')
        sheet = book.add_worksheet(SHEET)
        bold = book.add_format({'bold': True, 'bottom': 1})
        formats = {
            'date': book.add_format({'num_format': 'yyyy-mm-dd'}),
            'time': book.add_format({'num_format': 'yyyy-mm-dd hh:mm:ss'}),
        }
        part = book.add_format({'num_format': '0.000'})
        for at, width in enumerate(_widths(files, schema)):
            sheet.set_column(at, at, width, part if _is_part(schema.field(at)) else None)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        for at, name in enumerate(schema.names):
            sheet.write_string(0, at, name, bold)
        line = 0
        for file in files:
            for row in zip(*(c.to_pylist() for c in read_part_table(file).columns), strict=True):
                line += 1
                for at, value in enumerate(row):
                    when = formats['date' if at in days else 'time']
                    _write(sheet, line, at, value, when, formats['date'], number=at in numeric)
        sheet.autofilter(0, 0, max(line, 1), len(schema) - 1)


def _write(
    sheet: Any, line: int, at: int, value: Any, when: Any, day: Any, *, number: bool
) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, at, value)
    elif isinstance(value, (int, float)) and _fits(value):
        sheet.write_number(line, at, value)
    elif isinstance(value, decimal.Decimal) and decimal.Decimal(float(value)) == value:
        sheet.write_number(line, at, float(value))
    elif isinstance(value, datetime.datetime):
        if value.tzinfo is None and value.year >= 1900 and not value.microsecond:
            sheet.write_datetime(line, at, value, when)
        else:
            sheet.write_string(line, at, as_text(value))
    elif isinstance(value, datetime.date) and value.year >= 1900:
        sheet.write_datetime(line, at, value, day)
    elif number and isinstance(value, str):
        if value:
            sheet.write_number(line, at, float(value))
    else:
        text = as_text(value)
        sheet.write_string(line, at, text[:MOST_CHARACTERS])


def _is_part(field: pa.Field) -> bool:
    """Whether a column holds numbers from 0 to 1."""
    return pa.types.is_floating(field.type) and _stem(field.name).endswith(PARTS)


def _stem(name: str) -> str:
    """Return the name of a column without the rank of its code."""
    return name.rstrip('_0123456789')


def _fits(value: int | float) -> bool:
    """Whether a number is the same in a workbook."""
    return abs(value) < EXACT if isinstance(value, int) else math.isfinite(value)


def _numeric_columns(files: Sequence[Path], schema: pa.Schema) -> set[int]:
    """Return the positions of text columns that hold numbers only, written as numbers are."""
    left = {at for at, field in enumerate(schema) if pa.types.is_string(field.type)}
    some: set[int] = set()
    for file in files:
        table = read_part_table(file)
        for at in sorted(left):
            values = [value for value in table.column(at).to_pylist() if value]
            if not all(_is_number(value) for value in values):
                left.discard(at)
            elif values:
                some.add(at)
    # What is added are codes, which are names and no quantities.
    return {at for at in left & some if not _stem(schema.names[at]).endswith('_code')}


def _day_columns(files: Sequence[Path], schema: pa.Schema) -> set[int]:
    """Return the positions of columns of times that are all midnight, as workbooks keep days."""
    left = {at for at, field in enumerate(schema) if pa.types.is_timestamp(field.type)}
    for file in files:
        table = read_part_table(file)
        for at in sorted(left):
            times = (value for value in table.column(at).to_pylist() if value is not None)
            if any(value.time() != datetime.time() for value in times):
                left.discard(at)
    return left


def _is_number(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    if not math.isfinite(value):
        return False
    return text in (repr(value), str(int(value)) if value.is_integer() else '')


def _widths(files: Sequence[Path], schema: pa.Schema) -> list[float]:
    widths = [len(name) for name in schema.names]
    if files:
        head = read_part_table(files[0]).slice(0, MEASURED_ROWS)
        for at, column in enumerate(head.columns):
            if _is_part(schema.field(at)):
                continue
            longest = max((len(as_text(value)) for value in column.to_pylist()), default=0)
            widths[at] = max(widths[at], longest)
    return [min(max(width + 2, NARROWEST), WIDEST) for width in widths]
