"""Batches: looking them up, assigning their items, closing them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from naics_embed.errors import UserError
from naics_embed.review.clock import now
from naics_embed.review.resolution import AUTOMATIC, CONFLICT, DONE, OPEN, UNREADABLE
from naics_embed.review.tables import batches, events, items, suggestions
from naics_embed.review.users import known_user

CREATING, CLOSED = 'creating', 'closed'
"""States of a batch, beside `OPEN`."""


class NotReadyError(UserError):
    """A batch that cannot be closed as it is."""


@dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        id: number in the store.
        name: of the batch.
        state: ``creating``, ``open`` or ``closed``.
        source: name of the file.
        bundle: that suggested the codes.
        threshold: least probability of a row that is accepted; None where none is.
        audit_fraction: part of the accepted rows that people check.
        double_fraction: part of the rows for people that two decide.
        order: in which items come.
        webhook: address that is told when the batch closes.
        created_at: when it was made.
        drawn_from: accepted rows that its rows were drawn from, where it holds the drawn ones only;
            None where it holds all.
    """

    id: int
    name: str
    state: str
    source: str
    bundle: str
    threshold: float | None
    audit_fraction: float
    double_fraction: float
    order: str
    webhook: str | None
    created_at: datetime
    drawn_from: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far a batch is, in rows.

    Attributes:
        rows: of the file.
        automatic: accepted without people.
        unreadable: without a text that can be coded.
        people: for people, the audit included.
        open: not decided by as many as must.
        conflicts: on which reviewers differ.
        done: settled by people.
    """

    rows: int
    automatic: int
    unreadable: int
    people: int
    open: int
    conflicts: int
    done: int


def all_batches(connection: Connection) -> list[Batch]:
    """Return all batches, the newest first."""
    rows = connection.execute(select(batches).order_by(batches.c.id.desc()))
    return [_batch(row) for row in rows]


def find_batch(connection: Connection, name: str) -> Batch | None:
    """Return the batch of a name; None where there is none."""
    row = connection.execute(select(batches).where(batches.c.name == name)).first()
    return None if row is None else _batch(row)


def known_batch(connection: Connection, name: str) -> Batch:
    """Return the batch of a name. Raises UserError where there is none."""
    batch = find_batch(connection, name)
    if batch is None:
        names = ', '.join(one.name for one in all_batches(connection)) or 'none'
        raise UserError(f'there is no batch {name}; there are: {names}')
    return batch


def progress(connection: Connection, batch: int) -> Progress:
    """Return how far a batch is."""
    counted = (
        select(items.c.state, func.count()).where(items.c.batch_id == batch).group_by(items.c.state)
    )
    by_state = {state: int(count) for state, count in connection.execute(counted)}
    left, conflicts, done = (by_state.get(state, 0) for state in (OPEN, CONFLICT, DONE))
    return Progress(
        sum(by_state.values()),
        by_state.get(AUTOMATIC, 0),
        by_state.get(UNREADABLE, 0),
        left + conflicts + done,
        left,
        conflicts,
        done,
    )


def assign(
    connection: Connection,
    name: str,
    user: str | None,
    *,
    count: int | None = None,
    codes: Sequence[str] = (),
    by: str | None = None,
) -> int:
    """Keep open items of a batch for a user, and return how many.

    Args:
        connection: in a transaction that writes.
        name: of the batch.
        user: name of the user; None to let everybody have them again.
        count: how many, the next ones; all where None.
        codes: only those whose first suggestion begins with one of these digits.
        by: who assigns.

    Raises:
        UserError: there is no such batch or user.
    """
    batch = known_batch(connection, name)
    owner = None if user is None else known_user(connection, user).id
    chosen = select(items.c.id).where(items.c.batch_id == batch.id, items.c.state == OPEN)
    if owner is None:
        chosen = chosen.where(items.c.assigned_to.is_not(None))
    else:
        chosen = chosen.where(items.c.assigned_to.is_(None))
    if codes:
        first = select(suggestions.c.item_id).where(
            suggestions.c.rank == 1, or_(*(suggestions.c.code.startswith(one) for one in codes))
        )
        chosen = chosen.where(items.c.id.in_(first))
    numbers = connection.execute(chosen.order_by(items.c.position).limit(count)).scalars().all()
    for number in numbers:
        connection.execute(update(items).where(items.c.id == number).values(assigned_to=owner))
    tell(connection, batch.id, by, 'assigned', {'user': user, 'items': len(numbers)})
    return len(numbers)


def close(
    connection: Connection, name: str, *, force: bool = False, by: str | None = None
) -> Batch:
    """Close a batch; a closed one stays closed.

    Args:
        connection: in a transaction that writes.
        name: of the batch.
        force: close it although items are open or in conflict.
        by: who closes it.

    Raises:
        UserError: there is no such batch.
        NotReadyError: items are open or in conflict, or it is not complete.
    """
    batch = known_batch(connection, name)
    if batch.state == CLOSED:
        return batch
    if batch.state == CREATING:
        raise NotReadyError(f'the batch {name} is not complete; run `review create` again')
    done = progress(connection, batch.id)
    if (done.open or done.conflicts) and not force:
        raise NotReadyError(
            f'{done.open:,} items of {name} are open and {done.conflicts:,} in conflict; decide '
            'them, or close it with --force'
        )
    values = {'state': CLOSED, 'closed_at': now()}
    connection.execute(update(batches).where(batches.c.id == batch.id).values(**values))
    tell(connection, batch.id, by, 'closed', {'open': done.open, 'conflicts': done.conflicts})
    return known_batch(connection, name)


def tell(
    connection: Connection, batch: int, user: str | None, kind: str, detail: dict[str, Any]
) -> None:
    """Add an event to the history of a batch."""
    row = {'batch_id': batch, 'user_name': user, 'kind': kind, 'detail': detail, 'at': now()}
    connection.execute(insert(events).values(**row))


def _batch(row: Row[Any]) -> Batch:
    return Batch(
        row.id,
        row.name,
        row.state,
        row.source,
        row.bundle,
        row.threshold,
        row.audit_fraction,
        row.double_fraction,
        row.item_order,
        row.webhook,
        row.created_at,
        row.drawn_from,
    )
