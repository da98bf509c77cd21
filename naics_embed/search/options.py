"""Options of a search, checked before anything is loaded: this needs neither torch nor a bundle."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeGuard

from naics_embed.errors import UserError
from naics_embed.taxonomy import LEVELS


def check_k_and_level(k: int, level: int, levels: Sequence[int] = LEVELS) -> None:
    """Raise UserError where the number of codes or the level is out of range, or no number."""
    if not is_whole(k) or k < 1:
        raise UserError(f'k must be at least 1, not {k!r}')
    if not is_whole(level) or level not in levels:
        raise UserError(f'level must be one of {", ".join(map(str, levels))}, not {level!r}')


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number, of Python or NumPy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_confidence(confidence: object) -> None:
    """Raise UserError where the confidence is no number above 0 and at most 1."""
    if not isinstance(confidence, Real) or not 0 < float(confidence) <= 1:
        raise UserError(f'confidence must be above 0 and at most 1, not {confidence!r}')


def check_evidence(evidence: object) -> None:
    """Raise UserError where the number of pieces of evidence is no whole number of at least 0."""
    if not is_whole(evidence) or evidence < 0:
        raise UserError(f'evidence must be at least 0, not {evidence!r}')


def check_coverage(coverage: object) -> None:
    """Raise UserError where the coverage is no number above 0 and below 1."""
    if not isinstance(coverage, Real) or not 0 < float(coverage) < 1:
        raise UserError(f'coverage must be above 0 and below 1, not {coverage!r}')
