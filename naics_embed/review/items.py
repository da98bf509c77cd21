"""Items as the page shows them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from naics_embed.review.batches import Batch
from naics_embed.review.codes import CodeBook
from naics_embed.review.resolution import ANSWERS, ARBITER, CONFLICT, DONE
from naics_embed.review.tables import comments, decisions, items, suggestions, users
from naics_embed.review.users import User


def shown_items(
    connection: Connection, batch: Batch, book: CodeBook, user: User, numbers: Sequence[int]
) -> list[dict[str, Any]]:
    """Return items with suggestions, evidence and the user's own decision and comments.

    What others decided and wrote is there for arbiters, once the reviewers are done with an item.

    Args:
        connection: that reads.
        batch: of the items.
        book: its codes.
        user: who sees them.
        numbers: of the items; the order is kept.
    """
    rows = {row.id: row for row in connection.execute(select(items).where(items.c.id.in_(numbers)))}
    ranked: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    query = select(suggestions).where(suggestions.c.item_id.in_(numbers))
    for one in connection.execute(query.order_by(suggestions.c.rank)):
        evidence = one.evidence or {'texts': [], 'words': []}
        card = book.card(one.code)
        shown = {'rank': one.rank, 'probability': one.probability, 'evidence': evidence}
        ranked[one.item_id].append({**card, **shown})
    made = _decisions(connection, numbers)
    written = _comments(connection, numbers)
    result = []
    for number in numbers:
        row = rows[number]
        all_seen = user.arbitrates and row.state in (CONFLICT, DONE)
        mine = [one for one in made[number] if one['user'] == user.name]
        notes = [one for one in written[number] if all_seen or one['user'] == user.name]
        result.append(
            {
                'id': number,
                'batch': batch.name,
                'row': row.row,
                'text': row.text,
                'shown': row.shown,
                'state': row.state if all_seen else None,
                'suggestions': ranked[number],
                'question': row.question,
                'decision': _standing(mine),
                'comments': notes,
                'opinions': _opinions(made[number], book) if all_seen else [],
            }
        )
    return result


def conflict_numbers(connection: Connection, batch: Batch, most: int) -> list[int]:
    """Return the items on which reviewers differ, in the order of the batch."""
    query = select(items.c.id).where(items.c.batch_id == batch.id, items.c.state == CONFLICT)
    return list(connection.execute(query.order_by(items.c.position).limit(most)).scalars())


def _decisions(connection: Connection, numbers: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    query = (
        select(decisions, users.c.name)
        .join(users, users.c.id == decisions.c.user_id)
        .where(decisions.c.item_id.in_(numbers))
        .order_by(decisions.c.id)
    )
    found: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    for row in connection.execute(query):
        found[row.item_id].append(
            {
                'user': row.name,
                'role': row.role,
                'action': row.action,
                'code': row.code,
                'reason': row.reason,
                'at': row.at.isoformat(timespec='seconds'),
            }
        )
    return found


def _comments(connection: Connection, numbers: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    query = (
        select(comments, users.c.name)
        .join(users, users.c.id == comments.c.user_id)
        .where(comments.c.item_id.in_(numbers))
        .order_by(comments.c.id)
    )
    found: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    for row in connection.execute(query):
        at = row.at.isoformat(timespec='seconds')
        found[row.item_id].append({'user': row.name, 'text': row.text, 'at': at})
    return found


def _standing(mine: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return mine[-1] if mine and mine[-1]['action'] in ANSWERS else None


def _opinions(made: Sequence[dict[str, Any]], book: CodeBook) -> list[dict[str, Any]]:
    """Return the decision of each user that stands, with the title of its code."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for one in made:
        last[one['user'], one['role']] = one
    stand = [one for one in last.values() if one['action'] in ANSWERS]
    stand.sort(key=lambda one: (one['role'] == ARBITER, one['user']))
    return [
        {**one, 'title': None if one['code'] is None else book.title(one['code'])} for one in stand
    ]
