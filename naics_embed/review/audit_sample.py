"""A batch of rows that were drawn from answers given elsewhere: is their code right?

It holds the drawn rows only, and how many they were drawn from. The first suggestion of a row is
the code that it was given, whoever gave it; the others are of the bundle in use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert, select, update

from naics_embed.artifacts import content_key
from naics_embed.errors import CodeError, UserError
from naics_embed.review.batches import CLOSED, find_batch, tell
from naics_embed.review.clock import now
from naics_embed.review.plan import NAME
from naics_embed.review.resolution import AUDIT, OPEN
from naics_embed.review.store import Store
from naics_embed.review.suggest import Detail, bundle_of, details, keep_codes, suggest
from naics_embed.review.tables import batches, items, suggestions
from naics_embed.search.coder import Answer, Coder
from naics_embed.search.text_columns import FULL
from naics_embed.tabular.part import valid
from naics_embed.taxonomy import LEAF_LEVEL, canonical_code

FILE, ROW = 'coded file', 'coded row'
"""What reviewers see of where a row comes from; it tells whether the batch has the row."""
PART_ROWS = 256
ORDER = 'random'


@dataclass(frozen=True)
class CodedRow:
    """A row that was coded.

    Attributes:
        file: name of its file.
        row: its number there, from 1.
        text: the description.
        code: what it was given.
        probability: of this code.
        chance: where it stands in the random order, from 0 to 1.
    """

    file: str
    row: int
    text: str
    code: str
    probability: float
    chance: float


@dataclass(frozen=True)
class Drawn:
    """Rows that were drawn.

    Attributes:
        rows: the drawn ones.
        accepted: rows that they were drawn from.
        fraction: probability with which each was drawn.
        source: name of what they were drawn from.
    """

    rows: tuple[CodedRow, ...]
    accepted: int
    fraction: float
    source: str


@dataclass(frozen=True)
class AuditBatch:
    """What became of drawn rows.

    Attributes:
        name: of the batch; None where no row was drawn.
        added: rows that the batch did not have.
        rows: rows of the batch.
        accepted: rows that they were drawn from.
        closed: whether it is closed, so that nothing was added.
    """

    name: str | None
    added: int
    rows: int
    accepted: int
    closed: bool = False


def check_name(name: str) -> str:
    """Return a name of a batch. Raises UserError where it is none."""
    if not NAME.fullmatch(name):
        raise UserError(f'{name!r} is no name of a batch; use letters, digits, . _ and -')
    return name


def add_audit(
    store: Store,
    coder: Coder,
    name: str,
    drawn: Drawn,
    *,
    double_fraction: float = 0.1,
    count: int = 5,
    evidence: int = 2,
) -> AuditBatch:
    """Queue drawn rows for people, in a new batch or in one that holds rows drawn before.

    Rows that the batch has are kept, so that it may be called again when more rows are coded.

    Args:
        store: where it is kept.
        coder: suggests further codes.
        name: of the batch.
        drawn: the rows.
        double_fraction: part of them that two decide.
        count: codes suggested for each.
        evidence: training texts and matching terms for each of them.

    Raises:
        UserError: the name is none or that of a batch of another kind, or a code is none of the
            six-digit codes of the bundle.
    """
    check_name(name)
    codes = _checked_codes(coder, drawn.rows)
    before = store.read(lambda connection: _present(connection, name))
    new = [row for row in drawn.rows if (row.file, str(row.row)) not in before]
    prepared = []
    for start in range(0, len(new), PART_ROWS):
        prepared += _prepared(coder, new[start : start + PART_ROWS], codes, count, evidence)
    return store.write(
        lambda connection: _keep(connection, coder, name, drawn, prepared, double_fraction)
    )


Prepared = tuple[CodedRow, dict[str, Any], list[dict[str, Any]]]
"""A row, its item, and its suggestions."""


def _checked_codes(coder: Coder, rows: Sequence[CodedRow]) -> dict[str, str]:
    """Return the canonical code of each spelling."""
    known = {coder.searcher.codes[leaf] for leaf in coder.leaves.tolist()}
    codes: dict[str, str] = {}
    for row in rows:
        try:
            code = canonical_code(row.code)
        except CodeError:
            code = row.code
        if code not in known:
            raise UserError(
                f'{row.file}, row {row.row}: {row.code!r} is no code of {LEAF_LEVEL} digits of '
                f'the bundle; an audit needs files that were coded in NAICS 2022 with --level '
                f'{LEAF_LEVEL}'
            )
        codes[row.code] = code
    return codes


def _present(connection: Connection, name: str) -> set[tuple[str, str]]:
    """Return which rows a batch has."""
    batch = find_batch(connection, name)
    if batch is None:
        return set()
    if batch.drawn_from is None:
        raise UserError(
            f'the batch {name} was made from a file, so that no audit can be added to it; name '
            'another subject'
        )
    shown = select(items.c.shown).where(items.c.batch_id == batch.id)
    return {(one[FILE], one[ROW]) for one in connection.execute(shown).scalars()}


def _prepared(
    coder: Coder, rows: Sequence[CodedRow], codes: dict[str, str], count: int, evidence: int
) -> list[Prepared]:
    texts = [row.text for row in rows]
    answers = suggest(coder, [((text, FULL),) for text in texts], count)
    found = details(coder, texts, count, evidence)
    result = []
    for row, detail in zip(rows, found, strict=True):
        answer = answers[((row.text, FULL),)]
        item = {
            'text': valid(row.text),
            'shown': {FILE: row.file, ROW: str(row.row)},
            'kind': AUDIT,
            'state': OPEN,
            'probability': row.probability,
            'familiarity': answer.familiarity,
            'question': detail.question,
        }
        result.append((row, item, _ranked(row, codes[row.code], answer, detail, count)))
    return result


def _ranked(
    row: CodedRow, code: str, answer: Answer, detail: Detail, count: int
) -> list[dict[str, Any]]:
    """Return the suggestions: the code that was given, then others of the coder."""
    others = [(hit.code, hit.probability) for hit in answer.hits if hit.code != code]
    of_code = {
        one['code']: {'texts': one['texts'], 'words': one['words']} for one in detail.evidence
    }
    return [
        {'rank': rank, 'code': one, 'probability': probability, 'evidence': of_code.get(one)}
        for rank, (one, probability) in enumerate(
            [(code, row.probability), *others][:count], start=1
        )
    ]


def _keep(
    connection: Connection,
    coder: Coder,
    name: str,
    drawn: Drawn,
    prepared: Sequence[Prepared],
    double_fraction: float,
) -> AuditBatch:
    there = _present(connection, name)
    batch = find_batch(connection, name)
    if batch is not None and batch.state == CLOSED:
        return AuditBatch(name, 0, len(there), batch.drawn_from or 0, closed=True)
    bundle = bundle_of(coder)
    keep_codes(connection, coder, bundle)
    number = _begin(connection, name, bundle, drawn, double_fraction) if batch is None else batch.id
    last = select(func.max(items.c.row)).where(items.c.batch_id == number)
    first = int(connection.execute(last).scalar() or 0)
    new = [one for one in prepared if (one[0].file, str(one[0].row)) not in there]
    # In random order.
    new.sort(key=lambda one: one[0].chance)
    twice = np.random.default_rng(first).random(len(new)) < double_fraction
    for at, (_, item, ranked) in enumerate(new):
        added = connection.execute(
            insert(items).values(
                **item,
                batch_id=number,
                row=first + at + 1,
                position=first + at,
                coders=2 if twice[at] else 1,
            )
        ).inserted_primary_key
        assert added is not None
        connection.execute(
            insert(suggestions), [{'item_id': added[0], 'bundle': bundle, **one} for one in ranked]
        )
    accepted = max(drawn.accepted, 0 if batch is None else batch.drawn_from or 0)
    connection.execute(update(batches).where(batches.c.id == number).values(drawn_from=accepted))
    if new:
        tell(connection, number, None, 'drawn', {'rows': len(new), 'of': accepted})
    return AuditBatch(name, len(new), first + len(new), accepted)


def _begin(
    connection: Connection, name: str, bundle: str, drawn: Drawn, double_fraction: float
) -> int:
    number = connection.execute(
        insert(batches).values(
            name=name,
            state=OPEN,
            created_at=now(),
            source=drawn.source,
            identity=content_key([name, drawn.source]),
            bundle=bundle,
            threshold=None,
            target=None,
            audit_fraction=drawn.fraction,
            double_fraction=double_fraction,
            item_order=ORDER,
            seed=0,
            webhook=None,
            drawn_from=drawn.accepted,
        )
    ).inserted_primary_key
    assert number is not None
    return int(number[0])
