"""Sets of codes that hold the right one with a stated probability."""

from collections.abc import Sequence

import numpy as np

from naics_embed.bundle.storage import CODER, Bundle
from naics_embed.errors import UserError
from naics_embed.evidence.conformal import Conformal, chosen_codes, group_of
from naics_embed.search.answer import CodeSet
from naics_embed.search.code_levels import CodeLevels, Sums
from naics_embed.search.options import check_coverage
from naics_embed.search.searcher import Hit
from naics_embed.search.storage import CONFORMAL
from naics_embed.taxonomy import LEVELS


class CodeSets:
    """Draws the sets of one level.

    Args:
        levels: the codes.
        conformal: scores of labelled queries.
        coverage: the probability.
        level: of the codes.
    """

    def __init__(
        self, levels: CodeLevels, conformal: Conformal, coverage: float, level: int
    ) -> None:
        self.levels, self.conformal = levels, conformal
        self.coverage, self.level = coverage, level

    @classmethod
    def of_bundle(
        cls,
        levels: CodeLevels,
        conformal: Conformal | None,
        coverage: float,
        level: int,
        bundle: Bundle,
    ) -> 'CodeSets':
        """Return the sets of a bundle.

        Raises:
            UserError: the coverage is out of range, or the bundle has no scores of queries.
        """
        check_coverage(coverage)
        if conformal is None:
            raise UserError(
                f'bundle {bundle.path} was exported without {CODER}/{CONFORMAL}, which sets with '
                'a coverage need; run the pipeline again, or leave out coverage'
            )
        return cls(levels, conformal, coverage, level)

    def thresholds(self, gates: np.ndarray) -> np.ndarray:
        """Return the thresholds of set and node of texts, float64 ``(q, 2)``, from their gates."""
        groups = group_of(gates)
        columns = (LEVELS.index(self.level), len(LEVELS))
        return np.column_stack(
            [self.conformal.thresholds(groups, column, self.coverage) for column in columns]
        )

    def drawn(
        self,
        sums: Sums,
        row: int,
        distances: np.ndarray,
        path: Sequence[Hit],
        thresholds: np.ndarray,
    ) -> CodeSet:
        """Return the set of a text.

        Args:
            sums: probabilities of the codes of each level.
            row: of the text in them.
            distances: ``(codes,)`` of the text.
            path: the best code's ancestors and itself.
            thresholds: ``(2,)``, of the text.
        """
        of_set, of_node = thresholds.tolist()
        own = sums[self.level][row]
        hits = tuple(
            self.levels.hit(self.level, i, distances, own[i])
            for i in chosen_codes(own, of_set).tolist()
        )
        holding = [hit for hit in path if hit.probability > of_node]
        return CodeSet(self.coverage, hits, holding[-1] if holding else None)
