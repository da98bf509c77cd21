"""What a batch is made of, checked before any work."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from naics_embed.errors import UserError
from naics_embed.review.order import EXPOSURE, Waiting, review_order
from naics_embed.search.text_columns import TextColumn, check_text_columns
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.open import ReadOptions, open_table
from naics_embed.tabular.part import TableSource

NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')


@dataclass(frozen=True)
class Plan:
    """What a batch is made of.

    Attributes:
        name: of the batch.
        source: a table that `open_table` reads.
        columns: of texts.
        shown: further columns that reviewers see.
        exposure: column of what depends on the code of a row.
        threshold: least probability of a row that is accepted.
        target: in place of it, the accuracy wanted of the accepted rows.
        audit_fraction: part of the accepted rows that people check.
        double_fraction: part of the rows for people that two decide.
        order: in which items come, one of `review.order.ORDERS`.
        seed: of all draws.
        suggestions: codes for each row.
        evidence: training texts and matching terms for each of them.
        webhook: address that is told when the batch closes.
        part_rows: rows coded and saved at a time.
        reading: what the user says about the file.
    """

    name: str
    source: Path
    columns: tuple[TextColumn, ...]
    shown: tuple[str, ...] = ()
    exposure: str | None = None
    threshold: float | None = 0.9
    target: float | None = None
    audit_fraction: float = 0.05
    double_fraction: float = 0.1
    order: str = 'uncertainty'
    seed: int = 0
    suggestions: int = 5
    evidence: int = 2
    webhook: str | None = None
    part_rows: int = 512
    reading: ReadOptions = field(default_factory=ReadOptions)


def open_source(plan: Plan) -> TableSource:
    """Check a plan before any work, and open its table.

    Raises:
        UserError: a value is out of range, or the file or a column cannot be read.
    """
    if not NAME.fullmatch(plan.name):
        raise UserError(
            f'--name {plan.name!r} is no name of a batch; use letters, digits, . _ and -'
        )
    for option, value in (('--threshold', plan.threshold), ('--target', plan.target)):
        if value is not None and not 0 < value <= 1:
            raise UserError(f'{option} must be above 0 and at most 1, not {value}')
    for option, value in (
        ('--audit-fraction', plan.audit_fraction),
        ('--double-fraction', plan.double_fraction),
    ):
        if not 0 <= value <= 1:
            raise UserError(f'{option} must be from 0 to 1, not {value}')
    if plan.order == EXPOSURE and plan.exposure is None:
        raise UserError('--order exposure needs --exposure-column')
    # An unknown order is an error now, and not after all rows are coded.
    probe = Waiting(np.empty(0), np.empty((0, 1)), np.empty((0, 1), np.int64), np.empty(0))
    review_order(probe, plan.order)
    table = open_table(plan.source, plan.reading)
    check_text_columns(plan.source, plan.columns, table)
    for name in (*plan.shown, *([plan.exposure] if plan.exposure else [])):
        check_text_column(plan.source, name, table.names, table.original)
    return table
