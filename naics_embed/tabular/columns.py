"""Names of columns: every one has a name, and no two have the same."""

from collections.abc import Sequence

from naics_embed.errors import UserError

GUESSED = {
    ',': 'comma',
    ';': 'semicolon',
    '\t': 'tab',
    '|': 'vertical bar',
    ':': 'colon',
    '^': 'circumflex',
    '~': 'tilde',
}
"""Delimiters that a missing column may hide behind."""


def usable_names(names: Sequence[str | None]) -> tuple[list[str], list[str]]:
    """Return names with which columns can be told apart, and what was changed.

    An empty name becomes ``column_N``, with the position from 1; a repeated one gets a number.

    Args:
        names: as the file has them.
    """
    result: list[str] = []
    notes: list[str] = []
    taken = {name for name in names if name and name.strip()}
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if name is None or not name.strip():
            chosen = _free(f'column_{position}', taken | seen)
            notes.append(f'column {position} has no name; it is called {chosen}')
        elif name in seen:
            number = 2
            while f'{name}_{number}' in taken | seen:
                number += 1
            chosen = f'{name}_{number}'
            notes.append(
                f'column {position} is called {name!r} like another; it is called {chosen}'
            )
        else:
            chosen = name
        seen.add(chosen)
        result.append(chosen)
    return result, notes


def check_text_column(
    source: object, column: str, names: Sequence[str], original: Sequence[str | None]
) -> None:
    """Raise UserError where a table lacks a column, or has several of its name.

    Args:
        source: what the error names.
        column: the column that is wanted.
        names: names of the columns, as `usable_names` gives them.
        original: as the file has them.
    """
    times = list(original).count(column)
    if times > 1:
        positions = [str(i) for i, name in enumerate(original, start=1) if name == column]
        raise UserError(
            f'{source} has {times} columns called {column!r} (columns {", ".join(positions)}); '
            'rename all but one of them'
        )
    if column in names:
        return
    near = [name for name in names if name.strip().casefold() == column.strip().casefold()]
    hint = f'; did you mean {near[0]!r}?' if near else ''
    delimiter = _guessed_delimiter(column, names)
    if delimiter is not None:
        hint = f'; it seems to be divided by {delimiter}s: give --delimiter {delimiter!r}'
    elif len(names) == 1:
        hint = (
            '; it seems to have one column only: name the delimiter with --delimiter, or give '
            '--no-header if the first row is no header'
        )
    raise UserError(f'{source} has no column {column!r}; it has {", ".join(names)}{hint}')


def _guessed_delimiter(column: str, names: Sequence[str]) -> str | None:
    """Return what divides a name into several of which one is the column, None for nothing."""
    for delimiter, called in GUESSED.items():
        for name in names:
            fields = [field.strip().strip('"\'').casefold() for field in name.split(delimiter)]
            if len(fields) > 1 and column.strip().casefold() in fields:
                return called
    return None


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += '_'
    return name
