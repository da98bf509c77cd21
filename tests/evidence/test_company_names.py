"""Names of companies that name a trade, and those that do not."""

import pytest

from benchmarks.company_names import names, trade_words
from naics_embed.evidence.company_names import LEAST_SECTOR, looks_like_name


@pytest.fixture(scope='module')
def told():
    return trade_words()


@pytest.mark.parametrize('name', ['Smith & Sons LLC', 'J. R. Ortiz', 'Apex Enterprises', 'ABC Inc'])
def test_a_name_without_a_trade(told, name):
    assert told.name_alone(name, 0.3)
    # Where the coder is sure of a sector in spite of that, it is coded.
    assert not told.name_alone(name, LEAST_SECTOR)


@pytest.mark.parametrize('name', ["Joe's Pizza", 'Miller Plumbing Inc', 'SUMMIT ROOFING LLC'])
def test_a_name_with_a_trade(told, name):
    assert not told.name_alone(name, 0.3)


@pytest.mark.parametrize(
    'text',
    ['we fix old radios', 'Ortiz repairs', '寿司屋', 'Пекарня', '', '541511', 'A B C D E F G'],
)
def test_what_is_no_name(text):
    assert not looks_like_name(text)


def test_rates_over_the_benchmark_by_words_alone(told):
    alone = {
        kind: sum(told.name_alone(text, 0.0) for text in texts) / len(texts)
        for kind, texts in names().items()
    }
    assert len(names()['with a trade']) >= 150
    assert len(names()['without']) >= 150
    assert alone['without'] > 0.78
    assert alone['with a trade'] < 0.1
    # Phrases of two words in capitals; the coder, which is sure of their sector, codes most.
    assert alone['held-out texts'] < 0.04
