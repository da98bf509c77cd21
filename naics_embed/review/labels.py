"""Decisions of a batch as labelled texts, for `learn` and `assess`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, func, select

from naics_embed.errors import UserError
from naics_embed.learning.labelled import LabelledTexts, label_texts
from naics_embed.learning.source_names import PREFIX
from naics_embed.review.batches import known_batch
from naics_embed.review.resolution import AUDIT, AUTOMATIC, DONE, NOT_BUSINESS, VAGUE
from naics_embed.review.store import Store
from naics_embed.review.tables import items


def labels_at(address: str | None, name: str, codes: Sequence[str]) -> LabelledTexts:
    """Return what `labels_of` does, from the store at an address; see `Store.open`."""
    store = Store.open(address)
    try:
        return labels_of(store, name, codes)
    finally:
        store.close()


def labels_of(store: Store, name: str, codes: Sequence[str]) -> LabelledTexts:
    """Return the texts of a batch that people have given a code.

    A text of the audit stands for all accepted rows that it was drawn from, so that fractions of
    the labelled texts are fractions of the file: its weight is accepted rows over audited ones.

    Args:
        store: of the batch.
        name: of the batch.
        codes: canonical codes of the bundle that learns or is assessed, all levels.

    Raises:
        UserError: there is no such batch, or people have given no code in it.
    """
    found, accepted = store.read(lambda connection: _decided(connection, name))
    if not found:
        raise UserError(
            f'no text of {PREFIX}{name} has a code by people yet; see `review status {name}`'
        )
    audited = sum(row.kind == AUDIT for row in found)
    weights = [accepted / audited if row.kind == AUDIT else 1.0 for row in found]
    labelled = label_texts(
        [row.text for row in found],
        [row.final for row in found],
        codes,
        weights=weights,
        source=f'{PREFIX}{name}',
    )
    rows = labelled.rows.copy()
    for at, position in enumerate(labelled.rows.tolist()):
        rows[at] = found[position - 1].row
    return replace(labelled, rows=rows)


def _decided(connection: Connection, name: str) -> tuple[list[Row[Any]], int]:
    """Return the items with a code by people, and how many rows were accepted without them."""
    batch = known_batch(connection, name)
    own = items.c.batch_id == batch.id
    found = connection.execute(
        select(items)
        .where(own, items.c.state == DONE, items.c.final.not_in((VAGUE, NOT_BUSINESS)))
        .order_by(items.c.row)
    ).all()
    accepted = select(func.count()).where(own, items.c.kind.in_((AUTOMATIC, AUDIT)))
    if batch.drawn_from is not None:
        return list(found), batch.drawn_from
    return list(found), int(connection.execute(accepted).scalar_one())
