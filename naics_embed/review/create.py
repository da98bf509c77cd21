"""Making of a batch: rows are coded in parts, divided, and put in order for people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from naics_embed.artifacts import content_key
from naics_embed.assessment.amounts import read_amounts
from naics_embed.errors import UserError
from naics_embed.review.batches import CREATING, find_batch, tell
from naics_embed.review.clock import now
from naics_embed.review.order import DISAGREEMENT, DIVERSE, Waiting, review_order
from naics_embed.review.order import waiting_texts as waiting_for
from naics_embed.review.plan import Plan, open_source
from naics_embed.review.resolution import (
    AUDIT,
    AUTOMATIC,
    BY_CODER,
    OPEN,
    REVIEW,
    UNREADABLE,
)
from naics_embed.review.sampling import Division, divide, interleaved
from naics_embed.review.store import Store
from naics_embed.review.suggest import bundle_of, details, keep_codes, suggest, weighed_rows
from naics_embed.review.tables import batches, items, suggestions
from naics_embed.search.coder import Coder
from naics_embed.search.text_columns import row_texts
from naics_embed.tabular.part import Part, TableSource, valid


@dataclass(frozen=True)
class Created:
    """What became of the rows of a file.

    Attributes:
        rows: of the file.
        automatic: accepted without people, the audit not included.
        audit: accepted, and to be checked by people.
        people: below the threshold.
        double: of these and the audit, to be decided by two.
        unreadable: without a text that can be coded.
        threshold: least probability of an accepted row; None where none is accepted.
        resumed: rows that an earlier run had coded.
    """

    rows: int
    automatic: int
    audit: int
    people: int
    double: int
    unreadable: int
    threshold: float | None
    resumed: int


def create_batch(
    store: Store,
    coder: Coder,
    plan: Plan,
    *,
    restart: bool = False,
    report: Callable[[int], None] | None = None,
    table: TableSource | None = None,
) -> Created:
    """Make a batch. A run that was stopped goes on where it was.

    Args:
        store: where it is kept.
        coder: codes the rows.
        plan: what it is made of.
        restart: forget what an earlier run has coded of a batch that is not complete.
        report: called with the number of rows done after each part.
        table: what `open_source` gave for this plan.

    Raises:
        UserError: see `open_source`; there is a batch of this name, or one that another file,
            other options or another bundle began.
    """
    table = open_source(plan) if table is None else table
    bundle = bundle_of(coder)
    batch = store.write(lambda connection: _begin(connection, coder, bundle, plan, restart))
    resumed = done = store.read(lambda connection: _rows_done(connection, batch))
    rows = 0
    for part in table.parts(plan.part_rows):
        rows += len(part)
        if rows <= done:
            continue
        values = _coded(coder, plan, part, batch, rows - len(part))
        store.write(partial(_add, bundle=bundle, values=values))
        if report is not None:
            report(rows)
    if not rows:
        store.write(lambda connection: _forget(connection, batch))
        raise UserError(f'{plan.source} has no rows')
    return _complete(store, coder, plan, batch, rows, resumed)


def _identity(plan: Plan, bundle: str) -> str:
    status = plan.source.stat()
    facts = [str(plan.source.resolve()), status.st_size, status.st_mtime_ns, bundle]
    columns = [[one.name, one.weight] for one in plan.columns]
    return content_key([*facts, columns, list(plan.shown), plan.suggestions, plan.part_rows])


def _begin(connection: Connection, coder: Coder, bundle: str, plan: Plan, restart: bool) -> int:
    """Return the number of the batch, a new one or one that is not complete."""
    identity = _identity(plan, bundle)
    found = find_batch(connection, plan.name)
    if found is not None and found.state != CREATING:
        raise UserError(f'there is a batch {plan.name} already; give another --name')
    if found is not None:
        same = select(batches.c.identity).where(batches.c.id == found.id)
        if connection.execute(same).scalar_one() == identity and not restart:
            return found.id
        if not restart:
            raise UserError(
                f'the batch {plan.name} was begun with another file, other options or another '
                'bundle; give --restart to begin again, or another --name'
            )
        _forget(connection, found.id)
    keep_codes(connection, coder, bundle)
    number = connection.execute(
        insert(batches).values(
            name=plan.name,
            state=CREATING,
            created_at=now(),
            source=plan.source.name,
            identity=identity,
            bundle=bundle,
            threshold=plan.threshold,
            target=plan.target,
            audit_fraction=plan.audit_fraction,
            double_fraction=plan.double_fraction,
            item_order=plan.order,
            seed=plan.seed,
            webhook=plan.webhook,
        )
    ).inserted_primary_key
    assert number is not None
    return int(number[0])


def _forget(connection: Connection, batch: int) -> None:
    """Take out a batch that nobody has seen."""
    own = select(items.c.id).where(items.c.batch_id == batch)
    connection.execute(delete(suggestions).where(suggestions.c.item_id.in_(own)))
    connection.execute(delete(items).where(items.c.batch_id == batch))
    connection.execute(delete(batches).where(batches.c.id == batch))


def _rows_done(connection: Connection, batch: int) -> int:
    last = select(func.max(items.c.row)).where(items.c.batch_id == batch)
    return int(connection.execute(last).scalar() or 0)


def _coded(
    coder: Coder, plan: Plan, part: Part, batch: int, first: int
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
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


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _add(
    connection: Connection,
    bundle: str,
    values: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]],
) -> None:
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


def _complete(
    store: Store, coder: Coder, plan: Plan, batch: int, rows: int, resumed: int
) -> Created:
    """Divide the rows, add what people need, and open the batch."""
    readable = select(items.c.id, items.c.row, items.c.text, items.c.probability).where(
        items.c.batch_id == batch, items.c.kind != UNREADABLE
    )
    found = store.read(lambda connection: connection.execute(readable.order_by(items.c.row)).all())
    numbers = np.array([row.id for row in found], dtype=np.int64)
    texts = [row.text for row in found]
    probability = np.array([row.probability for row in found], dtype=np.float64)
    exposures = None
    if plan.exposure is not None:
        exposures = read_amounts(
            plan.source, plan.exposure, [row.row for row in found], plan.reading
        )
    division = divide(
        probability,
        plan.threshold,
        plan.target,
        plan.audit_fraction,
        plan.double_fraction,
        plan.seed,
    )
    order = _order(coder, plan, division, texts, probability, exposures)
    _add_details(store, coder, plan, [(int(numbers[at]), texts[at]) for at in order.tolist()])
    store.write(
        lambda connection: _open(connection, plan, batch, numbers, division, order, exposures)
    )
    audit, people = int(division.audit.sum()), int(division.people.sum())
    return Created(
        rows,
        len(found) - audit - people,
        audit,
        people,
        int(division.double.sum()),
        rows - len(found),
        division.threshold,
        resumed,
    )


def _order(
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


def _add_details(store: Store, coder: Coder, plan: Plan, people: Sequence[tuple[int, str]]) -> None:
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


def _open(
    connection: Connection,
    plan: Plan,
    batch: int,
    numbers: np.ndarray,
    division: Division,
    order: np.ndarray,
    exposures: np.ndarray | None,
) -> None:
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
