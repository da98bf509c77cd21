"""Tables of another vintage of NAICS than 2022: their own codes, and those of others."""

import numpy as np
import pytest
import torch

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance
from naics_embed.classifications.vintages import VINTAGES, vintage_of
from naics_embed.geometry.lorentz import exp0
from naics_embed.search.classification_points import classification_points
from naics_embed.search.code_values import EXACT, SPLIT, TRANSLATED, CodeReader

CODES = Classification.load('naics2017').codes


@pytest.fixture(scope='module')
def points() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return exp0(torch.randn(len(CODES), 4, generator=generator, dtype=torch.float64), c=1.0)


@pytest.mark.parametrize('name', VINTAGES.values())
def test_the_vintage_of_a_table_is_known_by_its_codes(name):
    assert vintage_of(Classification.load(name).codes) == name


def test_few_codes_are_of_the_latest_vintage_that_has_them():
    assert vintage_of(['541511']) == 'naics2022'
    assert vintage_of(['541511', '454110']) == 'naics2017'
    assert vintage_of(['000000']) == 'naics2022'


def test_a_table_of_2017_reads_its_own_codes_and_translates_those_of_2022():
    reader = CodeReader(CODES)
    own = reader.resolve('454110')
    assert (own.kind, own.classification) == (EXACT, 'naics2017')
    later = reader.resolve('455110')
    assert (later.kind, later.classification) == (SPLIT, 'naics2022')
    targets = Concordance(2022, 2017).targets('455110')
    assert [CODES[row] for row in later.rows] == targets
    assert sum(later.weights) == pytest.approx(1)
    assert reader.detect(['454110', '541511']) == 'naics2017'
    assert reader.detect(['455110', '541511']) == 'naics2022'


def test_a_column_of_2022_is_translated_to_a_table_of_2017():
    reader = CodeReader(CODES, vintage=2022)
    kept = reader.resolve('541511')
    assert (kept.kind, [CODES[row] for row in kept.rows]) == (EXACT, ['541511'])
    [one] = [
        code
        for code in Classification.load('naics2022').leaf_codes
        if code not in CODES and len(Concordance(2022, 2017).targets(code)) == 1
    ][:1]
    assert reader.resolve(one).kind == TRANSLATED


def test_points_of_a_table_of_2017(points):
    points = points.numpy()
    own = classification_points('naics2017', CODES, points, 1.0)
    np.testing.assert_array_equal(own, points)
    later = classification_points('naics2022', CODES, points, 1.0)
    tree = Classification.load('naics2022')
    assert not np.isnan(later).any()
    np.testing.assert_array_equal(later[tree.index('541511')], points[CODES.index('541511')])
    named = classification_points('naics2022', CODES, points, 1.0, Concordance(2022, 2017))
    np.testing.assert_allclose(later, named)
