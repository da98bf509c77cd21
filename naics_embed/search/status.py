"""How far an answer can be relied on: one word for it, in Python, HTTP, commands and files."""

from collections.abc import Sequence
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
