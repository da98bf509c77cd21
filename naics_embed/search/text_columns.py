"""Which columns of a table hold texts, and how much each of them says about the industry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from naics_embed.errors import UserError
from naics_embed.evidence.empty_texts import says_nothing
from naics_embed.search.searcher import text_fault
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.part import Part, TableSource

FULL = 1.0
NAME_WEIGHT = 0.2
"""Of a column with names of companies beside one of descriptions."""
NAMES = frozenset(
    [
        *('name', 'names', 'company', 'companyname', 'firm', 'firmname', 'business'),
        *('businessname', 'legalname', 'legalbusinessname', 'tradename', 'dba', 'doingbusinessas'),
        *('employer', 'employername', 'organisation', 'organization', 'organisationname'),
        *('organizationname', 'establishment', 'establishmentname', 'entityname', 'accountname'),
        *('vendor', 'vendorname'),
    ]
)
"""Names of such columns, in small letters and without anything between the words."""
BETWEEN = '. '
"""What stands between the texts of several columns that are read as one."""


@dataclass(frozen=True)
class TextColumn:
    """A column of texts.

    Attributes:
        name: of the column.
        weight: from above 0 to 1. Columns of weight 1 are read as one text; the probabilities of a
            lighter one are multiplied by theirs to the power of its weight.
    """

    name: str
    weight: float = FULL


TextColumns = str | tuple[TextColumn, ...]
"""One column by its name, or several."""


def as_columns(given: TextColumns) -> tuple[TextColumn, ...]:
    """Return columns; one that is named alone has the full weight."""
    return (TextColumn(given),) if isinstance(given, str) else given


def text_columns(names: Sequence[str], weights: Sequence[str] = ()) -> tuple[TextColumn, ...]:
    """Return columns with their weights.

    Where there are several, one whose name says that it holds names of companies gets
    `NAME_WEIGHT`, any other the full weight.

    Args:
        names: of the columns.
        weights: ``NAME=WEIGHT`` of columns that are to have another one.

    Raises:
        UserError: a column is named twice, or a weight is none, or of another column.
    """
    twice = [name for name in names if list(names).count(name) > 1]
    if twice:
        raise UserError(f'the text column {twice[0]!r} is named twice; name it once')
    chosen: dict[str, float] = {}
    for given in weights:
        name, _, number = given.rpartition('=')
        try:
            chosen[name] = float(number)
        except ValueError:
            chosen[name] = 0.0
        if name not in names or not 0 < chosen[name] <= FULL:
            raise UserError(
                f'--weight {given!r} must be COLUMN=WEIGHT, with a weight above 0 and at most 1, '
                f'of one of the text columns {", ".join(names)}'
            )
    alone = len(names) == 1
    return tuple(
        TextColumn(name, FULL if alone else chosen.get(name, _default(name))) for name in names
    )


def check_text_columns(source: object, columns: Sequence[TextColumn], table: TableSource) -> None:
    """Raise UserError where a table lacks a column, has several of its name, or holds no text."""
    schema = table.empty().schema
    for column in columns:
        check_text_column(source, column.name, table.names, table.original)
        kind = schema.field(column.name).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        blobs = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_null)
        if not any(is_kind(inner) for is_kind in (*texts, *blobs)):
            raise UserError(f'{source}: the column {column.name!r} holds {kind}, not text')


@dataclass(frozen=True)
class RowTexts:
    """The texts of rows.

    Attributes:
        main: the text of each row, of the columns with the full weight.
        lighter: weight and text of each row, for each other column.
    """

    main: list[Any]
    lighter: tuple[tuple[float, list[Any]], ...] = ()


def row_texts(part: Part, columns: Sequence[TextColumn]) -> RowTexts:
    """Return the texts of a part; bytes are read as UTF-8."""
    alone = len(columns) == 1
    full = [texts_of(part, one.name) for one in columns if alone or one.weight == FULL]
    lighter = tuple(
        (one.weight, texts_of(part, one.name)) for one in columns if not alone and one.weight < FULL
    )
    if len(full) == 1:
        return RowTexts(full[0], lighter)
    main = [_joined(values) for values in zip(*full, strict=True)] if full else [None] * len(part)
    return RowTexts(main, lighter)


def describe(columns: Sequence[TextColumn]) -> str:
    """Return the columns with their weights in a few words."""
    return ', '.join(f'{one.name} (weight {one.weight:g})' for one in columns)


def _default(name: str) -> float:
    plain = ''.join(character for character in name.casefold() if character.isalnum())
    return NAME_WEIGHT if plain in NAMES else FULL


def texts_of(part: Part, column: str) -> list[Any]:
    """Return the texts of a column; bytes are read as UTF-8."""
    return [
        value.decode('utf-8', 'surrogateescape') if isinstance(value, bytes) else value
        for value in part.column(column)
    ]


def _joined(values: Sequence[Any]) -> Any:
    """Return the texts of a row as one; where none says anything, the first that is there."""
    good = [value for value in values if text_fault(value) is None and not says_nothing(value)]
    if good:
        return BETWEEN.join(dict.fromkeys(value.strip() for value in good))
    return next((value for value in values if value not in (None, '')), None)
