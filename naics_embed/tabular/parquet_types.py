"""Types of Arrow that parquet lacks."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from naics_embed.errors import UserError


def parquet_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose columns every reader of parquet can read back.

    Lists of a fixed length become lists: readers refuse those with missing values.
    """
    fields = [field.with_type(_readable(field.type)) for field in schema]
    return pa.schema(fields, schema.metadata)


def check_parquet(source: object, schema: pa.Schema) -> None:
    """Raise UserError where parquet has no type for a column."""
    for field in schema:
        one = parquet_schema(pa.schema([field]))
        try:
            pq.write_table(one.empty_table(), io.BytesIO())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise UserError(
                f'{source}: parquet has no type for {field.type}, that of the column '
                f'{field.name!r}; write .feather or .csv'
            ) from error


def _readable(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_readable(kind.value_type))
    if pa.types.is_list(kind):
        return pa.list_(_readable(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_readable(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_readable(field.type)) for field in kind])
    return kind
