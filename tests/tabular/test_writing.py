"""What is written is what was read, in every type and format, and no formula."""

import csv
import datetime
import decimal
import json
import math
import re
import zipfile

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.errors import UserError
from naics_embed.tabular.parquet_types import check_parquet, parquet_schema
from naics_embed.tabular.part import Part
from naics_embed.tabular.values import as_text, column_texts
from naics_embed.tabular.write import (
    METADATA,
    WRITABLE,
    check_output,
    join_parts,
    joined,
    part_ending,
    write_part,
)

ADDED = pa.table({'naics_code': ['812910', None], 'naics_probability': [0.123456789, None]})


def write(tmp_path, ending: str, table: pa.Table, added: pa.Table = ADDED):
    """Write a table with columns added, in two parts, and return the file."""
    out = tmp_path / f'out{ending}'
    files = []
    for number in range(len(table)):
        part = Part(table.column_names, table.slice(number, 1), [None])
        file = tmp_path / f'{number}{part_ending(out)}'
        write_part(file, part, added.slice(number, 1))
        files.append(file)
    empty = joined(Part(table.column_names, table.slice(0, 0), []), added.slice(0, 0))
    join_parts(files, out, ending, empty, metadata={'bundle': 'abc', 'vintage': '2022'})
    return out


def read_csv(path):
    with path.open(encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream, delimiter='\t' if path.suffix == '.tsv' else ','))


VALUES = {
    'float': ([40.71277532115, 1e-9], ['40.71277532115', '1e-09']),
    'not a number': ([float('nan'), float('-inf')], ['NaN', '-inf']),
    'int': ([2**62, None], [str(2**62), '']),
    'bool': ([True, False], ['true', 'false']),
    'bytes': ([b'caf\xc3\xa9', b'\x00\xff'], ['café', 'AP8=']),
    'list': ([['a', 'é'], []], ['["a", "é"]', '[]']),
    'struct': ([{'a': 1.5}, None], ['{"a": 1.5}', '']),
    'decimal': ([decimal.Decimal('1.10'), None], ['1.10', '']),
    'date': ([datetime.date(2024, 5, 1), None], ['2024-05-01', '']),
    'time': (
        [datetime.datetime(2024, 5, 1, 12, 0, 0, 123456), None],
        ['2024-05-01T12:00:00.123456', ''],
    ),
    'text': (['=1+1', '"x", y\nz'], ['=1+1', '"x", y\nz']),
}


@pytest.mark.parametrize('kind', VALUES)
@pytest.mark.parametrize('ending', ['.csv', '.tsv'])
def test_values_of_a_user_are_exact_in_text(tmp_path, kind, ending):
    values, expected = VALUES[kind]
    out = write(tmp_path, ending, pa.table({'own': values}))
    rows = read_csv(out)
    assert [row['own'] for row in rows] == expected
    assert [row['naics_probability'] for row in rows] == ['0.123457', ''], 'only ours are rounded'


def test_a_float32_has_its_own_digits():
    column = pa.chunked_array([pa.array([0.1, 1 / 3], pa.float32())])
    assert column_texts(column) == ['0.1', '0.33333334']


@settings(max_examples=60, deadline=None)
@given(st.floats(allow_nan=False))
def test_floats_are_read_back_as_they_were(value):
    assert float(as_text(value)) == value


@settings(max_examples=60, deadline=None)
@given(st.datetimes() | st.dates() | st.decimals(allow_nan=False, allow_infinity=False))
def test_times_and_decimals_are_read_back_as_they_were(value):
    assert (
        type(value)(as_text(value)) == value
        if isinstance(value, decimal.Decimal)
        else (type(value).fromisoformat(as_text(value)) == value)
    )


@pytest.mark.parametrize('ending', ['.parquet', '.feather', '.arrow'])
def test_types_are_kept_and_the_origin_is_told(tmp_path, ending):
    table = pa.table(
        {
            'f': pa.array([0.1, math.nan], pa.float32()),
            'l': pa.array([['a'], None], pa.list_(pa.string())),
            'd': pa.array([decimal.Decimal('1.10'), None], pa.decimal128(5, 2)),
        }
    )
    out = write(tmp_path, ending, table)
    found = pq.read_table(out) if ending == '.parquet' else feather.read_table(out)
    assert found.select(['f', 'l', 'd']).equals(table) or found['d'].equals(table['d'])
    assert found.schema.field('f').type == pa.float32()
    assert found['naics_probability'].to_pylist() == [0.123456789, None]
    assert json.loads(found.schema.metadata[METADATA]) == {'bundle': 'abc', 'vintage': '2022'}


