"""The codes of a classification by level, ranked by the probabilities of the deepest ones."""

from collections.abc import Mapping, Sequence

import numpy as np

from naics_embed.search.searcher import Hit, Searcher
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS, canonical_code

Sums = dict[int, np.ndarray]
"""Level → probabilities of its codes, float64 ``(q, codes)``."""
Ranked = tuple[tuple[Hit, ...], tuple[Hit, ...], Hit | None]
"""Ranked codes, the path to the first of them, and the confident code."""


class CodeLevels:
    """The codes of each level that have leaves, which are the deepest codes.

    Attributes:
        codes: all codes.
        levels: numbers of the levels, top first.
        leaf_level: the deepest.
        first: level → where the leaves below each of its codes begin.
    """

    def __init__(
        self,
        texts: tuple[Sequence[str], Sequence[str], Sequence[str], np.ndarray],
        ancestors: Mapping[int, np.ndarray],
    ) -> None:
        """Index the codes.

        Args:
            texts: codes, official spellings, titles and levels, one a code.
            ancestors: level → position of the ancestor-or-self of each leaf, ascending; levels from
                the top.
        """
        self.codes, self.official, self.titles, self.level = texts
        self.levels = tuple(ancestors)
        self.leaf_level = self.levels[-1]
        self.first = {
            level: np.flatnonzero(np.diff(above, prepend=-1)) for level, above in ancestors.items()
        }
        self._rows = {level: above[self.first[level]] for level, above in ancestors.items()}

    @classmethod
    def of_searcher(cls, searcher: Searcher) -> 'CodeLevels':
        """Return the codes of a table of NAICS."""
        codes = searcher.codes
        index = {code: i for i, code in enumerate(codes)}
        leaves = [codes[leaf] for leaf in np.flatnonzero(searcher.level == LEAF_LEVEL).tolist()]
        ancestors = {
            level: np.array([index[canonical_code(leaf[:level])] for leaf in leaves])
            for level in LEVELS
        }
        return cls((codes, searcher.official, searcher.titles, searcher.level), ancestors)

    def sums(self, probabilities: np.ndarray) -> Sums:
        """Return the probabilities of each level from those of the leaves ``(q, leaves)``."""
        return {
            level: np.add.reduceat(probabilities, first, axis=1)
            if level < self.leaf_level
            else probabilities
            for level, first in self.first.items()
        }

    def ranked(
        self,
        sums: Sums,
        row: int,
        distances: np.ndarray | None,
        k: int,
        level: int,
        confidence: float,
    ) -> Ranked:
        """Return the best codes of a level, the path to the first of them and the confident code.

        Args:
            sums: see `sums`.
            row: of a text in them.
            distances: ``(codes,)`` of the text; None where it has no point.
            k: how many codes.
            level: of the codes.
            confidence: least probability of the confident code.
        """
        own = sums[level][row]
        # The first of equal ones, as the stable sort has it.
        order = [int(np.argmax(own))] if k == 1 else np.argsort(-own, kind='stable')[:k].tolist()
        hits = tuple(self.hit(level, i, distances, own[i]) for i in order)
        best = int(self.first[level][order[0]])
        path = []
        for at, first in self.first.items():
            if at > level:
                break
            i = int(np.searchsorted(first, best, side='right')) - 1
            path.append(self.hit(at, i, distances, sums[at][row][i]))
        passing = [hit for hit in path if hit.probability >= confidence]
        return hits, tuple(path), passing[-1] if passing else None

    def hit(self, level: int, column: int, distances: np.ndarray | None, probability: float) -> Hit:
        """Return a code of a level by its position in the level."""
        code = int(self._rows[level][column])
        return Hit(
            self.codes[code],
            self.official[code],
            self.titles[code],
            int(self.level[code]),
            float('nan') if distances is None else float(distances[code]),
            float(min(probability, 1.0)),
        )
