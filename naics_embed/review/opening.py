"""Opening of a batch whose rows are coded: their order, what people see, their states."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, select, update

from naics_embed.review.batches import CREATING, tell
from naics_embed.review.order import DISAGREEMENT, DIVERSE, Waiting, review_order
from naics_embed.review.order import waiting_texts as waiting_for
from naics_embed.review.plan import Plan
from naics_embed.review.resolution import AUDIT, AUTOMATIC, BY_CODER, OPEN, REVIEW, UNREADABLE
from naics_embed.review.sampling import Division, interleaved
from naics_embed.review.store import Store
from naics_embed.review.suggest import details
from naics_embed.review.tables import batches, items, suggestions
from naics_embed.search.coder import Coder


def people_order(
    coder: Coder,
    plan: Plan,
    division: Division,
    texts: Sequence[str],
    probability: np.ndarray,
    exposures: np.ndarray | None,
) -> np.ndarray:
    """Return the rows for people in their order."""
    chosen = np.flatnonzero(division.people)
    amounts = None if exposures is None else exposures[chosen]
    if plan.order in (DISAGREEMENT, DIVERSE):
        waiting = waiting_for(coder, [texts[at] for at in chosen.tolist()], amounts)
    else:
        waiting = Waiting(probability[chosen], exposures=amounts)
    first = chosen[review_order(waiting, plan.order, plan.seed)]
    return interleaved(first, np.flatnonzero(division.audit), plan.seed)


def add_details(store: Store, coder: Coder, plan: Plan, people: Sequence[tuple[int, str]]) -> None:
    """Add evidence and questions to the items that people will see."""
    for start in range(0, len(people), plan.part_rows):
        some = people[start : start + plan.part_rows]
        found = details(coder, [text for _, text in some], plan.suggestions, plan.evidence)

        def add(connection: Connection, some: Any = some, found: Any = found) -> None:
            for (number, _), detail in zip(some, found, strict=True):
                own = items.c.id == number
                connection.execute(update(items).where(own).values(question=detail.question))
                for one in detail.evidence:
                    connection.execute(
                        update(suggestions)
                        .where(suggestions.c.item_id == number, suggestions.c.code == one['code'])
                        .values(evidence={'texts': one['texts'], 'words': one['words']})
                    )

        store.write(add)


def open_batch(
    connection: Connection,
    plan: Plan,
    batch: int,
    numbers: np.ndarray,
    division: Division,
    order: np.ndarray,
    exposures: np.ndarray | None,
) -> None:
    """Accept the rows that need nobody, and put the others before people."""
    state = select(batches.c.state).where(batches.c.id == batch)
    if connection.execute(state).scalar_one() != CREATING:
        return
    positions = {int(numbers[at]): position for position, at in enumerate(order.tolist())}
    best = (
        select(suggestions.c.code)
        .where(suggestions.c.item_id == items.c.id, suggestions.c.rank == 1)
        .limit(1)
        .scalar_subquery()
    )
    own = items.c.batch_id == batch
    accepted = {
        'kind': AUTOMATIC,
        'state': AUTOMATIC,
        'final': best,
        'settled_by': BY_CODER,
    }
    connection.execute(update(items).where(own, items.c.kind != UNREADABLE).values(**accepted))
    connection.execute(
        update(items).where(own, items.c.kind == UNREADABLE).values(state=UNREADABLE)
    )
    for at, number in enumerate(numbers.tolist()):
        values: dict[str, Any] = {}
        if exposures is not None:
            values['exposure'] = float(exposures[at])
        if number in positions:
            values |= {
                'kind': AUDIT if division.audit[at] else REVIEW,
                'state': OPEN,
                'final': None,
                'settled_by': None,
                'coders': 2 if division.double[at] else 1,
                'position': positions[number],
            }
        if values:
            connection.execute(update(items).where(items.c.id == number).values(**values))
    opened = {'state': OPEN, 'threshold': division.threshold}
    connection.execute(update(batches).where(batches.c.id == batch).values(**opened))
    tell(connection, batch, None, 'created', {'source': plan.source.name, 'rows': len(numbers)})
