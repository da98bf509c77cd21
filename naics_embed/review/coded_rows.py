"""Rows of a file as items of a batch: coded in parts, and stored with their suggestions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert, select

from naics_embed.review.batches import CREATING
from naics_embed.review.plan import Plan
from naics_embed.review.resolution import REVIEW, UNREADABLE
from naics_embed.review.suggest import suggest, weighed_rows
from naics_embed.review.tables import items, suggestions
from naics_embed.search.coder import Coder
from naics_embed.search.text_columns import row_texts
from naics_embed.tabular.part import Part, valid

CodedRow = tuple[dict[str, Any], list[dict[str, Any]]]
"""Columns of an item, and those of its suggestions."""


def rows_done(connection: Connection, batch: int) -> int:
    """Return how many rows of a batch are stored."""
    last = select(func.max(items.c.row)).where(items.c.batch_id == batch)
    return int(connection.execute(last).scalar() or 0)


def coded_rows(coder: Coder, plan: Plan, part: Part, batch: int, first: int) -> list[CodedRow]:
    """Return the items of a part, each with its suggestions."""
    texts = row_texts(part, plan.columns)
    weighed = weighed_rows(texts, part.faults)
    answers = suggest(coder, weighed, plan.suggestions)
    lighter = [one.name for one in plan.columns if one.weight < 1.0] if texts.lighter else []
    shown = {name: part.column(name) for name in dict.fromkeys((*lighter, *plan.shown))}
    result = []
    for at, own in enumerate(weighed):
        answer = answers.get(own)
        text = own[0][0] if own else texts.main[at]
        item = {
            'batch_id': batch,
            'row': first + at + 1,
            'text': '' if text is None else valid(str(text)),
            'shown': {
                name: valid(str(values[at]))
                for name, values in shown.items()
                if values[at] not in (None, '')
            },
            'kind': UNREADABLE if answer is None else REVIEW,
            'coders': 1,
            'state': CREATING,
            'probability': None if answer is None else answer.hits[0].probability,
            'familiarity': None if answer is None else _number(answer.familiarity),
        }
        hits = () if answer is None else answer.hits
        ranked = [
            {'rank': rank, 'code': hit.code, 'probability': hit.probability}
            for rank, hit in enumerate(hits, start=1)
        ]
        result.append((item, ranked))
    return result


def add_rows(
    connection: Connection,
    bundle: str,
    values: Sequence[CodedRow],
) -> None:
    """Store the rows of a part once, also where the commit is tried again."""
    first = values[0][0]
    there = select(items.c.id).where(
        items.c.batch_id == first['batch_id'], items.c.row == first['row']
    )
    if connection.execute(there).first() is not None:
        # The commit was made before the connection was lost.
        return
    numbers = (
        connection.execute(
            insert(items).returning(items.c.id, sort_by_parameter_order=True),
            [item for item, _ in values],
        )
        .scalars()
        .all()
    )
    ranked = [
        {'item_id': number, 'bundle': bundle, **one}
        for number, (_, found) in zip(numbers, values, strict=True)
        for one in found
    ]
    if ranked:
        connection.execute(insert(suggestions), ranked)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
