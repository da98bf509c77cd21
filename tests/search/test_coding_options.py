"""Options of coding a table, checked before any work."""

import pytest

from naics_embed.errors import UserError
from naics_embed.evidence.prior_settings import PriorCodeSettings
from naics_embed.search.coding_options import coding_options
from naics_embed.search.prior_column import PriorColumn


def options(**given):
    return coding_options(**{'level': None, 'confidence': 0.8, **given})


def test_what_is_not_given():
    own = options()
    assert (own.level, own.columns.prefix, own.prior) == (6, 'naics_', None)
    other = options(classification='NACE Rev. 2.1')
    assert (other.level, other.columns.prefix) == (4, 'nace21_')
    assert other.columns.classification == 'nace21'
    assert options(classification='isic4', prefix='').columns.prefix == ''


@pytest.mark.parametrize(
    ('given', 'vintage'), [('auto', 'auto'), ('2017', 2017), (2012, 2012), ('SIC', 'sic')]
)
def test_a_prior_column(given, vintage):
    settings = PriorCodeSettings(fewest=7)
    found = options(prior_column='old', prior_vintage=given, prior_settings=settings).prior
    assert found == PriorColumn('old', vintage, settings)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'classification': 'isic9'}, 'no classification .*; choose from naics2022, '),
        ({'classification': 'isic4', 'level': 6}, 'level must be one of 1, 2, 3, 4, not 6'),
        ({'level': 7}, 'level must be one of 2, 3, 4, 5, 6, not 7'),
        ({'top': 0}, 'k must be at least 1'),
        ({'confidence': 0}, 'confidence must be above 0'),
        ({'columns': ['nothing']}, '--columns nothing is unknown'),
        ({'classification': 'sic', 'prior_column': 'old'}, '--prior-column is for naics2022 only'),
        ({'prior_column': 'old', 'prior_vintage': '2007'}, 'must be auto, 2012, 2017, 2022 or sic'),
    ],
)
def test_what_is_wrong(given, message):
    with pytest.raises(UserError, match=message):
        options(**given)
