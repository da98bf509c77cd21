"""Recording of decisions: added to the history, never changed, never twice."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from naics_embed.errors import UserError
from naics_embed.review.clock import now
from naics_embed.review.queue import claim, release
from naics_embed.review.resolution import (
    ACTIONS,
    ANSWERS,
    ARBITER,
    CODE,
    CONFLICT,
    DONE,
    OPEN,
    REVIEWER,
    SKIP,
    UNDO,
    Decision,
    Settled,
    settle,
)
from naics_embed.review.tables import batches, codes, comments, decisions, items, suggestions
from naics_embed.review.users import User

CLOSED = 'closed'
LONGEST_KEY = 64


class DecisionError(UserError):
    """A decision that cannot be recorded as the item or the batch is now."""


@dataclass(frozen=True)
class Given:
    """A decision as it comes in.

    Attributes:
        key: made by the client; the same key again is the same decision.
        item: number of the item.
        action: one of `ACTIONS`.
        code: the code, in canonical spelling, where the action is ``code``.
        reason: why it is too vague or no business.
        arbiter: whether it settles a conflict or overrides what is settled.
        elapsed_ms: how long the reviewer looked at the item.
    """

    key: str
    item: int
    action: str
    code: str | None = None
    reason: str | None = None
    arbiter: bool = False
    elapsed_ms: int | None = None


@dataclass(frozen=True)
class Recorded:
    """What became of a decision.

    Attributes:
        id: number in the history.
        repeated: whether it had been recorded before, under the same key.
        item: number of the item.
        settled: what the item has come to.
    """

    id: int
    repeated: bool
    item: int
    settled: Settled


def record(connection: Connection, user: User, given: Given, claim_s: float) -> Recorded:
    """Add a decision to the history of its item, and settle the item.

    A decision of a reviewer whose claim is over is kept too, beside that of whoever came next.

    Args:
        connection: in a transaction that writes.
        user: who decides.
        given: the decision.
        claim_s: seconds that the item is kept for the user after an undo.

    Raises:
        DecisionError: the batch is closed, the user may not decide, there is nothing to undo, or
            the key was used for something else.
        UserError: there is no such item, action or code.
    """
    _check(user, given)
    item = locked_item(connection, given.item)
    before = connection.execute(
        select(decisions).where(decisions.c.user_id == user.id, decisions.c.key == given.key)
    ).first()
    if before is not None:
        return _again(connection, item, before, given)
    batch = connection.execute(
        select(batches.c.state, batches.c.name).where(batches.c.id == item.batch_id)
    ).one()
    if batch.state != OPEN:
        raise DecisionError(f'the batch {batch.name} is {batch.state}; nothing more can be decided')
    if item.state not in (OPEN, CONFLICT, DONE):
        raise DecisionError(f'row {item.row} of {batch.name} is not for people')
    rank = _rank(connection, item, given)
    role = ARBITER if given.arbiter else REVIEWER
    if given.arbiter and item.state == OPEN:
        raise DecisionError('reviewers are not done with this item; an arbiter comes after them')
    _check_undo(connection, user, role, given)
    bundle = connection.execute(
        select(suggestions.c.bundle).where(suggestions.c.item_id == item.id).limit(1)
    ).scalar()
    number = connection.execute(
        insert(decisions).values(
            item_id=item.id,
            user_id=user.id,
            key=given.key,
            role=role,
            action=given.action,
            code=given.code,
            reason=given.reason,
            rank=rank,
            bundle=bundle,
            elapsed_ms=given.elapsed_ms,
            at=now(),
        )
    ).inserted_primary_key
    assert number is not None
    if role == REVIEWER:
        _hold(connection, item.id, user.id, given.action, claim_s)
    settled = settle_item(connection, item.id, item.coders)
    return Recorded(int(number[0]), False, item.id, settled)


def settle_item(connection: Connection, item: int, coders: int) -> Settled:
    """Bring an item to what its history says, and return that."""
    settled = settle(history(connection, item), coders)
    values = {'state': settled.state, 'final': settled.final, 'settled_by': settled.by}
    connection.execute(update(items).where(items.c.id == item).values(**values))
    return settled


def history(connection: Connection, item: int) -> list[Decision]:
    """Return the decisions of an item, the earliest first."""
    rows = connection.execute(
        select(decisions).where(decisions.c.item_id == item).order_by(decisions.c.id)
    )
    return [Decision(row.user_id, row.role, row.action, row.code) for row in rows]


def comment(connection: Connection, user: User, key: str, item: int, text: str) -> int:
    """Add a comment to an item, and return its number; the same key again adds none."""
    found = locked_item(connection, item)
    same = (comments.c.user_id == user.id, comments.c.key == key)
    before = connection.execute(select(comments.c.id).where(*same)).scalar()
    if before is not None:
        return int(before)
    row = {'item_id': found.id, 'user_id': user.id, 'key': key, 'text': text, 'at': now()}
    number = connection.execute(insert(comments).values(**row)).inserted_primary_key
    assert number is not None
    return int(number[0])


def locked_item(connection: Connection, item: int) -> Row[Any]:
    """Return an item that no other transaction decides meanwhile.

    Raises:
        UserError: there is no such item.
    """
    query = select(items).where(items.c.id == item).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise UserError(f'there is no item {item}')
    return row


def _check(user: User, given: Given) -> None:
    if given.action not in ACTIONS:
        raise UserError(f'action must be one of {", ".join(ACTIONS)}, not {given.action!r}')
    if not 0 < len(given.key) <= LONGEST_KEY:
        raise UserError(f'a key must have 1 to {LONGEST_KEY} characters')
    if (given.action == CODE) != (given.code is not None):
        raise UserError('a code belongs to the action code, and to no other')
    if given.arbiter and not user.arbitrates:
        raise DecisionError('only an arbiter settles conflicts')
    if given.arbiter and given.action == SKIP:
        raise UserError(
            'a conflict that is not settled stays in the list; there is nothing to skip'
        )


def _again(connection: Connection, item: Row[Any], before: Row[Any], given: Given) -> Recorded:
    same = (before.item_id, before.action, before.code) == (given.item, given.action, given.code)
    if not same:
        raise DecisionError(f'the key {given.key} was used for another decision')
    settled = Settled(item.state, item.final, item.settled_by)
    return Recorded(int(before.id), True, item.id, settled)


def _check_undo(connection: Connection, user: User, role: str, given: Given) -> None:
    if given.action != UNDO:
        return
    last = connection.execute(
        select(decisions.c.action)
        .where(
            decisions.c.item_id == given.item,
            decisions.c.user_id == user.id,
            decisions.c.role == role,
        )
        .order_by(decisions.c.id.desc())
        .limit(1)
    ).scalar()
    if last in (None, UNDO):
        raise DecisionError('there is no decision of yours to undo')


def _rank(connection: Connection, item: Row[Any], given: Given) -> int | None:
    """Return the rank of the code among the suggestions. Raises UserError for no code."""
    if given.code is None:
        return None
    suggested = connection.execute(
        select(suggestions.c.bundle, suggestions.c.rank, suggestions.c.code).where(
            suggestions.c.item_id == item.id
        )
    ).all()
    for one in suggested:
        if one.code == given.code:
            return int(one.rank)
    known = connection.execute(select(codes.c.code).where(codes.c.code == given.code)).first()
    if known is None:
        raise UserError(f'{given.code} is not a code of this batch; search for the code')
    return None


def _hold(connection: Connection, item: int, user: int, action: str, claim_s: float) -> None:
    """Keep the claim of who has decided, and give back what is put off."""
    if action in ANSWERS:
        claim(connection, item, user, None)
    elif action == UNDO:
        claim(connection, item, user, claim_s)
    else:
        release(connection, [item], user)