def test_json_lines(tmp_path):
    out = write(tmp_path, '.jsonl', pa.table({'l': [['a', 'b'], None], 'f': [1e-9, 2.5]}))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert (lines[0]['l'], lines[0]['f'], lines[1]['naics_code']) == (['a', 'b'], 1e-9, None)


def test_a_workbook_has_types_and_no_formula(tmp_path):
    table = pa.table(
        {
            'what': ['=HYPERLINK("http://evil","x")', '+1+1'],
            'wage': ['112549.5', '79976'],
            'zip': ['01234', '2'],
            'when': [datetime.date(2024, 5, 1), None],
            'n': [3, None],
            'naics_code_2': ['541511', '54'],
            'day': [datetime.datetime(2024, 5, 1), None],
            'hour': [datetime.datetime(2024, 5, 1), datetime.datetime(2024, 5, 1, 7, 30)],
        }
    )
    out = write(tmp_path, '.xlsx', table)
    book = fastexcel.read_excel(out)
    assert book.sheet_names == ['coded']
    frame = pl.DataFrame(book.load_sheet(0).to_arrow())
    assert frame['what'].to_list() == ['=HYPERLINK("http://evil","x")', '+1+1']
    assert frame['wage'].to_list() == [112549.5, 79976.0]
    assert frame['zip'].to_list() == ['01234', '2'], 'a leading zero is no number'
    assert frame['naics_code'].to_list() == ['812910', None], 'codes are names'
    assert frame['naics_code_2'].to_list() == ['541511', '54']
    assert str(frame['when'][0])[:10] == '2024-05-01'
    with zipfile.ZipFile(out) as book:
        sheet = book.read('xl/worksheets/sheet1.xml').decode()
        styles = book.read('xl/styles.xml').decode()
    assert '<f>' not in sheet
    assert 'formatCode="0.000"' in styles, 'probabilities are shown in three decimals'
    assert 'state="frozen"' in sheet
    assert '<autoFilter' in sheet
    # Cells of one format have one number of a style.
    when, day, hour = (re.search(f'r="{column}2" s="(\\d+)"', sheet)[1] for column in 'DGH')
    assert when == day != hour
    assert 0.123456789 in frame['naics_probability'].to_list(), 'and are kept whole'


def test_a_workbook_that_would_be_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr('naics_embed.tabular.workbook_writer.MOST_ROWS', 2)
    with pytest.raises(UserError, match=r'2 rows of 3 columns do not fit into a sheet'):
        write(tmp_path, '.xlsx', pa.table({'what': ['a', 'b']}))


@pytest.mark.parametrize('ending', WRITABLE)
def test_no_row_is_a_file_with_all_columns(tmp_path, ending):
    out = write(tmp_path, ending, pa.table({'what': pa.array([], pa.string())}), ADDED.slice(0, 0))
    if ending in ('.csv', '.tsv'):
        assert (
            out.read_text().split()
            == [('\t' if ending == '.tsv' else ',').join(['what', *ADDED.column_names])]
            or ending == '.tsv'
        )
    elif ending == '.parquet':
        assert pq.read_schema(out).names == ['what', *ADDED.column_names]
    else:
        assert out.exists()


def test_an_output_is_not_replaced_unasked(tmp_path):
    out = tmp_path / 'out.csv'
    out.write_text('precious')
    with pytest.raises(UserError, match='exists; name another file, or give --force'):
        check_output(out)
    check_output(out, force=True)
    for wrong, message in [
        (tmp_path / 'out.doc', 'must end in'),
        (tmp_path / 'gone' / 'out.csv', 'does not exist; name a folder'),
    ]:
        with pytest.raises(UserError, match=message):
            check_output(wrong)


def test_types_that_parquet_lacks(tmp_path):
    interval = pa.schema([('id', pa.int64()), ('gap', pa.month_day_nano_interval())])
    with pytest.raises(UserError, match=r"no type for month_day_nano_interval, .* column 'gap'"):
        check_parquet('in.feather', interval)
    lists = pa.schema([('l', pa.struct([('x', pa.list_(pa.int8(), 2))]))])
    assert parquet_schema(lists).field('l').type == pa.struct([('x', pa.list_(pa.int8()))])
    check_parquet('in.feather', lists)
