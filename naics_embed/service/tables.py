"""Tables that the page reads and writes: a few thousand rows, as text."""

import tempfile
from pathlib import Path

import pyarrow as pa

from naics_embed.errors import UserError
from naics_embed.service import answers
from naics_embed.service.problems import ProblemError
from naics_embed.tabular.open import TEXT, open_table
from naics_embed.tabular.part_file import write_part_table
from naics_embed.tabular.values import column_texts
from naics_embed.tabular.workbook_writer import write_workbook

READABLE = (*TEXT, '.xlsx')
WORKBOOK_TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'


def read_table(content: bytes, name: str, most: int) -> answers.Table:
    """Return a table that was sent.

    Args:
        content: the file.
        name: its name, of which the ending counts.
        most: rows, at most.

    Raises:
        ProblemError: it has more rows.
        UserError: it has another format, or cannot be read.
        SourceError: a workbook is damaged, or reaches farther than memory is spent on.
    """
    ending = Path(name).suffix.lower()
    if ending not in READABLE:
        raise UserError(
            f'{name or "the file"} must end in one of {", ".join(READABLE)}; save it as one of them'
        )
    if not content:
        raise UserError(f'{name} is empty')
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        path = Path(folder) / f'table{ending}'
        path.write_bytes(content)
        try:
            table = open_table(path)
            columns: list[list[str]] = [[] for _ in table.names]
            for part in table.parts(most + 1):
                for values, column in zip(columns, part.table().columns, strict=True):
                    values += column_texts(column)
                if columns and len(columns[0]) > most:
                    raise ProblemError(
                        413,
                        f'the table has more than {most:,} rows; code it with the command '
                        '"naics-embed code FILE"',
                    )
        except UserError as error:
            # Its own name, not that of the copy.
            raise UserError(str(error).replace(str(path), name)) from error
    return answers.Table(
        columns=list(table.names),
        rows=[list(row) for row in zip(*columns, strict=True)],
        notes=list(table.notes),
    )


def workbook(table: answers.Table) -> bytes:
    """Return a table as an xlsx workbook. Text stays text.

    Raises:
        UserError: a row has not as many fields as there are columns.
    """
    width = len(table.columns)
    for number, row in enumerate(table.rows, start=1):
        if len(row) != width:
            raise UserError(f'row {number} has {len(row)} fields where there are {width} columns')
    schema = pa.schema([(name, pa.string()) for name in table.columns])
    columns = [pa.array([row[at] for row in table.rows], pa.string()) for at in range(width)]
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        part, target = Path(folder) / 'part.arrow', Path(folder) / 'table.xlsx'
        write_part_table(part, pa.table(columns, schema=schema))
        write_workbook([part], target, schema, {})
        return target.read_bytes()
