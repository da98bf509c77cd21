"""Observations of coded texts: from the coder, from tables that ``code`` has written, from logs."""

import json
from datetime import datetime

import polars as pl
import pytest

from naics_embed.errors import UserError
from naics_embed.monitoring.files import read_files
from naics_embed.monitoring.observations import (
    SCHEMA,
    observe,
    read_coded,
    read_observations,
    write_observations,
)
from naics_embed.monitoring.reference import reference_of_bundle
from naics_embed.search.coder import Coder
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

TEXTS = ['dog grooming', 'zzyzx grooming', 'pizza restaurant']


@pytest.fixture(scope='module')
def coder(tmp_path_factory) -> Coder:
    folder = tmp_path_factory.mktemp('monitoring')
    encoder = write_tiny_encoder(folder / 'encoder')
    return Coder.load(write_tiny_bundle(folder / 'bundle', encoder, coder=True))


@pytest.fixture
def coded(tmp_path):
    def write(name='coded.csv', **changed):
        values = {
            'text': TEXTS,
            'day': ['2026-01-01', '2026-01-02T08:30', ''],
            'naics_code': ['812910', '812910', None],
            'naics_probability': ['0.9', '0.5', None],
            'naics_status': ['coded', 'uncertain', 'cannot be read'],
        } | changed
        path = tmp_path / name
        frame = pl.DataFrame(values)
        frame.write_csv(path) if path.suffix == '.csv' else frame.write_parquet(path)
        return path

    return write


def test_what_is_observed_holds_no_text(coder):
    frame = observe(coder, TEXTS, datetime(2026, 1, 1))
    assert frame.schema == SCHEMA
    answers = coder.search(TEXTS, k=1)
    assert frame['code'].to_list() == [answer.hits[0].code for answer in answers]
    assert frame['familiarity'].to_list() == [answer.familiarity for answer in answers]
    assert frame['words'].to_list() == [2, 2, 2]
    assert not any(word in str(frame.rows()) for word in ('zzyzx', 'pizza'))


def test_unknown_words(coder):
    known = coder.evidence.words.terms[0]
    given = [known, f'{known} zzyzx', '', 'qqqq zzyzx']
    assert coder.evidence.unknown_share(given).tolist() == [0, 0.5, 0, 1]


@pytest.mark.parametrize('name', ['coded.csv', 'coded.parquet'])
def test_a_coded_table(coded, coder, name):
    frame = read_coded(coded(name), text_column='text', time_column='day', coder=coder)
    assert frame.schema == SCHEMA
    assert frame['time'].to_list() == [datetime(2026, 1, 1), datetime(2026, 1, 2, 8, 30), None]
    assert frame['probability'].to_list() == [0.9, 0.5, None]
    assert frame['words'].to_list() == [2, 2, 2]
    assert frame['unknown_words'].is_not_null().all()
    assert frame['familiarity'].is_null().all()


@pytest.mark.parametrize(
    ('changed', 'options', 'message'),
    [
        ({'day': ['x', '', '']}, {'time_column': 'day'}, "row 1: day 'x' is not a date or time"),
        ({}, {'time_column': 'week'}, "no column 'week'"),
        ({}, {'prefix': 'our_'}, "no column 'our_code'"),
        ({'naics_status': ['good', 'coded', 'coded']}, {}, "naics_status 'good' is none of"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(coded, changed, options, message):
    with pytest.raises(UserError, match=message):
        read_coded(coded(**changed), **options)


def test_observations_are_read_as_they_were_written(coder, tmp_path):
    frame = observe(coder, TEXTS, datetime(2026, 1, 1))
    write_observations(frame, tmp_path / 'a.parquet')
    assert read_observations(tmp_path / 'a.parquet').equals(frame)
    lines = [json.dumps(row, default=str) for row in frame.iter_rows(named=True)]
    (tmp_path / 'b.jsonl').write_text('\n'.join(lines) + '\n')
    assert read_files([tmp_path]).equals(pl.concat([frame, frame]))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r'none\.csv does not exist'):
        read_files([tmp_path / 'none.csv'])
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match=r'no file ending in \.parquet'):
        read_files([tmp_path / 'empty'])


def test_the_labelled_texts_of_a_bundle_are_a_reference(coder):
    frame = reference_of_bundle(coder, 7)
    assert 0 < len(frame) <= 7
    assert frame['code'].is_null().all()
    assert frame.equals(reference_of_bundle(coder, 7))
