import logging

import polars as pl
import pytest

from naics_embed.census.codebook import read_taxonomy
from naics_embed.census.redirections import (
    REDIRECTION_SCHEMA,
    activity_phrase,
    build_redirections,
    named_codes,
    split_clause,
)
from naics_embed.errors import SourceError


@pytest.fixture
def redirections(census, as_source):
    source = as_source(census)
    return build_redirections(source, read_taxonomy(source))


def row(redirections, code, start):
    mask = (pl.col('code') == code) & pl.col('text').str.starts_with(start)
    return redirections.row(by_predicate=mask, named=True)


def test_one_row_a_distinct_cross_reference(redirections):
    assert redirections.schema == REDIRECTION_SCHEMA
    assert len(redirections) == 8
    assert redirections['id'].n_unique() == 8


def test_phrase_and_target(redirections):
    result = row(redirections, '111110', 'Growing roots')
    assert result['phrase'] == 'Growing roots'
    assert result['targets'] == ['111211']
    assert result['text'] == 'Growing roots--are classified in U.S. Industry 111211, Roots;'
    assert not result['lineal']


def test_several_targets_and_a_sector_range(redirections):
    result = row(redirections, '111110', 'Establishments')
    assert result['phrase'] == 'Selling grain'
    assert result['targets'] == ['455110', '31']


def test_rows_that_name_no_code(redirections):
    result = row(redirections, '111211', 'Growing anything')
    assert result['targets'] == []
    assert result['phrase'] == 'Growing anything else'


def test_numbers_that_are_no_codes(redirections):
    result = row(redirections, '111211', 'Growing for 10 years')
    assert result['targets'] == ['1112']
    assert result['also_named'] == []


def test_own_ancestor_is_lineal(redirections):
    result = row(redirections, '32111', 'Government')
    assert result['targets'] == ['321']
    assert result['lineal']
    assert result['phrase'] == 'Government establishments primarily engaged in sawing'
    assert row(redirections, '111211', 'Growing for')['lineal']


def test_a_row_into_which_another_one_ran(redirections):
    result = row(redirections, '321114', 'Industry')
    assert result['phrase'] == 'Oiled pole makers'
    assert result['targets'] == ['32111', '321113']
    assert result['also_named'] == ['1111']
    assert result['lineal']


def test_unknown_target_is_dropped_with_a_warning(census, as_source, caplog):
    source = as_source(census)
    with caplog.at_level(logging.WARNING):
        result = row(build_redirections(source, read_taxonomy(source)), '455110', 'Corner')
    assert result['targets'] == []
    assert result['phrase'] == 'Corner shops'
    assert '1 targets are not among the codes' in caplog.text


def test_a_row_without_the_clause_has_no_phrase(redirections):
    result = row(redirections, '455210', 'See')
    assert result['phrase'] is None
    assert result['targets'] == ['455110']


def test_same_code_is_marked(census, as_source):
    census.cross_references.append([111110, 'Oats--are classified in Industry 111110, Grain.'])
    source = as_source(census)
    result = row(build_redirections(source, read_taxonomy(source)), '111110', 'Oats')
    assert (result['same_code'], result['lineal']) == (True, False)


def test_unknown_code_of_a_row_is_an_error(census, as_source):
    census.cross_references.append([999999, 'X--are classified in Industry 111110, Grain.'])
    source = as_source(census)
    with pytest.raises(SourceError, match=r"Cross_References.xlsx.*row 11: '999999'"):
        build_redirections(source, read_taxonomy(source))


@pytest.mark.parametrize(
    ('text', 'codes'),
    [
        ('in Industry 111110, Grain;', ['111110']),
        ('in U.S. Industry 111191, A, or in Sector 44-45, B.', ['111191', '44-45']),
        ('in Industries 111110, 111120, and 111130', ['111110', '111120', '111130']),
        ('in Industry Groups 1111 or 1112', ['1111', '1112']),
        ('with more than 50 seats in 2022', []),
        ('in Industry 1234567', []),
    ],
)
def test_named_codes(text, codes):
    assert named_codes(text) == codes


@pytest.mark.parametrize(
    'text',
    [
        'Growing oats--are classified in X',
        'Growing oats -- are classified in X',
        'Growing oats are classified in X',
        'Growing oats, are classified in X',
        'Growing oats--is also classified in X',
    ],
)
def test_split_clause(text):
    assert split_clause(text) in [('Growing oats', ' in X')]


@pytest.mark.parametrize(
    ('before', 'phrase'),
    [
        ('Establishments primarily engaged in (1) milling', '(1) milling'),
        ('Establishments exclusively engaged in milling', 'Milling'),
        ('Establishments known as mills', 'Mills'),
        ('Establishments growing oats', 'Growing oats'),
        ('Establishments of millers', 'Establishments of millers'),
        (
            'Private establishments primarily engaged in x',
            'Private establishments primarily engaged in x',
        ),
        (' ', None),
    ],
)
def test_activity_phrase(before, phrase):
    assert activity_phrase(before) == phrase
