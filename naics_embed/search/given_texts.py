"""Texts as callers hand them over: a string, a list, a column of numpy, pandas, polars or Arrow."""

from collections.abc import Iterable, Mapping
from typing import Any

from naics_embed.errors import UserError


def as_texts(texts: Any) -> list[Any]:
    """Return texts as a list.

    Args:
        texts: one string, a sequence of strings, an array of one dimension, a Series, an Arrow
            array, or a table with one column.

    Raises:
        UserError: it is a table of several columns, a mapping, or nothing that holds texts.

    Example:
        >>> as_texts('dog grooming'), as_texts(('a', 'b'))
        (['dog grooming'], ['a', 'b'])
    """
    if isinstance(texts, str):
        return [texts]
    names = _column_names(texts)
    if names is not None:
        if len(names) != 1:
            raise UserError(
                f'give one column of texts, such as table[{names[0] if names else "text"!r}], not '
                f'a {type(texts).__name__} of {len(names)} columns'
            )
        return as_texts(texts[names[0]])
    if isinstance(texts, (bytes, Mapping)) or hasattr(texts, 'collect_schema'):
        hint = '; call collect() first' if hasattr(texts, 'collect_schema') else ''
        raise UserError(f'give a text or a list of texts, not a {type(texts).__name__}{hint}')
    for method in ('to_pylist', 'to_list', 'tolist'):
        if hasattr(texts, method):
            values = getattr(texts, method)()
            if not isinstance(values, list) or any(isinstance(value, list) for value in values):
                raise UserError('give an array of one dimension with a text in each place')
            return values
    if not isinstance(texts, Iterable):
        raise UserError(f'give a text or a list of texts, not {texts!r}')
    return list(texts)


def _column_names(texts: Any) -> list[Any] | None:
    """Return the names of the columns of a table in memory, None for anything else."""
    if hasattr(texts, 'collect_schema') and not hasattr(texts, 'get_column'):
        return None
    if hasattr(texts, 'column_names') and hasattr(texts, 'num_rows'):
        return list(texts.column_names)
    if hasattr(texts, 'columns') and hasattr(texts, 'shape'):
        return list(texts.columns)
    return None
