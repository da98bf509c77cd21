"""Making of a batch: rows are coded in parts, divided, and put in order for people."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from naics_embed.artifacts import content_key
from naics_embed.assessment.amounts import read_amounts
from naics_embed.errors import UserError
from naics_embed.review.batches import CREATING, find_batch
from naics_embed.review.clock import now
from naics_embed.review.coded_rows import add_rows, coded_rows, rows_done
from naics_embed.review.opening import add_details, open_batch, people_order
from naics_embed.review.plan import Plan, open_source
from naics_embed.review.resolution import UNREADABLE
from naics_embed.review.sampling import divide
from naics_embed.review.store import Store
from naics_embed.review.suggest import bundle_of, keep_codes
from naics_embed.review.tables import batches, items, suggestions
from naics_embed.search.coder import Coder
from naics_embed.tabular.part import TableSource


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
    resumed = done = store.read(lambda connection: rows_done(connection, batch))
    rows = 0
    for part in table.parts(plan.part_rows):
        rows += len(part)
        if rows <= done:
            continue
        values = coded_rows(coder, plan, part, batch, rows - len(part))
        store.write(partial(add_rows, bundle=bundle, values=values))
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
    order = people_order(coder, plan, division, texts, probability, exposures)
    add_details(store, coder, plan, [(int(numbers[at]), texts[at]) for at in order.tolist()])
    store.write(
        lambda connection: open_batch(connection, plan, batch, numbers, division, order, exposures)
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
