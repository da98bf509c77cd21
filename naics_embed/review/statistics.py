"""What a batch has shown: errors of the automatic part, agreement, and what each has decided."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from sqlalchemy import Connection, func, select

from naics_embed.review.batches import Batch
from naics_embed.review.intervals import finite_interval
from naics_embed.review.resolution import (
    ANSWERS,
    AUDIT,
    AUTOMATIC,
    DONE,
    NOT_BUSINESS,
    REVIEWER,
    SKIP,
    UNREADABLE,
    VAGUE,
    Decision,
    standing,
)
from naics_embed.review.tables import decisions, items, suggestions, users
from naics_embed.review.users import User
from naics_embed.taxonomy import LEVELS, canonical_code

Z = 1.959963984540054
"""Quantile of the normal distribution for intervals of 95 %."""


@dataclass(frozen=True)
class ErrorRate:
    """Errors among the rows that were accepted without people, by the audit.

    Attributes:
        accepted: rows at or above the threshold, the audit included.
        audited: of these, drawn and decided by people.
        pending: drawn and not decided.
        wrong: audited rows with another code than the accepted one, or with none.
        rate: fraction of wrong ones; None before any is decided.
        low: lower end of its interval of 95 % for all accepted rows, as they were before people
            corrected any.
        high: upper end.
        automation: accepted fraction of the rows with a text.
    """

    accepted: int
    audited: int
    pending: int
    wrong: int
    rate: float | None
    low: float
    high: float
    automation: float


@dataclass(frozen=True)
class Agreement:
    """How far reviewers agree on items that two decided blind.

    Attributes:
        level: digits that are compared.
        items: pairs of decisions.
        agreed: fraction of them that agree.
        kappa: Cohen's κ; None without items, or where all decisions are one code.
        low: lower end of its interval of 95 %.
        high: upper end.
    """

    level: int
    items: int
    agreed: float | None
    kappa: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Share:
    """What one reviewer has done in a batch.

    Attributes:
        user: name.
        decided: items.
        first: decided as the first suggestion.
        other: decided as another code.
        vague: too vague to code.
        not_business: no business.
        skipped: put off and not decided since.
        seconds: median time for a decision; None without any.
    """

    user: str
    decided: int
    first: int
    other: int
    vague: int
    not_business: int
    skipped: int
    seconds: float | None


def error_rate(connection: Connection, batch: Batch) -> ErrorRate:
    """Return what the audit says of the rows that were accepted without people."""
    counted = select(items.c.kind, func.count()).where(items.c.batch_id == batch.id)
    kinds = {kind: int(count) for kind, count in connection.execute(counted.group_by(items.c.kind))}
    drawn = connection.execute(
        select(items.c.final, suggestions.c.code)
        .join(suggestions, suggestions.c.item_id == items.c.id)
        .where(
            items.c.batch_id == batch.id,
            items.c.kind == AUDIT,
            items.c.state == DONE,
            suggestions.c.rank == 1,
        )
    ).all()
    here = kinds.get(AUTOMATIC, 0) + kinds.get(AUDIT, 0)
    accepted = here if batch.drawn_from is None else batch.drawn_from
    wrong = sum(row.final != row.code for row in drawn)
    low, high = finite_interval(wrong, len(drawn), accepted)
    readable = sum(kinds.values()) - kinds.get(UNREADABLE, 0) + accepted - here
    return ErrorRate(
        accepted,
        len(drawn),
        kinds.get(AUDIT, 0) - len(drawn),
        wrong,
        wrong / len(drawn) if drawn else None,
        low,
        high,
        accepted / readable if readable else 0.0,
    )


def agreement(connection: Connection, batch: Batch) -> list[Agreement]:
    """Return how far reviewers agree, for codes cut to each level."""
    rows = connection.execute(
        select(decisions)
        .join(items, items.c.id == decisions.c.item_id)
        .where(items.c.batch_id == batch.id, decisions.c.role == REVIEWER)
        .order_by(decisions.c.id)
    )
    histories: dict[int, list[Decision]] = defaultdict(list)
    for row in rows:
        histories[row.item_id].append(Decision(row.user_id, row.role, row.action, row.code))
    pairs = []
    for own in histories.values():
        by_user = sorted(standing(own).items())
        pairs += [(a.answer, b.answer) for (_, a), (_, b) in combinations(by_user, 2)]
    return [_agreement(level, pairs) for level in LEVELS]


def kappa(pairs: Sequence[tuple[str, str]]) -> tuple[float, float] | None:
    """Return Cohen's κ and its standard error (Cohen 1960).

    Args:
        pairs: what the first and the second coder said of each item.

    Returns:
        None where there are no items, or all decisions are one value.

    Example:
        >>> value, _ = kappa([('a', 'a'), ('a', 'b'), ('b', 'b'), ('b', 'b')])
        >>> value
        0.5
    """
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[value] * second[value] for value in first) / n**2
    if expected == 1:
        return None
    error = math.sqrt(observed * (1 - observed) / n) / (1 - expected)
    return (observed - expected) / (1 - expected), error


def shares(connection: Connection, batch: Batch, user: User | None = None) -> list[Share]:
    """Return what each reviewer has done, or one."""
    query = (
        select(decisions, users.c.name)
        .join(items, items.c.id == decisions.c.item_id)
        .join(users, users.c.id == decisions.c.user_id)
        .where(items.c.batch_id == batch.id, decisions.c.role == REVIEWER)
        .order_by(decisions.c.id)
    )
    if user is not None:
        query = query.where(decisions.c.user_id == user.id)
    last: dict[str, dict[int, tuple[str, int | None, int | None]]] = defaultdict(dict)
    for row in connection.execute(query):
        last[row.name][row.item_id] = (row.action, row.rank, row.elapsed_ms)
    return [_share(name, list(own.values())) for name, own in sorted(last.items())]


def _share(name: str, own: Sequence[tuple[str, int | None, int | None]]) -> Share:
    decided = [one for one in own if one[0] in ANSWERS]
    actions = Counter(action for action, _, _ in own)
    first = sum(rank == 1 for _, rank, _ in decided)
    times = sorted(elapsed for _, _, elapsed in decided if elapsed is not None)
    return Share(
        name,
        len(decided),
        first,
        len(decided) - first - actions[VAGUE] - actions[NOT_BUSINESS],
        actions[VAGUE],
        actions[NOT_BUSINESS],
        actions[SKIP],
        times[len(times) // 2] / 1000 if times else None,
    )


def _agreement(level: int, pairs: Sequence[tuple[str, str]]) -> Agreement:
    cut = [(_cut(a, level), _cut(b, level)) for a, b in pairs]
    agreed = sum(a == b for a, b in cut) / len(cut) if cut else None
    found = kappa(cut)
    if found is None:
        return Agreement(level, len(cut), agreed, None, None, None)
    value, error = found
    low, high = max(-1.0, value - Z * error), min(1.0, value + Z * error)
    return Agreement(level, len(cut), agreed, value, low, high)


def _cut(answer: str, level: int) -> str:
    return canonical_code(answer[:level]) if answer.isdigit() else answer
