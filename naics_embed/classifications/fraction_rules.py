"""How a code with several counterparts is divided, and where its fractions come from."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

EXACT = 'exact'
GIVEN = 'given'
FITTED = 'fitted'
EQUAL = 'estimate (equal)'
TEXT = 'estimate (text)'
METHODS = (EXACT, GIVEN, FITTED, TEXT, EQUAL)
"""Where a fraction comes from, the most certain first; a chain has the least certain one."""


class FractionRule(Protocol):
    """Gives the parts of a code that has several counterparts in a direct correspondence."""

    def parts(
        self, source: str, code: str, target: str, targets: Sequence[str]
    ) -> tuple[np.ndarray, str]:
        """Return weights, one a target, and one of `METHODS`.

        Args:
            source: name of the classification of the code.
            code: canonical code of the deepest level.
            target: name of the classification of the targets.
            targets: canonical codes, at least two.
        """
        ...

    def prepare(self, path: Sequence[str]) -> None:
        """Get ready for all codes of a chain of classifications; single codes need no such call."""
        ...


class EqualParts:
    """All parts alike."""

    def parts(
        self, source: str, code: str, target: str, targets: Sequence[str]
    ) -> tuple[np.ndarray, str]:
        """Return equal weights; see `FractionRule`."""
        return np.ones(len(targets)), EQUAL

    def prepare(self, path: Sequence[str]) -> None:
        """Do nothing."""
