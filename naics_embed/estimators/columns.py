"""Columns of the user: lists, numpy, pandas, polars."""

import math
from typing import Any

import numpy as np

from naics_embed.errors import UserError


def columns_of(X: Any) -> tuple[list[list[Any]], list[str] | None]:
    """Return the columns of a table or a single column, and their names if they have any.

    Args:
        X: a sequence of values, an array of one or two dimensions, or a Series or DataFrame of
            pandas or polars.

    Raises:
        UserError: X has more than two dimensions, or none.
        TypeError: X is a sparse matrix.
    """
    if hasattr(X, 'toarray') and hasattr(X, 'nnz'):
        raise TypeError('sparse data holds no codes or texts: give a dense table')
    if hasattr(X, 'columns') and hasattr(X, '__getitem__'):
        names = [str(name) for name in X.columns]
        return [_values(X[name]) for name in X.columns], names
    if getattr(X, 'name', None) is not None:
        return [_values(X)], [str(X.name)]
    array = np.asarray(X) if hasattr(X, '__array__') else np.array(_values(X), dtype=object)
    if array.ndim == 1 and len(array) and isinstance(array[0], (list, tuple, np.ndarray)):
        raise UserError('rows have different lengths: give a table of columns')
    if array.ndim == 1:
        return [array.tolist()], None
    if array.ndim != 2:
        raise UserError(f'give one column or a table of columns, not {array.ndim} dimensions')
    return [array[:, column].tolist() for column in range(array.shape[1])], None


def is_missing(value: Any) -> bool:
    """Whether a value is missing: None, NaN, NaT, pandas.NA, or a blank string."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ('NAType', 'NaTType')


def _values(column: Any) -> list[Any]:
    if hasattr(column, 'to_list'):
        return column.to_list()
    return column.tolist() if isinstance(column, np.ndarray) else list(column)
