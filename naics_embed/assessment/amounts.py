"""Amounts in a column of a user's table."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.errors import UserError
from naics_embed.search.bulk import texts_of
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.open import ReadOptions, open_table

PART_ROWS = 8192
GROUPED = re.compile(r'\d{1,3}(,\d{3})+(\.\d*)?')
"""A number with commas between thousands."""


def read_amounts(
    source: Path, column: str, rows: Sequence[int], reading: ReadOptions | None = None
) -> np.ndarray:
    """Return the amounts of some rows of a table, float64.

    Args:
        source: a table that `open_table` reads.
        column: of amounts of at least 0; ``$1,200.50`` is read too.
        rows: positions from 1, after the header.
        reading: what the user says about the file.

    Raises:
        UserError: the column is missing, or one of these rows has no amount.
    """
    table = open_table(source, reading)
    check_text_column(source, column, table.names, table.original)
    values: list[Any] = []
    for part in table.parts(PART_ROWS):
        values += texts_of(part, column)
    return np.array([_amount(values[row - 1], row, column, source) for row in rows])


def _amount(value: Any, row: int, column: str, source: Path) -> float:
    text = str(value).strip().lstrip('$€£ ') if value is not None else ''
    try:
        amount = float(text.replace(',', '') if GROUPED.fullmatch(text) else text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount < math.inf:
        raise UserError(
            f'{source}, row {row}: {column} is {value!r}, which is no number of at least 0; '
            'correct it or leave the row out'
        )
    return amount
