import polars as pl
import pytest

from benchmarks.corpus_overlap import CensusTexts, compare, summary
from naics_embed.data.plain_language import plain_language

CENSUS = CensusTexts(
    {'wheat growing': {'111110'}, 'shoe shops': {'455110', '455210'}},
    ['Wheat growing', 'Shoe shops', 'Sowing of grain.\nOat fields, large', 'Plumbing'],
)
ROWS = (
    ('a', '111110', 'WHEAT, growing!', True, True, True),
    ('b', '111211', 'wheat growing', True, False, True),
    ('c', '455210', 'shoe shops', True, True, True),
    ('d', '111110', 'oat fields', False, False, True),
    ('e', '111110', 'large sowing', False, False, False),
    ('f', '238220', 'plumbin', False, False, False),
    ('g', '238220', 'Plumbing', False, False, True),
)


@pytest.fixture
def compared():
    rows = pl.DataFrame(
        [(key, code, text, 'search', 'train', 'plain') for key, code, text, *_ in ROWS],
        schema=['id', 'code', 'text', 'style', 'split', 'kind'],
        orient='row',
    )
    return compare(rows, CENSUS, 0.9)


def test_equal_rows_and_contained_rows_are_found(compared):
    result = compared.select('equal', 'same_code', 'contained').rows()
    assert result == [row[3:] for row in ROWS]


def test_shares_are_of_their_set(compared):
    records = {record['rows']: record for record in summary(compared)}
    assert records['corpus']['equal'] == 3
    assert records['corpus']['equal_share'] == pytest.approx(3 / 7)
    assert records['corpus, style search']['contained'] == 5
    assert records['panel'] == {
        'rows': 'panel',
        'count': 0,
        'equal': 0,
        'equal_share': 0.0,
        'contained': 0,
        'contained_share': 0.0,
    }


def test_the_real_texts_fit():
    compared = compare(plain_language().head(50), CENSUS, 0.9)
    assert not compared['equal'].any()
    assert summary(compared)[0]['count'] == 50
