"""The rows of a SQL query, put into a file of typed columns before they are worked on."""

import datetime
import decimal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed.errors import UserError

FETCHED = 20_000
"""Rows in memory at a time."""
KEPT = (str, bytes, bool, int, float, decimal.Decimal, datetime.date, datetime.time)
"""Values that Arrow has types for; others are written as text."""


@contextmanager
def queried(query: str, connection: str) -> Iterator[Path]:
    """Yield a parquet file with the rows of a query, for the time of the block.

    The query runs once, and its transaction is rolled back, so that a database is read only.

    Args:
        query: a statement that gives rows.
        connection: address of the database, as SQLAlchemy reads it: ``sqlite:///firms.db``,
            ``postgresql+psycopg://host/name``.

    Raises:
        UserError: SQLAlchemy or a driver is missing, the address or the query is wrong, or the
            query gives no rows.
    """
    try:
        import sqlalchemy
    except ImportError as error:
        raise UserError('a query needs SQLAlchemy: pip install sqlalchemy') from error
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        target = Path(folder) / 'query.parquet'
        try:
            engine = sqlalchemy.create_engine(connection)
            with engine.connect() as opened:
                streamed = opened.execution_options(stream_results=True)
                result = streamed.execute(sqlalchemy.text(query))
                if not result.returns_rows:
                    raise UserError(f'the query gives no rows: {query!r}; give a SELECT')
                _write(list(result.keys()), result.partitions(FETCHED), target)
            engine.dispose()
        except ImportError as error:
            raise UserError(
                f'{connection} needs a driver that is not installed ({error}); pip install it'
            ) from error
        except sqlalchemy.exc.SQLAlchemyError as error:
            reason = str(getattr(error, 'orig', None) or error).splitlines()[0]
            raise UserError(f'the query failed at {connection}: {reason}') from error
        yield target


def _write(names: Sequence[str], parts: Iterator[Sequence[Any]], target: Path) -> None:
    """Write parts whose types may differ: a column may be empty at first."""
    files: list[Path] = []
    for number, rows in enumerate(parts):
        columns = zip(*(tuple(row) for row in rows), strict=True)
        table = pa.table([_array(values) for values in columns], names=_unique(names))
        files.append(target.with_name(f'{number:08d}.parquet'))
        pq.write_table(table, files[-1])
    schema = _common([pq.read_schema(file) for file in files], _unique(names))
    with pq.ParquetWriter(target, schema) as writer:
        for file in files:
            writer.write_table(pq.read_table(file).cast(schema))
            file.unlink()


def _common(schemas: Sequence[pa.Schema], names: Sequence[str]) -> pa.Schema:
    """Return one schema for all parts; a column whose types do not go together becomes text."""
    fields = []
    for at, name in enumerate(names):
        columns = [pa.schema([schema.field(at)]) for schema in schemas]
        try:
            kind = pa.unify_schemas(columns, promote_options='permissive').field(0).type
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            kind = pa.string()
        fields.append((name, kind))
    return pa.schema(fields)


def _array(values: Sequence[Any]) -> pa.Array:
    plain = [value if value is None or isinstance(value, KEPT) else str(value) for value in values]
    try:
        return pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # SQLite keeps values of several types in a column.
        return pa.array([None if value is None else str(value) for value in plain], pa.string())


def _unique(names: Sequence[str]) -> list[str]:
    """Parquet files of columns that share a name cannot be read back."""
    from naics_embed.tabular.columns import usable_names

    return usable_names(names)[0]
