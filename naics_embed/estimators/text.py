"""Descriptions as columns of coordinates."""

from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.bundle.storage import coordinate_names
from naics_embed.errors import UserError
from naics_embed.estimators.base import CoordinateTransformer
from naics_embed.estimators.columns import is_missing
from naics_embed.geometry.arrays import log0
from naics_embed.search.searcher import Searcher, text_fault


class NaicsTextEncoder(CoordinateTransformer):
    """Columns of descriptions → tangent coordinates of their points, in the space of the codes.

    Args:
        table: directory of a bundle; None for the promoted one.
        missing: policy for None, NaN and blanks: ``nan``, ``origin`` or ``error``.

    Attributes:
        n_features_in_: columns seen in `fit`.
        feature_names_in_: their names, if they had any.
        axes_: names of the coordinates.
        dim_: dimensions.
    """

    _column = 'text'

    def __init__(self, table: str | Path | None = None, *, missing: str = 'nan') -> None:
        self.table = table
        self.missing = missing

    def _check_parameters(self) -> None:
        self._one_of('missing', ('nan', 'origin', 'error'))

    def _load(self) -> None:
        self._searcher = Searcher.load(self.table)
        self.dim_ = self._searcher.space.dim
        self.axes_ = coordinate_names(self.dim_)

    def __getstate__(self) -> dict[str, Any]:
        # The encoder is read from the bundle again: 90 MB do not belong in a saved pipeline.
        return {key: value for key, value in super().__getstate__().items() if key != '_searcher'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, 'dim_'):
            self._searcher = Searcher.load(self.table)

    def _coordinates(self, values: list[Any], column: str) -> np.ndarray:
        rows, texts = [], []
        filler = 0.0 if self.missing == 'origin' else np.nan
        result = np.full((len(values), self.dim_), filler)
        for at, value in enumerate(values):
            fault = None if is_missing(value) else text_fault(str(value))
            if is_missing(value) and self.missing == 'error':
                raise UserError(
                    f'column {column}, row {at}: the text is missing; set missing="nan" or "origin"'
                )
            if fault is not None:
                raise UserError(f'column {column}, row {at}: the text {fault}')
            if not is_missing(value):
                rows.append(at)
                texts.append(str(value))
        points = self._searcher.place(texts)
        result[rows] = log0(points, self._searcher.space.curvature)
        return result
