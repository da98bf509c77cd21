"""Addresses of database files in folders of any name."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url, text

from naics_embed.sqlite_address import sqlite_address, sqlite_file

NAMES = ['100 %', 'why?', 'a%20b', 'a%3Fb?c=d', '#1', 'me@home', 'über & co', 'plain']


@pytest.mark.parametrize('name', NAMES)
def test_the_database_lies_where_the_address_says(name, tmp_path):
    file = tmp_path / name / 'mlflow.db'
    file.parent.mkdir()
    with create_engine(sqlite_address(file)).begin() as connection:
        connection.execute(text('create table t (n integer)'))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with sqlite3.connect(file) as database:
        assert database.execute('select name from sqlite_master').fetchall() == [('t',)]
    database.close()
    assert sqlite_file(sqlite_address(file)) == file


@given(st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs', 'Cc']), min_size=1))
def test_every_name_comes_back(name):
    file = Path('/') / name
    assert sqlite_file(sqlite_address(file)) == file
    assert make_url(sqlite_address(file)).database == str(file)


def test_what_is_no_file():
    assert sqlite_file('http://127.0.0.1:5000') is None
    assert sqlite_file('postgresql://host/name') is None
    assert sqlite_file('sqlite:///') is None
    assert sqlite_file('sqlite:///mlflow.db') == Path('mlflow.db'), 'relative'
    assert sqlite_file('sqlite:////a/mlflow.db?timeout=5') == Path('/a/mlflow.db')
