"""Whatever type a column has, what is read back from an output is what was there."""

import base64
import csv
import datetime
import decimal
import json
import math
import tempfile
from pathlib import Path

import fastexcel
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.tabular.open import open_table
from tests.tabular.test_writing import write

TEXT = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=9)
INTS = {
    f'{sign}int{bits}': (
        getattr(pa, f'{sign}int{bits}')(),
        st.integers(0 if sign else -(2 ** (bits - 1)), 2 ** (bits if sign else bits - 1) - 1),
    )
    for bits in (8, 16, 32, 64)
    for sign in ('', 'u')
}
EARLY, LATE = datetime.datetime(1901, 1, 1), datetime.datetime(2200, 1, 1)
STEP = {'s': 10**6, 'ms': 10**3, 'us': 1, 'ns': 1}


def instants(unit: str, zone: str | None):
    """Times that a unit can hold."""
    whole = st.datetimes(EARLY, LATE).map(
        lambda at: at.replace(microsecond=at.microsecond // STEP[unit] * STEP[unit])
    )
    return whole.map(lambda at: at.replace(tzinfo=datetime.UTC)) if zone else whole


def of_day(unit: str):
    return st.times().map(
        lambda at: at.replace(microsecond=at.microsecond // STEP[unit] * STEP[unit])
    )


SPANS = st.integers(-(10**9), 10**9)
DECIMALS = st.decimals(-(10**6), 10**6, places=3, allow_nan=False)
TYPES = {
    'null': (pa.null(), st.none()),
    'bool': (pa.bool_(), st.booleans()),
    **INTS,
    'float16': (pa.float16(), st.floats(width=16)),
    'float32': (pa.float32(), st.floats(width=32)),
    'float64': (pa.float64(), st.floats()),
    'string': (pa.string(), TEXT),
    'large_string': (pa.large_string(), TEXT),
    'string_view': (pa.string_view(), TEXT),
    'binary': (pa.binary(), st.binary(max_size=9)),
    'large_binary': (pa.large_binary(), st.binary(max_size=9)),
    'fixed_binary': (pa.binary(4), st.binary(min_size=4, max_size=4)),
    'date32': (pa.date32(), st.dates()),
    'date64': (pa.date64(), st.dates()),
    **{
        f'timestamp {unit} {zone or ""}': (pa.timestamp(unit, zone), instants(unit, zone))
        for unit in STEP
        for zone in (None, 'UTC', 'America/New_York')
    },
    'time32 s': (pa.time32('s'), of_day('s')),
    'time32 ms': (pa.time32('ms'), of_day('ms')),
    'time64 us': (pa.time64('us'), of_day('us')),
    'time64 ns': (pa.time64('ns'), of_day('us')),
    **{f'duration {unit}': (pa.duration(unit), SPANS) for unit in STEP},
    'decimal128': (pa.decimal128(12, 3), DECIMALS),
    'decimal256': (pa.decimal256(50, 3), DECIMALS),
    'list': (pa.list_(pa.int32()), st.lists(st.integers(-9, 9), max_size=3)),
    'large_list': (pa.large_list(pa.string()), st.lists(TEXT, max_size=3)),
    'fixed_list': (pa.list_(pa.int8(), 2), st.lists(st.integers(0, 9), min_size=2, max_size=2)),
    'struct': (
        pa.struct([('a', pa.float64()), ('b', pa.string())]),
        st.fixed_dictionaries({'a': st.floats(allow_nan=False, allow_infinity=False), 'b': TEXT}),
    ),
    'map': (pa.map_(pa.string(), pa.int64()), st.dictionaries(TEXT, st.integers(0, 9), max_size=2)),
    'dictionary': (pa.dictionary(pa.int32(), pa.string()), TEXT),
    'nested': (
        pa.list_(pa.struct([('day', pa.date32()), ('n', pa.list_(pa.int8()))])),
        st.lists(
            st.fixed_dictionaries({'day': st.dates(), 'n': st.lists(st.integers(0, 9))}), max_size=2
        ),
    ),
}
"""Name → type and values."""
COARSE = ('date64', 'time32 s', 'fixed_list', *(kind for kind in TYPES if 'timestamp s' in kind))
EXAMPLES = 15


def columns(kind: str):
    """Two or three values of a type, some of them missing."""
    arrow, values = TYPES[kind]
    filled = st.lists(values | st.none(), min_size=2, max_size=3)
    if pa.types.is_map(arrow):
        filled = filled.map(lambda rows: [row and list(row.items()) for row in rows])
    return filled.map(lambda rows: pa.array(rows, arrow))


def added(rows: int) -> pa.Table:
    return pa.table(
        {'naics_code': ['812910'] * rows, 'naics_probability': [0.5] * rows},
    )


def same(first: pa.ChunkedArray, second: pa.ChunkedArray) -> bool:
    """Whether two columns have one type and the same values, NaN like NaN."""
    return first.type == second.type and _plain(first) == _plain(second)


def _plain(column: pa.ChunkedArray) -> list[object]:
    """Values of Python; bits of numbers, which tell all of them apart."""
    kind = column.type
    if pa.types.is_floating(kind):
        dtype = {2: np.float16, 4: np.float32, 8: np.float64}[kind.bit_width // 8]
        return [
            None if v is None else 'nan' if math.isnan(v) else dtype(v).tobytes()
            for v in column.to_pylist()
        ]
    if pa.types.is_temporal(kind) and not pa.types.is_date(kind):
        wide = pa.int64() if kind.bit_width == 64 else pa.int32()
        return column.cast(wide).to_pylist()
    return column.to_pylist()


@pytest.mark.parametrize('ending', ['.parquet', '.feather', '.arrow'])
@pytest.mark.parametrize('kind', TYPES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_files_with_types_keep_them(kind, ending, data):
    own = data.draw(columns(kind))
    table = pa.table({'own': own})
    with tempfile.TemporaryDirectory() as folder:
        out = write(Path(folder), ending, table, added(len(own)))
        read = pq.read_table if ending == '.parquet' else feather.read_table
        found = read(out, memory_map=False)['own']
        parts = pa.concat_tables(part.table() for part in open_table(out).parts(2))['own']
    if ending == '.parquet' and kind in COARSE:
        # Parquet has no such type: the values are the same in one that it has.
        found, parts = found.cast(own.type), parts.cast(own.type)
    assert same(found, table['own'])
    assert same(parts, table['own']), 'also as our own reader reads it'


def read_text(kind: pa.DataType, text: str):
    """A field of a text file as a value of its type, by the rules of the documents."""
    if text == '' or pa.types.is_null(kind):
        return None
    if pa.types.is_boolean(kind):
        return {'true': True, 'false': False}[text]
    if pa.types.is_integer(kind):
        return int(text)
    if pa.types.is_floating(kind):
        return float(text)
    if pa.types.is_decimal(kind):
        return decimal.Decimal(text)
    if pa.types.is_date(kind):
        return datetime.date.fromisoformat(text)
    if pa.types.is_duration(kind):
        number, unit = text.split()
        assert unit == kind.unit
        return int(number)
    if pa.types.is_dictionary(kind):
        return text
    if pa.types.is_nested(kind):
        return json.loads(text)
    return text


@pytest.mark.parametrize(
    'kind', [kind for kind in TYPES if kind not in ('map', 'nested') and 'time' not in kind]
)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_text_says_exactly_what_was_there(kind, data):
    own = data.draw(columns(kind))
    table = pa.table({'own': own})
    with tempfile.TemporaryDirectory() as folder:
        out = write(Path(folder), '.csv', table, added(len(own)))
        with out.open(encoding='utf-8', newline='') as stream:
            texts = [row['own'] for row in csv.DictReader(stream)]
        reread = [row for part in open_table(out).parts(2) for row in part.column('own')]
    assert reread == texts, 'also as our own reader reads it'
    if 'binary' in kind:
        plain = [value or b'' for value in own.to_pylist()]
        assert [_bytes(text, value) for text, value in zip(texts, plain, strict=True)] == plain
        return
    values = [read_text(own.type, text) for text in texts]
    if pa.types.is_duration(own.type):
        assert values == own.cast(pa.int64()).to_pylist()
    elif pa.types.is_floating(own.type):
        assert same(pa.chunked_array([pa.array(values, own.type)]), pa.chunked_array([own]))
    else:
        assert [value or None for value in values] == [value or None for value in own.to_pylist()]


def _bytes(text: str, value: bytes) -> bytes:
    """Bytes are text where they are UTF-8, else base64."""
    try:
        value.decode('utf-8')
    except UnicodeDecodeError:
        return base64.b64decode(text)
    return text.encode()


@pytest.mark.parametrize('kind', [kind for kind in TYPES if 'time' in kind])
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_times_are_exact_in_text(kind, data):
    own = data.draw(columns(kind))
    with tempfile.TemporaryDirectory() as folder:
        out = write(Path(folder), '.csv', pa.table({'own': own}), added(len(own)))
        with out.open(encoding='utf-8', newline='') as stream:
            texts = [row['own'] for row in csv.DictReader(stream)]
    strings = pa.array([text or None for text in texts], pa.string())
    if pa.types.is_time(own.type):
        found = [None if text is None else pa.scalar(text).as_py() for text in strings]
        expected = [v and v.isoformat() for v in own.cast(pa.time64('us')).to_pylist()]
        short = [text and datetime.time.fromisoformat(text[:15]).isoformat() for text in found]
        assert short == expected
        return
    zone = own.type.tz
    read = [None if text is None else _instant(text) for text in strings.to_pylist()]
    wanted = own.cast(pa.timestamp('us', zone)).to_pylist()
    assert list(map(_utc, read)) == list(map(_utc, wanted))


def _utc(at: datetime.datetime | None) -> datetime.datetime | None:
    """Times of zones are compared as instants: some of them are there twice in autumn."""
    return at if at is None or at.tzinfo is None else at.astimezone(datetime.UTC)


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.strip())


@pytest.mark.parametrize('kind', TYPES)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_workbooks_and_json_lines_take_every_type(kind, data):
    own = data.draw(columns(kind))
    table = pa.table({'id': range(len(own)), 'own': own})
    with tempfile.TemporaryDirectory() as folder:
        book = write(Path(folder), '.xlsx', table, added(len(own)))
        frame = pl.DataFrame(fastexcel.read_excel(book).load_sheet(0).to_arrow())
        assert frame['id'].to_list() == list(range(len(own)))
        lines = write(Path(folder), '.jsonl', table, added(len(own)))
        rows = [json.loads(line) for line in lines.read_text(encoding='utf-8').split('\n')[:-1]]
        assert [row['id'] for row in rows] == list(range(len(own)))
        assert [row['own'] is None for row in rows] == [v is None for v in own.to_pylist()]
