"""Fractions by the user's counts, and fitted to totals."""

import numpy as np
import polars as pl
import pytest

from naics_embed.classifications.concordance import Concordance
from naics_embed.classifications.counts import given_concordance, read_counts, read_totals
from naics_embed.classifications.fitting import fit_fractions
from naics_embed.errors import UserError

ENDS = ('sic1987', 'naics2022')


@pytest.fixture
def write(tmp_path):
    def to_file(rows, name='counts.csv'):
        path = tmp_path / name
        frame = pl.DataFrame(rows)
        frame.write_parquet(path) if path.suffix == '.parquet' else frame.write_csv(path)
        return path

    return to_file


def of(links, code):
    return {x.target: (round(x.fraction, 4), x.fraction_method) for x in links.links(code)}


def test_counts_of_pairs(write):
    rows = [
        {'source': '7379', 'target': '541512', 'weight': 3},
        {'source': 'SIC 7379', 'target': '541519', 'weight': 1},
        {'source': '7379', 'target': '111110', 'weight': 9},
        {'source': 'zz', 'target': '541512', 'weight': 1},
    ]
    counts = read_counts(write(rows), *ENDS)
    assert counts.left_out == [
        "1 row is left out, without codes (row 4: 'zz' → '541512')",
        '1 row is left out, with a pair that no table has (row 3: 7379 → 111110)',
    ]
    links = given_concordance(*ENDS, counts)
    assert of(links, '7379') == {'541512': (0.75, 'given'), '541519': (0.25, 'given')}
    plain = Concordance(*ENDS)
    assert of(links, '7372') == of(plain, '7372'), 'codes without counts keep their estimates'


def test_counts_of_a_step_of_the_chain(write):
    rows = {
        'source_classification': ['SIC 1987', 'sic'],
        'target_classification': ['2017', 'naics2017'],
        'source': ['7379', '7379'],
        'target': ['518210', '541519'],
        'weight': [1, 1],
    }
    links = given_concordance(*ENDS, read_counts(write(rows, 'c.parquet'), *ENDS))
    assert of(links, '7379') == {'518210': (0.5, 'given'), '541519': (0.5, 'given')}
    wrong = write({**rows, 'target_classification': ['isic4', 'isic4']})
    with pytest.raises(
        UserError, match=r'row 1: sic1987 to isic4 is no step .* naics2017 to naics2022'
    ):
        read_counts(wrong, *ENDS)


def test_sizes_of_targets(write):
    sizes = [{'code': '541512', 'weight': 6}, {'code': '541519', 'weight': 3}]
    sizes += [{'code': '518210', 'weight': 1}, {'code': '5415', 'weight': 1}]
    counts = read_counts(write(sizes), 'sic1987', 'naics2017')
    assert counts.left_out == ["1 row is left out, without codes (row 4: '5415')"]
    assert of(given_concordance('sic1987', 'naics2017', counts), '7379') == {
        '518210': (0.1, 'given'),
        '541512': (0.6, 'given'),
        '541519': (0.3, 'given'),
    }


def test_counts_that_cannot_be_read(write, tmp_path):
    with pytest.raises(UserError, match=r'has the columns a; give source, target, weight, or code'):
        read_counts(write({'a': [1]}), *ENDS)
    with pytest.raises(UserError, match=r"row 1: the weight '-1' is not a number of at least 0"):
        read_counts(write({'code': ['541512'], 'weight': [-1]}), *ENDS)
    with pytest.raises(UserError, match='does not exist'):
        read_counts(tmp_path / 'none.csv', *ENDS)
    with pytest.raises(UserError, match=r'sizes are of naics2017, naics2022, not of isic4'):
        read_counts(write({'classification': ['isic4'], 'code': ['0111'], 'weight': [1]}), *ENDS)


def test_fractions_fitted_to_totals_meet_both_sides():
    """Against counts that are known: the fit must give totals of both sides that agree."""
    links = Concordance('naics2017', 'naics2022')
    rng = np.random.default_rng(0)
    truth = links.matrix() * rng.uniform(0.2, 3, links.matrix().shape)
    rows, columns = truth.sum(1), truth.sum(0)
    tree = links.targets_of
    others = [tree.codes[i] for i in tree.leaves.tolist()]
    fit = fit_fractions(
        links, dict(zip(links.codes, rows, strict=True)), dict(zip(others, columns, strict=True))
    )
    assert fit.gap < 1e-6
    assert fit.scaled < 1e-9
    assert fit.without_total == ()
    fitted = links.matrix()
    np.testing.assert_allclose(fitted.sum(1), 1)
    np.testing.assert_allclose(rows @ fitted, columns, rtol=1e-6)
    methods = {how for found in links.leaf_links().values() for _, how in found.values()}
    assert methods == {'exact', 'fitted'}


def test_totals_of_other_years_are_scaled_and_what_lacks_one_is_named(write):
    links = Concordance('naics2017', 'naics2022')
    code = next(code for code in links.codes if len(links.targets(code)) == 2)
    first, second = links.targets(code)
    rows = {
        'classification': ['naics2017', 'naics2022', 'naics2022', 'naics2017'],
        'code': [code, first, second, 'zz'],
        'weight': [10, 15, 5, 1],
    }
    totals = read_totals(write(rows), 2017, 2022)
    assert totals[2] == ["1 row is left out, without codes (row 4: 'zz')"]
    fit = fit_fractions(links, totals[0], totals[1])
    assert of(links, code) == {first: (0.75, 'fitted'), second: (0.25, 'fitted')}
    assert fit.scaled == pytest.approx(0.5)
    assert len(fit.without_total) == 8, 'the other codes of 2017 that were split'
    with pytest.raises(UserError, match='no total of naics2022; give totals of both'):
        read_totals(write({**rows, 'classification': ['naics2017'] * 4}), 2017, 2022)
    with pytest.raises(UserError, match='no code of naics2017 with one belongs to them'):
        fit_fractions(Concordance(2017, 2022), {code: 1.0}, {'111110': 1.0})
