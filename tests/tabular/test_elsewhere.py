"""Tables that are no files of this machine: addresses, queries; and how many rows there are."""

import datetime
import sqlite3

import fsspec
import polars as pl
import pyarrow.parquet as pq
import pytest

from naics_embed.errors import UserError
from naics_embed.tabular.counting import rows_about
from naics_embed.tabular.open import open_table
from naics_embed.tabular.query import queried
from naics_embed.tabular.remote import base_name, fetched, is_address, sent


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('s3://bucket/in.csv', True),
        ('simplecache::s3://bucket/in.csv', True),
        ('https://host/a/in.csv?x=1', True),
        ('in.csv', False),
        ('/a/b:c/in.csv', False),
        ('C:\\in.csv', False),
        ('-', False),
    ],
)
def test_what_is_an_address(name, expected):
    assert is_address(name) == expected


def test_names_of_files_at_addresses():
    assert base_name('https://host/a/in.csv.gz?x=1/2') == 'in.csv.gz'
    assert base_name('simplecache::s3://bucket/in.csv') == 'in.csv'


@pytest.mark.parametrize('place', ['memory', 'file'])
def test_there_and_back(place, tmp_path):
    address = f'{place}://{tmp_path}/in.csv'
    with sent(address) as file:
        file.write_text('id,what\n1,dog grooming\n')
    with fetched(address) as copy:
        assert copy.name == 'in.csv'
        assert open_table(copy).names == ['id', 'what']
    assert not copy.exists()
    there = pytest.raises(UserError, match=r'in\.csv exists; name another file, or give --force')
    with there, sent(address):
        pytest.fail('it is there')
    with sent(address, force=True) as file:
        file.write_text('other')
    with fsspec.open(address) as stream:
        assert stream.read() == b'other'


def test_addresses_that_lead_nowhere(tmp_path):
    for address, message in (
        (f'file://{tmp_path}/gone.csv', 'cannot be read'),
        ('nowhere://a/in.csv', 'cannot be read'),
    ):
        with pytest.raises(UserError, match=message), fetched(address):
            pytest.fail('it is not there')
    with pytest.raises(UserError, match='cannot be written'), sent('nowhere://a/out.csv'):
        pytest.fail('it cannot be')


def test_nothing_is_sent_where_the_work_fails(tmp_path):
    address = f'file://{tmp_path}/out.csv'

    def broken():
        with sent(address) as file:
            file.write_text('half')
            raise UserError('broken')

    with pytest.raises(UserError, match='broken'):
        broken()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def database(tmp_path):
    file = tmp_path / 'firms.db'
    connection = sqlite3.connect(file)
    connection.execute('create table firms (id integer, what text, late text, mixed)')
    rows = [(i, f'firm {i}', None if i < 30_000 else 'x', i if i % 2 else str(i)) for i in range(5)]
    rows += [(i, 'dog grooming', 'x', 1.5) for i in range(5, 8)]
    connection.executemany('insert into firms values (?, ?, ?, ?)', rows)
    connection.commit()
    connection.close()
    return f'sqlite:///{file}'


def test_a_query_gives_typed_rows(database, monkeypatch):
    monkeypatch.setattr('naics_embed.tabular.query.FETCHED', 5)
    with queried('select * from firms order by id', database) as file:
        frame = pl.read_parquet(file)
        assert [path.name for path in file.parent.iterdir()] == ['query.parquet']
    assert frame['id'].to_list() == list(range(8))
    assert frame['what'].to_list()[4:6] == ['firm 4', 'dog grooming']
    assert frame['late'].to_list() == [None] * 5 + ['x'] * 3, 'its type is known later'
    assert frame['mixed'].to_list() == ['0', '1', '2', '3', '4', '1.5', '1.5', '1.5']
    assert not file.exists()


def test_columns_of_a_query_that_share_a_name(database):
    with queried('select id, id from firms', database) as file:
        assert pq.read_schema(file).names == ['id', 'id_2']
    with queried('select what from firms where id > 99', database) as file:
        assert open_table(file).names == ['what']


def test_a_query_only_reads(database):
    with pytest.raises(UserError, match='gives no rows'), queried('delete from firms', database):
        pytest.fail('it gives nothing')
    with queried('select count(*) as n from firms', database) as file:
        assert pl.read_parquet(file)['n'].to_list() == [8], 'rolled back'


@pytest.mark.parametrize(
    ('query', 'connection', 'message'),
    [
        ('select * from nowhere', None, 'no such table: nowhere'),
        ('selec', None, 'syntax error'),
        ('select 1', 'nodatabase://x', 'query failed'),
        ('select 1', 'rubbish', 'query failed'),
        ('select 1', 'oracle://me:Pl4nted@host/x', 'driver'),
    ],
)
def test_queries_that_fail(database, query, connection, message):
    failing = pytest.raises(UserError, match=message)
    with failing as caught, queried(query, connection or database):
        pytest.fail('it cannot work')
    assert 'Pl4nted' not in str(caught.value)


@pytest.mark.parametrize('ending', ['csv', 'parquet', 'feather', 'xlsx', 'csv.gz', 'txt'])
def test_how_many_rows_there_are(tmp_path, ending):
    path = tmp_path / f'in.{ending}'
    frame = pl.DataFrame({'id': range(7), 'day': [datetime.date(2026, 1, 1)] * 7})
    writers = {
        'csv': frame.write_csv,
        'txt': lambda file: file.write_text('a\n' * 6 + 'b'),
        'parquet': frame.write_parquet,
        'feather': frame.write_ipc,
        'xlsx': frame.write_excel,
        'csv.gz': lambda file: frame.write_csv(file, compression='gzip'),
    }
    writers[ending](path)
    assert rows_about(open_table(path)) == (None if ending == 'csv.gz' else 7)
