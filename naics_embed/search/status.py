"""How far an answer can be relied on: one word for it, in Python, HTTP, commands and files."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from naics_embed.evidence.empty_texts import says_nothing

CODED = 'coded'
COARSER = 'coarser'
UNCERTAIN = 'uncertain'
SAYS_NOTHING = 'says nothing'
STATUSES = (CODED, COARSER, UNCERTAIN, SAYS_NOTHING)
"""The best code passes the confidence; only a code of fewer digits above it does, so that one of
the ranked codes is to be chosen; not even its sector does; the text names no activity."""


class Likely(Protocol):
    """What has a probability."""

    @property
    def probability(self) -> float:
        """Of a code."""


def status_of(
    text: str, hits: Sequence[Likely], confident: Likely | None, confidence: float
) -> str:
    """Return one of `STATUSES`.

    Args:
        text: the query.
        hits: ranked codes, at least one.
        confident: the deepest code that passes the confidence; None for none.
        confidence: least probability.
    """
    if says_nothing(text):
        return SAYS_NOTHING
    if hits[0].probability >= confidence:
        return CODED
    return UNCERTAIN if confident is None else COARSER


def in_a_line(counts: Mapping[str, int]) -> str:
    """Return how many rows have each status, for the end of a job.

    >>> in_a_line({'coded': 812, 'coarser': 150, 'uncertain': 38})
    '812 sure, 150 at a coarser level, 38 to review'
    """
    review = counts.get(UNCERTAIN, 0)
    parts = [
        f'{counts.get(CODED, 0):,} sure',
        f'{counts.get(COARSER, 0):,} at a coarser level',
        f'{review:,} to review',
    ]
    nothing = counts.get(SAYS_NOTHING, 0)
    return ', '.join(parts + ([f'{nothing:,} say nothing'] if nothing else []))
