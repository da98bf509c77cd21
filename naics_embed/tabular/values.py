"""Values of a table as fields of a text file, each exact: what is read back is what was there."""

import base64
import datetime
import decimal
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa


def as_text(value: Any) -> str:
    """Return a value as a field of a text file; empty for a missing one.

    Floats have as many digits as tell them from their neighbours, times are ISO 8601, lists and
    structs JSON, and bytes text where they are UTF-8, else base64.
    """
    if value is None:
        return ''
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return 'true' if value else 'false'
    if isinstance(value, (float, np.floating)):
        if math.isnan(value):
            return 'NaN'
        return str(value) if isinstance(value, np.floating) else repr(value)
    if isinstance(value, (bytes, bytearray)):
        return _bytes_text(bytes(value))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(value)


def column_texts(column: pa.ChunkedArray) -> list[str]:
    """Return the values of a column as fields of a text file."""
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        # As Python's float, a float32 would show digits that it does not have.
        kind = np.float32 if pa.types.is_float32(column.type) else np.float16
        return [as_text(None if value is None else kind(value)) for value in column.to_pylist()]
    if pa.types.is_timestamp(column.type) and column.type.unit == 'ns':
        return [as_text(value) for value in column.cast(pa.string()).to_pylist()]
    if pa.types.is_duration(column.type) or pa.types.is_time64(column.type):
        return [as_text(value) for value in _as_strings(column)]
    return [as_text(value) for value in column.to_pylist()]


def _as_strings(column: pa.ChunkedArray) -> list[str | None]:
    if pa.types.is_duration(column.type):
        unit = column.type.unit
        numbers = column.cast(pa.int64()).to_pylist()
        return [None if number is None else f'{number} {unit}' for number in numbers]
    return list(column.cast(pa.string()).to_pylist())


def _bytes_text(value: bytes) -> str:
    try:
        return value.decode('utf-8')
    except UnicodeDecodeError:
        return base64.b64encode(value).decode('ascii')


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return as_text(value)
