"""Decisions that were made elsewhere: a table of codes, or annotations of Label Studio."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from naics_embed.errors import CodeError, UserError
from naics_embed.review.batches import known_batch
from naics_embed.review.codes import CodeBook
from naics_embed.review.decide import Given, record
from naics_embed.review.export import CODED
from naics_embed.review.label_studio import annotations_of
from naics_embed.review.resolution import AUTOMATIC, CODE, NOT_BUSINESS, UNREADABLE, VAGUE
from naics_embed.review.store import Store
from naics_embed.review.tables import items
from naics_embed.review.users import known_user
from naics_embed.search.bulk import texts_of
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.open import ReadOptions, open_table

PART_ROWS = 8192
ROW, CODE_COLUMN, OUTCOME, REASON = 'row', 'code', 'outcome', 'reason'


@dataclass(frozen=True)
class Imported:
    """What became of decisions that came in.

    Attributes:
        recorded: new ones.
        repeated: that had been imported before.
        empty: rows without a decision.
    """

    recorded: int
    repeated: int
    empty: int = 0


@dataclass(frozen=True)
class _Decision:
    item: int
    action: str
    code: str | None
    reason: str | None
    user: str
    key: str


def import_table(
    store: Store,
    name: str,
    source: Path,
    user: str,
    claim_s: float,
    *,
    row_column: str = ROW,
    code_column: str = CODE_COLUMN,
    reading: ReadOptions | None = None,
) -> Imported:
    """Record the codes of a table as decisions of a user, all or none.

    A column ``outcome`` may say ``vague`` or ``not_business`` where there is no code, and a column
    ``reason`` why; rows with neither are passed over.

    Args:
        store: of the batch.
        name: of the batch.
        source: a table that `open_table` reads.
        user: whose decisions these are.
        claim_s: as `record`.
        row_column: number of the row in the file of the batch, from 1.
        code_column: codes.
        reading: what the user says about the file.

    Raises:
        UserError: a column is missing, a row or code does not exist, or the batch is closed.
    """
    table = open_table(source, reading)
    for column in (row_column, code_column):
        check_text_column(source, column, table.names, table.original)
    optional = {column for column in (OUTCOME, REASON) if column in table.names}
    values: dict[str, list[Any]] = {c: [] for c in (row_column, code_column, *optional)}
    for part in table.parts(PART_ROWS):
        for column in values:
            values[column] += texts_of(part, column)

    def work(connection: Connection) -> Imported:
        batch = known_batch(connection, name)
        book = CodeBook.read(connection, batch.bundle)
        numbers = _numbers(connection, batch.id)
        found, empty = [], 0
        for at, (row, code) in enumerate(
            zip(values[row_column], values[code_column], strict=True), start=1
        ):
            outcome = str(values[OUTCOME][at - 1] or '') if OUTCOME in values else ''
            reason = values[REASON][at - 1] or None if REASON in values else None
            stated = '' if code is None else str(code).strip()
            action = CODE if stated else outcome
            if action not in (CODE, VAGUE, NOT_BUSINESS):
                if action not in ('', CODED, 'open', 'conflict', UNREADABLE):
                    raise UserError(
                        f'{source}, row {at}: {OUTCOME} is {action!r}; use {VAGUE} or '
                        f'{NOT_BUSINESS}'
                    )
                empty += 1
                continue
            where = f'{source}, row {at}'
            item = numbers.get(_whole(row, where))
            if item is None:
                raise UserError(f'{where}: {name} has no item for people in row {row}')
            own = _known(book, stated, where) if stated else None
            facts = f'{item}|{action}|{own}|{reason}'
            key = 'table-' + hashlib.sha256(facts.encode()).hexdigest()[:40]
            found.append(_Decision(item, action, own, reason, user, key))
        return _record(connection, found, claim_s, empty)

    return store.write(work)


def import_label_studio(
    store: Store, name: str, source: Path, user: str | None, claim_s: float
) -> Imported:
    """Record annotations of Label Studio as decisions, all or none.

    Args:
        store: of the batch.
        name: of the batch.
        source: an export of Label Studio, JSON.
        user: whose decisions these are; None for users of the review whose names are the e-mails
            of the annotators.
        claim_s: as `record`.

    Raises:
        UserError: it is not such an export, an item, code or user does not exist, or the batch is
            closed.
    """
    read = annotations_of(source.read_text(encoding='utf-8'), source)
    unnamed = [one for one in read if user is None and one['user'] is None]
    if unnamed:
        raise UserError(f'{source} does not say who annotated; name a user with --user')

    def work(connection: Connection) -> Imported:
        batch = known_batch(connection, name)
        book = CodeBook.read(connection, batch.bundle)
        known = set(_numbers(connection, batch.id).values())
        found = []
        for one in read:
            if one['item'] not in known:
                raise UserError(f'{source}: item {one["item"]} is none of {name}')
            code = None if one['code'] is None else _known(book, one['code'], str(source))
            by = user or one['user']
            found.append(_Decision(one['item'], one['action'], code, None, by, one['key']))
        return _record(connection, found, claim_s)

    return store.write(work)


def _numbers(connection: Connection, batch: int) -> dict[int, int]:
    """Row of the file → number of its item, of items for people."""
    query = select(items.c.row, items.c.id).where(
        items.c.batch_id == batch, items.c.kind.not_in((AUTOMATIC, UNREADABLE))
    )
    return {int(row): int(number) for row, number in connection.execute(query)}


def _record(
    connection: Connection, found: Sequence[_Decision], claim_s: float, empty: int = 0
) -> Imported:
    people = {name: known_user(connection, name) for name in {one.user for one in found}}
    repeated = 0
    for one in found:
        given = Given(one.key, one.item, one.action, one.code, one.reason)
        repeated += record(connection, people[one.user], given, claim_s).repeated
    return Imported(len(found) - repeated, repeated, empty)


def _whole(value: Any, where: str) -> int:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if number < 1 or number != int(number):
        raise UserError(f'{where}: the row is {value!r}; it must be a number from 1')
    return int(number)


def _known(book: CodeBook, code: str, where: str) -> str:
    try:
        return book.known(code)
    except CodeError as error:
        raise UserError(f'{where}: {error}') from error
