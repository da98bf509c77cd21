import logging

import pytest

from naics_embed.census.codebook import read_taxonomy
from naics_embed.census.index_entries import INDEX_SCHEMA, read_index
from naics_embed.census.normalise import content_id, normalise, unit_hash
from naics_embed.errors import SourceError


@pytest.fixture
def read(as_source):
    def call(census):
        source = as_source(census)
        return read_index(source, read_taxonomy(source))

    return call


def test_entries(census, read, caplog):
    with caplog.at_level(logging.INFO):
        entries = read(census)
    assert entries.schema == INDEX_SCHEMA
    assert entries.select('code', 'text', 'normalised').rows() == [
        ('111110', 'Wheat growing', 'wheat growing'),
        ('111110', 'Barley growing, under glass', 'barley growing under glass'),
        ('111211', 'Carrot digging', 'carrot digging'),
        ('111211', 'Café turnip lifting', 'café turnip lifting'),
        ('111219', 'Spinach picking', 'spinach picking'),
        ('321113', 'Board sawing', 'board sawing'),
        ('321114', 'Pole soaking', 'pole soaking'),
        ('455110', 'Warehouse shop', 'warehouse shop'),
    ]
    assert 'dropped: 2 that only refer to others, 1 repeated' in caplog.text


def test_ids_depend_on_content_alone(census, read):
    first = dict(read(census).select('text', 'id').iter_rows())
    census.index[1:] = census.index[:0:-1]
    census.index.append([455210, 'Corner shop'])
    second = dict(read(census).select('text', 'id').iter_rows())
    assert {text: second[text] for text in first} == first
    assert len(set(second.values())) == len(second)


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ([999999, 'Unknown'], r"Index_File.xlsx.*row 13: '999999'"),
        ([None, 'No code'], 'row 13: None'),
        ([11111, 'Too coarse'], 'row 13: code 11111 is not a six-digit industry'),
        ([111110, None], 'row 13: the entry of code 111110 has no text'),
    ],
)
def test_faulty_rows_are_errors(census, read, row, message):
    census.index.append(row)
    with pytest.raises(SourceError, match=message):
        read(census)


@pytest.mark.parametrize(
    ('text', 'normal'),
    [
        ("Dentists' offices, e.g., D.D.S.", 'dentists offices e g d d s'),
        ('Café_bar (24-hour)', 'café bar 24 hour'),
        (' -- ', ''),
    ],
)
def test_normal_form(text, normal):
    assert normalise(text) == normal


def test_hashes_part_their_parts():
    assert content_id('1', '11') != content_id('11', '1')
    draws = [unit_hash('7', str(n)) for n in range(2000)]
    assert all(0 <= draw < 1 for draw in draws)
    assert abs(sum(draws) / len(draws) - 0.5) < 0.03
