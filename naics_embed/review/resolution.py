"""What the decisions of an item come to."""

from collections.abc import Iterable
from dataclasses import dataclass

REVIEWER, ARBITER, ADMINISTRATOR = 'reviewer', 'arbiter', 'administrator'
ROLES = (REVIEWER, ARBITER, ADMINISTRATOR)
CODE, VAGUE, NOT_BUSINESS, SKIP, UNDO = 'code', 'vague', 'not_business', 'skip', 'undo'
ACTIONS = (CODE, VAGUE, NOT_BUSINESS, SKIP, UNDO)
ANSWERS = (CODE, VAGUE, NOT_BUSINESS)
"""Actions that answer; the others take back or put off."""
AUTOMATIC, AUDIT, REVIEW, UNREADABLE = 'automatic', 'audit', 'review', 'unreadable'
"""Kinds of items: accepted without people; accepted, but drawn for the audit; for people; no text
that can be coded."""
OPEN, CONFLICT, DONE = 'open', 'conflict', 'done'
"""States of items for people; the others have their kind as their state."""
BY_CODER = 'coder'


@dataclass(frozen=True)
class Decision:
    """A row of the history of an item.

    Attributes:
        user: number of the user.
        role: ``reviewer``, or ``arbiter`` where it settles a conflict or overrides.
        action: one of `ACTIONS`.
        code: the code, where the action is ``code``.
    """

    user: int
    role: str
    action: str
    code: str | None = None

    @property
    def answer(self) -> str:
        """The code, or what is said instead of one."""
        return self.code if self.action == CODE and self.code is not None else self.action


@dataclass(frozen=True)
class Settled:
    """What an item has come to.

    Attributes:
        state: ``open``, ``conflict`` or ``done``.
        final: the code, ``vague`` or ``not_business``; None while it is not done.
        by: ``reviewer`` or ``arbiter``; None while it is not done.
    """

    state: str
    final: str | None = None
    by: str | None = None


def standing(history: Iterable[Decision]) -> dict[tuple[int, str], Decision]:
    """Return the decision of each user and role that was neither undone nor put off.

    Args:
        history: decisions of an item, the earliest first.
    """
    last: dict[tuple[int, str], Decision] = {}
    for one in history:
        last.pop((one.user, one.role), None)
        last[one.user, one.role] = one
    return {who: one for who, one in last.items() if one.action in ANSWERS}


def settle(history: Iterable[Decision], coders: int) -> Settled:
    """Return what the decisions of an item come to.

    An arbiter's decision counts alone, the last of several. Without one, two reviewers who differ
    are a conflict, also where only one was asked for.

    Args:
        history: decisions of an item, the earliest first.
        coders: how many reviewers must decide.

    Example:
        >>> a, b = Decision(1, 'reviewer', 'code', '111110'), Decision(2, 'reviewer', 'vague')
        >>> settle([a], 2).state, settle([a, b], 2).state, settle([a], 1).final
        ('open', 'conflict', '111110')
    """
    stand = standing(history)
    arbiters = [one for (_, role), one in stand.items() if role == ARBITER]
    if arbiters:
        return Settled(DONE, arbiters[-1].answer, ARBITER)
    opinions = [one.answer for one in stand.values()]
    if len(set(opinions)) > 1:
        return Settled(CONFLICT)
    if len(opinions) >= coders:
        return Settled(DONE, opinions[0], REVIEWER)
    return Settled(OPEN)
