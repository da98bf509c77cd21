"""Which item a reviewer gets next: claims that expire, and double-coded items for two."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, or_, select

from naics_embed.review.clock import FOREVER, after, now
from naics_embed.review.resolution import ANSWERS, OPEN, REVIEWER, SKIP
from naics_embed.review.tables import claims, decisions, items
from naics_embed.review.users import User

SPARE = 4
"""Items looked at for each that is wanted: another reviewer may take one in between."""


def next_items(
    connection: Connection,
    batch: int,
    user: User,
    count: int,
    claim_s: float,
    without: Iterable[int] = (),
) -> list[int]:
    """Claim items for a reviewer, and return their numbers, in the order of the batch.

    Items that the reviewer has put off come last.

    Args:
        connection: in a transaction that writes.
        batch: number of the batch.
        user: the reviewer.
        count: how many.
        claim_s: seconds that nobody else gets them.
        without: items that the reviewer has already.
    """
    taken: list[int] = []
    for put_off in (False, True):
        if len(taken) < count:
            query = _waiting(batch, user, [*without, *taken], put_off=put_off)
            query = query.limit(SPARE * (count - len(taken)))
            # One lock after the other, so that two reviewers never hold one each.
            waiting = connection.execute(query.with_for_update(skip_locked=True, of=items))
            for item, coders in waiting.all():
                if len(taken) < count and others(connection, item, user.id) < coders:
                    claim(connection, item, user.id, claim_s)
                    taken.append(item)
    return taken


def claim(connection: Connection, item: int, user: int, seconds: float | None) -> None:
    """Keep an item for a user.

    Args:
        connection: in a transaction that writes.
        item: number of the item.
        user: number of the user.
        seconds: how long; None for ever, as the user has decided.
    """
    release(connection, [item], user)
    until = FOREVER if seconds is None else after(seconds)
    connection.execute(insert(claims).values(item_id=item, user_id=user, expires_at=until))


def release(connection: Connection, chosen: Sequence[int], user: int) -> None:
    """Give items of a user back."""
    mine = and_(claims.c.item_id.in_(chosen), claims.c.user_id == user)
    connection.execute(delete(claims).where(mine))


def others(connection: Connection, item: int, user: int) -> int:
    """Return how many other users have an item or have decided it."""
    query = select(func.count()).select_from(claims).where(_by_others(user))
    return int(connection.execute(query.where(claims.c.item_id == item)).scalar_one())


def _by_others(user: int) -> ColumnElement[bool]:
    return and_(claims.c.user_id != user, claims.c.expires_at > now())


def _waiting(batch: int, user: User, without: Sequence[int], *, put_off: bool) -> Select[int, int]:
    mine = (
        select(decisions.c.action)
        .where(
            decisions.c.item_id == items.c.id,
            decisions.c.user_id == user.id,
            decisions.c.role == REVIEWER,
        )
        .order_by(decisions.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    last = func.coalesce(mine, '')
    taken = (
        select(func.count())
        .select_from(claims)
        .where(claims.c.item_id == items.c.id, _by_others(user.id))
        .scalar_subquery()
    )
    allowed = or_(items.c.assigned_to.is_(None), items.c.assigned_to == user.id, items.c.coders > 1)
    return (
        select(items.c.id, items.c.coders)
        .where(
            items.c.batch_id == batch,
            items.c.state == OPEN,
            items.c.id.not_in(without),
            allowed,
            last == SKIP if put_off else last.not_in([*ANSWERS, SKIP]),
            taken < items.c.coders,
        )
        .order_by(items.c.position)
    )
