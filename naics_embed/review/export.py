"""Decisions as a table, in any format that `code` writes."""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, select

from naics_embed.artifacts import atomic_file
from naics_embed.errors import UserError
from naics_embed.review.batches import Batch
from naics_embed.review.codes import CodeBook
from naics_embed.review.resolution import (
    ANSWERS,
    AUDIT,
    BY_CODER,
    CODE,
    NOT_BUSINESS,
    VAGUE,
)
from naics_embed.review.tables import comments, decisions, items, suggestions, users
from naics_embed.tabular.part import Part
from naics_embed.tabular.write import join_parts, part_ending, write_part

DECISIONS, ROWS, HISTORY = 'decisions', 'rows', 'history'
CONTENTS = (DECISIONS, ROWS, HISTORY)
"""What is exported: rows that people have settled, all rows, or each decision ever made."""
CODED = 'coded'
BETWEEN = ' | '
FIELDS: dict[str, pa.DataType] = {
    'row': pa.int64(),
    'text': pa.string(),
    'code': pa.string(),
    'title': pa.string(),
    'outcome': pa.string(),
    'decided_by': pa.string(),
    'reviewers': pa.string(),
    'reason': pa.string(),
    'comments': pa.string(),
    'decided_at': pa.string(),
    'audit': pa.bool_(),
    'suggestion': pa.string(),
    'probability': pa.float64(),
    'bundle': pa.string(),
}
"""Columns of decisions and rows; those that reviewers saw beside the text come after them."""
HISTORY_FIELDS: dict[str, pa.DataType] = {
    'decision': pa.int64(),
    'row': pa.int64(),
    'text': pa.string(),
    'user': pa.string(),
    'role': pa.string(),
    'action': pa.string(),
    'code': pa.string(),
    'rank': pa.int64(),
    'reason': pa.string(),
    'elapsed_ms': pa.int64(),
    'decided_at': pa.string(),
    'bundle': pa.string(),
}


def export_table(connection: Connection, batch: Batch, content: str = DECISIONS) -> pa.Table:
    """Return a batch as a table.

    Args:
        connection: that reads.
        batch: the batch.
        content: one of `CONTENTS`.

    Raises:
        UserError: there is no such content.
    """
    if content not in CONTENTS:
        raise UserError(f'--content must be one of {", ".join(CONTENTS)}, not {content!r}')
    if content == HISTORY:
        return _history(connection, batch)
    book = CodeBook.read(connection, batch.bundle)
    query = (
        select(items, suggestions.c.code.label('suggestion'))
        .outerjoin(suggestions, (suggestions.c.item_id == items.c.id) & (suggestions.c.rank == 1))
        .where(items.c.batch_id == batch.id)
        .order_by(items.c.row)
    )
    if content == DECISIONS:
        query = query.where(items.c.settled_by.is_not(None), items.c.settled_by != BY_CODER)
    made, written = standing_decisions(connection, batch), _written(connection, batch)
    rows: list[dict[str, Any]] = []
    shown: dict[str, None] = {}
    for row in connection.execute(query):
        shown.update(dict.fromkeys(row.shown))
        own = made[row.id]
        final = row.final if row.final not in (VAGUE, NOT_BUSINESS) else None
        outcome = row.state if row.final is None else CODED if final else row.final
        reasons = dict.fromkeys(one['reason'] for one in own if one['reason'])
        rows.append(
            {
                'row': row.row,
                'text': row.text,
                'code': final,
                'title': None if final is None else book.title(final),
                'outcome': outcome,
                'decided_by': row.settled_by,
                'reviewers': BETWEEN.join(dict.fromkeys(one['user'] for one in own)) or None,
                'reason': BETWEEN.join(reasons) or None,
                'comments': BETWEEN.join(written[row.id]) or None,
                'decided_at': own[-1]['at'] if own else None,
                'audit': row.kind == AUDIT,
                'suggestion': row.suggestion,
                'probability': row.probability,
                'bundle': batch.bundle,
                **{_name(name): value for name, value in row.shown.items()},
            }
        )
    fields = FIELDS | {_name(name): pa.string() for name in shown}
    return pa.table(
        {name: pa.array([r.get(name) for r in rows], kind) for name, kind in fields.items()}
    )


def write_export(out: Path, table: pa.Table) -> None:
    """Write a table, whole or not at all, in the format that the name of the file ends in."""
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        part = Path(folder) / f'0{part_ending(out)}'
        *names, last = table.column_names
        rows = Part(names, table.select(names), [None] * len(table))
        if len(table):
            write_part(part, rows, table.select([last]))
        with atomic_file(out) as temporary:
            files = [part] if len(table) else []
            join_parts(files, temporary, out.suffix.lower(), table.slice(0, 0))


def _history(connection: Connection, batch: Batch) -> pa.Table:
    query = (
        select(decisions, items.c.row, items.c.text, users.c.name)
        .join(items, items.c.id == decisions.c.item_id)
        .join(users, users.c.id == decisions.c.user_id)
        .where(items.c.batch_id == batch.id)
        .order_by(decisions.c.id)
    )
    rows = [
        {
            **row._mapping,
            'decision': row.id,
            'user': row.name,
            'decided_at': row.at.isoformat(timespec='seconds'),
        }
        for row in connection.execute(query)
    ]
    return pa.table(
        {name: pa.array([r[name] for r in rows], kind) for name, kind in HISTORY_FIELDS.items()}
    )


def standing_decisions(connection: Connection, batch: Batch) -> dict[int, list[dict[str, Any]]]:
    """Return the decisions of each item that stand, the earliest first."""
    query = (
        select(decisions, users.c.name)
        .join(items, items.c.id == decisions.c.item_id)
        .join(users, users.c.id == decisions.c.user_id)
        .where(items.c.batch_id == batch.id)
        .order_by(decisions.c.id)
    )
    last: dict[int, dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
    for row in connection.execute(query):
        own = last[row.item_id]
        own.pop((row.name, row.role), None)
        own[row.name, row.role] = {
            'user': row.name,
            'role': row.role,
            'action': row.action,
            'code': row.code if row.action == CODE else None,
            'reason': row.reason,
            'at': row.at.isoformat(timespec='seconds'),
        }
    stand: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for item, by_user in last.items():
        stand[item] = [one for one in by_user.values() if one['action'] in ANSWERS]
    return stand


def _written(connection: Connection, batch: Batch) -> dict[int, list[str]]:
    query = (
        select(comments, users.c.name)
        .join(items, items.c.id == comments.c.item_id)
        .join(users, users.c.id == comments.c.user_id)
        .where(items.c.batch_id == batch.id)
        .order_by(comments.c.id)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.item_id].append(f'{row.name}: {row.text}')
    return found


def _name(column: str) -> str:
    """Return the name of a column of the file, apart from those of the export."""
    return f'source_{column}' if column in FIELDS else column
