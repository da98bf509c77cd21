"""NAICS codes as columns of coordinates."""

from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.bundle.storage import coordinate_names
from naics_embed.errors import CodeError, UserError
from naics_embed.estimators.base import CoordinateTransformer
from naics_embed.estimators.columns import is_missing
from naics_embed.search.code_table import CodeTable
from naics_embed.taxonomy import canonical_code


class NaicsCoordinates(CoordinateTransformer):
    """Columns of NAICS codes → their tangent coordinates at the origin (log map).

    The coordinates are meant for linear models and trees; standardise them. For distances use
    `naics_embed.CodeTable`, since Euclidean distance of the coordinates is not geodesic distance.

    Args:
        table: directory of a bundle; None for the promoted one.
        unknown: what becomes of a code that the table does not have: ``ancestor``, the coordinates
            of its nearest ancestor there, else NaN; ``nan``; or ``error``.
        missing: what becomes of None, NaN and blanks: ``nan``, ``origin`` or ``error``.

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
    ) -> None:
        self.table = table
        self.unknown = unknown
        self.missing = missing

    def _check_parameters(self) -> None:
        self._one_of('unknown', ('ancestor', 'nan', 'error'))
        self._one_of('missing', ('nan', 'origin', 'error'))

    def _load(self) -> None:
        table = CodeTable.load(self.table)
        self.dim_ = table.bundle.space.dim
        self.axes_ = coordinate_names(self.dim_)
        self._tangents = table.tangents
        self._rows = {code: row for row, code in enumerate(table.taxonomy.codes)}
        self._vintage = table.vintage

    def _coordinates(self, values: list[Any], column: str) -> np.ndarray:
        # Most columns repeat few codes: each distinct value is looked up once.
        known: dict[Any, int] = {}
        nowhere, origin = len(self._tangents), len(self._tangents) + 1
        rows = np.empty(len(values), dtype=np.int64)
        for at, value in enumerate(values):
            missing = is_missing(value)
            key = None if missing else value
            if key not in known:
                known[key] = (
                    self._missing(at, column, nowhere, origin)
                    if missing
                    else self._row(value, at, column, nowhere)
                )
            rows[at] = known[key]
        beyond = np.zeros((2, self.dim_))
        beyond[0] = np.nan
        return np.vstack([self._tangents, beyond])[rows]

    def _missing(self, at: int, column: str, nowhere: int, origin: int) -> int:
        if self.missing == 'error':
            raise UserError(
                f'column {column}, row {at}: the code is missing; set missing="nan" or "origin"'
            )
        return origin if self.missing == 'origin' else nowhere

    def _row(self, value: Any, at: int, column: str, nowhere: int) -> int:
        text = _spelling(value)
        try:
            key = canonical_code(text)
        except CodeError:
            key = ''
        if key in self._rows:
            return self._rows[key]
        if self.unknown == 'error':
            raise CodeError(
                f'column {column}, row {at}: {value!r} is not a code of NAICS {self._vintage}; '
                'set unknown="ancestor" or "nan"'
            )
        if self.unknown == 'ancestor':
            for size in range(len(key) - 1, 1, -1):
                above = canonical_code(key[:size])
                if above in self._rows:
                    return self._rows[above]
        return nowhere


def _spelling(value: Any) -> str:
    """Write a code as digits: a column of whole numbers with gaps arrives as floats."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
