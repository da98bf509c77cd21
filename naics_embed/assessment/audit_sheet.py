"""The sheet on which people work through an audit."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from naics_embed.artifacts import atomic_file
from naics_embed.assessment.audit import Audit
from naics_embed.tabular.part import Part, valid
from naics_embed.tabular.write import join_parts, part_ending, write_part

GIVEN = pa.schema(
    [
        ('row', pa.int64()),
        ('text', pa.string()),
        ('stated_code', pa.string()),
        ('stated_title', pa.string()),
    ]
)
FOUND = pa.schema(
    [
        ('probability', pa.float64()),
        ('proposed_code', pa.string()),
        ('proposed_title', pa.string()),
        ('proposed_probability', pa.float64()),
        ('exposure', pa.float64()),
        ('expected_loss', pa.float64()),
        ('decision', pa.string()),
    ]
)


def write_sheet(result: Audit, out: Path) -> None:
    """Write the contradicted rows of an audit, the greatest expected loss first.

    The column ``decision`` is empty, for the code that a person decides on.

    Args:
        result: from `audit`.
        out: a file in one of `tabular.write.WRITABLE`, which is replaced.
    """
    rows = result.contradicted
    given = _table([(r.row, r.text, r.stated, r.stated_title) for r in rows], GIVEN)
    proposed = _table(
        [
            (
                r.probability,
                r.proposed,
                r.proposed_title,
                r.proposed_probability,
                r.exposure,
                r.expected_loss,
                '',
            )
            for r in rows
        ],
        FOUND,
    )
    empty = pa.schema([*GIVEN, *FOUND]).empty_table()
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        part = Path(folder) / f'part{part_ending(out)}'
        write_part(part, Part(GIVEN.names, given, [None] * len(rows)), proposed)
        with atomic_file(out) as partial:
            join_parts([part], partial, out.suffix.lower(), empty)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = []
    for at, field in enumerate(schema):
        values = [row[at] for row in rows]
        # A text file may hold bytes that are no text.
        texts = pa.types.is_string(field.type)
        columns.append(pa.array([valid(v) for v in values] if texts else values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)
