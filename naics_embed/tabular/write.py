"""Writing of a user's table with columns added, in the format that the name of the output ends in.

Rows come in parts. Each part is written whole beside the output, so that a run that was stopped can
go on; at the end the parts are joined.
"""

import csv
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed.errors import UserError
from naics_embed.tabular.parquet_types import parquet_schema
from naics_embed.tabular.part import Part
from naics_embed.tabular.part_file import ENDING, read_part_table, write_part_table
from naics_embed.tabular.values import as_text, column_texts
from naics_embed.tabular.workbook_writer import write_workbook

TEXT = {'.csv': ',', '.tsv': '\t'}
ARROW = ('.feather', '.arrow')
WRITABLE = (*TEXT, '.parquet', *ARROW, '.jsonl', '.xlsx')
METADATA = b'naics_embed'
"""Key of the metadata of parquet and Arrow files."""


def check_output(out: Path, *, force: bool = False) -> None:
    """Raise UserError where a file cannot be written: format, folder, or a file that is there.

    Args:
        out: the file.
        force: whether a file that is there is replaced.
    """
    if out.suffix.lower() not in WRITABLE:
        raise UserError(f'{out} must end in one of {", ".join(WRITABLE)}')
    if not out.parent.is_dir():
        raise UserError(f'{out.parent} does not exist; name a folder that does')
    if out.is_dir():
        raise UserError(f'{out} is a folder; name a file')
    if out.exists() and not force:
        raise UserError(f'{out} exists; name another file, or give --force to replace it')


def part_ending(out: Path) -> str:
    """Return the ending of the parts of an output: text for text, else Arrow."""
    ending = out.suffix.lower()
    return ending if ending in TEXT else ENDING


def write_part(path: Path, part: Part, added: pa.Table, delimiter: str | None = None) -> None:
    """Write the rows of a part with the columns that are added.

    Args:
        path: a file whose ending is that of `part_ending`.
        part: the rows.
        added: the columns, a row each.
        delimiter: of text; that of the ending where None.
    """
    if path.suffix not in TEXT:
        write_part_table(path, joined(part, added))
        return
    fields = part.rows if isinstance(part.rows, list) else _fields(part.rows)
    more = _fields(added, digits=6)
    with path.open('w', encoding='utf-8', errors='surrogateescape', newline='') as stream:
        writer = csv.writer(stream, delimiter=delimiter or TEXT[path.suffix])
        writer.writerows([*own, *new] for own, new in zip(fields, more, strict=True))


def joined(part: Part, added: pa.Table) -> pa.Table:
    """Return the rows of a part and the columns that are added as one table."""
    table = part.table()
    for name in added.column_names:
        table = table.append_column(name, added.column(name))
    return table


def join_parts(
    files: Sequence[Path],
    target: Path,
    ending: str,
    empty: pa.Table,
    *,
    delimiter: str | None = None,
    mark: bool = False,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Write an output from its parts.

    Args:
        files: the parts, in order.
        target: file to write.
        ending: the format, one of `WRITABLE`.
        empty: table with all columns and no row.
        delimiter: of text; that of the ending where None.
        mark: whether text begins with a byte order mark.
        metadata: what is said of the output where the format has a place for it.
    """
    if ending in TEXT:
        with target.open('wb') as stream:
            stream.write(b'\xef\xbb\xbf' if mark else b'')
            stream.write(_header(empty.column_names, delimiter or TEXT[ending]))
            for file in files:
                with file.open('rb') as part:
                    shutil.copyfileobj(part, stream)
        return
    schema = parquet_schema(empty.schema) if ending == '.parquet' else empty.schema
    if metadata is not None:
        kept = schema.metadata or {}
        schema = schema.with_metadata({**kept, METADATA: json.dumps(metadata).encode()})
    if ending == '.parquet':
        with pq.ParquetWriter(target, schema) as parquet:
            for file in files:
                parquet.write_table(read_part_table(file).cast(schema))
            if not files:
                parquet.write_table(schema.empty_table())
    elif ending in ARROW:
        with pa.OSFile(str(target), 'wb') as sink, pa.ipc.new_file(sink, schema) as arrow:
            for file in files:
                arrow.write_table(read_part_table(file).cast(schema))
    elif ending == '.jsonl':
        with target.open('w', encoding='utf-8') as lines:
            for file in files:
                for row in read_part_table(file).to_pylist():
                    lines.write(json.dumps(row, default=as_text, ensure_ascii=False) + '\n')
    else:
        write_workbook(files, target, schema, metadata or {})


def _fields(table: pa.Table, digits: int | None = None) -> list[list[str]]:
    """Return the rows of a table as fields; ``digits`` after the point of floats, if any."""
    columns = [
        [f'{value:.{digits}f}' if value is not None else '' for value in column.to_pylist()]
        if digits is not None and pa.types.is_floating(column.type)
        else column_texts(column)
        for column in table.columns
    ]
    return [list(fields) for fields in zip(*columns, strict=True)] if columns else []


def _header(names: Sequence[str], delimiter: str) -> bytes:
    line = io.StringIO(newline='')
    csv.writer(line, delimiter=delimiter).writerow(names)
    return line.getvalue().encode('utf-8', 'surrogateescape')
