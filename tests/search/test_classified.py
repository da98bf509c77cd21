"""Answers in other classifications, and the points of their codes."""

import numpy as np
import polars as pl
import pytest
import torch

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance, concordance
from naics_embed.classifications.steps import direct_step
from naics_embed.errors import CodeError, UserError
from naics_embed.geometry.lorentz import centroid, pairwise_distance
from naics_embed.search.across import AcrossTable
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.classification_points import classification_points
from naics_embed.search.code_table import CodeTable
from naics_embed.search.coded_columns import ColumnOptions
from naics_embed.search.several_texts import search_several
from naics_embed.search.text_fractions import TextParts, whole_codes

TEXTS = ['corn farming', 'dental offices', 'xylophone zzz']


@pytest.fixture(scope='module')
def table(coder) -> CodeTable:
    return CodeTable(coder.searcher.bundle)


@pytest.mark.parametrize('name', ['isic4', 'nace21', 'sic1987', 'naics2017'])
def test_probabilities_are_summed_over_the_correspondence(coder, name):
    """Not those of the best code translated: every code of NAICS 2022 gives its part."""
    p = coder.probabilities(TEXTS)
    links, tree = concordance('naics2022', name), Classification.load(name)
    codes = list(coder.leaf_codes)
    for row, answer in enumerate(coder.search(TEXTS, k=2000, classification=name)):
        sums: dict[str, float] = {}
        for code, value in zip(codes, p[row], strict=True):
            if code in links.without:
                continue
            for target, fraction in links.fractions(code, tree.leaf_level).items():
                sums[target] = sums.get(target, 0.0) + value * fraction
        assert {hit.code: hit.probability for hit in answer.hits} == pytest.approx(sums)
        reached = 1 - sum(p[row][codes.index(code)] for code in links.without)
        assert sum(hit.probability for hit in answer.hits) == pytest.approx(reached)
        assert [step.level for step in answer.path] == list(tree.levels)
        assert answer.path[-1].code == answer.hits[0].code
        for above, below in zip(answer.path, answer.path[1:], strict=False):
            assert tree.above(below.code, above.level) == above.code
            assert above.probability >= below.probability - 1e-12
        assert np.isfinite([hit.distance for hit in answer.hits]).all()
        assert answer.classification == name


def test_the_sum_may_be_another_class_than_that_of_the_best_code(coder):
    """Three codes of one class together are likelier than the best code of another."""
    codes = coder.codes_of('isic4')
    links = concordance('naics2022', 'isic4')
    leaves = list(coder.leaf_codes)
    p = np.zeros((1, len(leaves)))
    p[0, leaves.index('111160')] = 0.4
    for code in ('111110', '111140', '111150'):
        p[0, leaves.index(code)] = 0.2
    [(hits, path, confident)] = codes.ranked(p, None, 2, None, 0.5)
    assert confident.code == hits[0].code
    assert links.fractions('111160') == {'0112': 1.0}
    assert [(hit.code, hit.probability) for hit in hits] == [
        ('0111', pytest.approx(0.6)),
        ('0112', pytest.approx(0.4)),
    ]
    assert [step.code for step in path] == ['A', '01', '011', '0111']
    assert path[0].probability == pytest.approx(1)


def test_levels_of_a_classification(coder):
    [answer] = coder.search('corn farming', level=1, classification='NACE Rev. 2.1')
    assert len(answer.hits[0].code) == 1
    assert [step.level for step in answer.path] == [1]
    with pytest.raises(UserError, match='level must be one of 1, 2, 3, 4, not 6'):
        coder.search('corn farming', level=6, classification='isic4')
    with pytest.raises(UserError, match='there is no classification'):
        coder.search('corn farming', classification='isic9')
    with pytest.raises(UserError, match='prior codes are for naics2022 only'):
        coder.search('corn farming', evidence=1, classification='isic4')


def test_a_row_of_several_texts(coder):
    rows = [(('corn farming', 1.0), ('dental offices', 0.2))]
    [answer] = search_several(coder, rows, 3, None, 0.1, classification='sic1987')
    assert len(answer.hits[0].code) == 4
    assert answer.classification == 'sic1987'


def test_a_file(coder, tmp_path):
    source, out = tmp_path / 'in.csv', tmp_path / 'out.csv'
    pl.DataFrame({'what': [*TEXTS, '']}).write_csv(source)
    columns = ColumnOptions('nace21_', 2, classification='nace21')
    report = code_file(coder, FileJob(source, 'what', out, columns=columns))
    assert (report.rows, report.bad) == (4, 1)
    frame = pl.read_csv(out, infer_schema=False)
    [first, *_] = coder.search(TEXTS, k=2, classification='nace21')
    assert frame['nace21_code'][0] == first.hits[0].official
    assert '.' in frame['nace21_code'][0]
    assert frame['nace21_code_2'][0] == first.hits[1].official


def test_points_are_centroids_by_fractions(table):
    points = classification_points(
        'isic4', table.taxonomy.codes, table.point_array, table.curvature
    )
    tree, links = Classification.load('isic4'), concordance('isic4', 'naics2022')
    for code in ('0112', '0111', '62', 'A', '6201'):
        fractions = links.fractions(code)
        rows = [table.taxonomy.index(one) for one in fractions]
        weights = torch.tensor(list(fractions.values()), dtype=torch.float64)
        expected = centroid(table.points[rows], weights, c=table.curvature)
        np.testing.assert_allclose(points[tree.index(code)], expected.numpy(), rtol=1e-9)
    lacking = [tree.codes[i] for i in range(len(tree)) if np.isnan(points[i]).any()]
    assert lacking == ['98', '981', '9810', '982', '9820']
    same = classification_points(
        'naics2022', table.taxonomy.codes, table.point_array, table.curvature
    )
    np.testing.assert_array_equal(same, table.point_array)


def test_similar_codes_of_another_classification(table):
    across = AcrossTable(table)
    near = across.similar('111160', 'naics2022', 'isic4', k=3)
    assert {found.level for found in near} == {4}
    assert (near[0].code, near[0].fraction) == ('0112', 1.0)
    assert near[0].distance < 1e-6, 'rice is rice'
    back = across.similar('SIC 0112', 'sic', 2022, k=2)
    assert back[0].code == '111160'
    own = across.similar('0111', 'isic4', 'isic4', k=5)
    assert '0111' not in {found.code for found in own}
    assert [found.distance for found in own] == sorted(found.distance for found in own)
    with pytest.raises(CodeError, match=r'9810 of ISIC Rev\. 4 has no counterpart'):
        across.similar('9810', 'isic4', 'naics2022')
    with pytest.raises(UserError, match=r'ISIC Rev\. 4 has no level 5'):
        across.similar('111160', 2022, 'isic4', level=5)
    with pytest.raises(UserError, match='k must be at least 1'):
        across.similar('111160', 2022, 'isic4', k=0)


def test_codes_of_two_classifications_compared(table):
    across = AcrossTable(table)
    found = across.compare('111110', '0111', 'naics2022', 'isic4')
    a = across.points('naics2022')[[Classification.load(2022).index('111110')]]
    b = across.points('isic4')[[Classification.load('isic4').index('0111')]]
    points = torch.from_numpy(a), torch.from_numpy(b)
    expected = float(pairwise_distance(*points, c=table.curvature)[0, 0])
    assert found.distance == pytest.approx(expected)
    assert found.fraction == 1
    assert 0 < found.fraction_back < 1
    assert across.compare('111110', '0112', 2022, 'isic4').fraction == 0


def test_parts_by_texts(coder):
    rule = TextParts.of_coder(coder)
    links = Concordance('sic1987', 'naics2022', rule)
    sums = links.matrix().sum(axis=1)
    assert sums[[code not in links.without for code in links.codes]] == pytest.approx(1)
    found = {link.target: link for link in links.links('7379')}
    assert {link.fraction_method for link in found.values()} == {'estimate (text)'}
    [*fractions] = (link.fraction for link in found.values())
    assert len(set(fractions)) == 3, 'not equal parts'
    titles = Concordance('sic1987', 'naics2022', TextParts.of_searcher(coder.searcher))
    assert sum(titles.fractions('7379').values()) == pytest.approx(1)
    spanish = Concordance('scian2018', 'isic4', rule)
    several = next(code for code in spanish.codes if len(spanish.targets(code)) > 1)
    assert {x.fraction_method for x in spanish.links(several)} == {'estimate (equal)'}


def test_texts_of_a_counterpart_are_those_of_codes_that_belong_to_it_as_a_whole():
    whole = whole_codes('isic4')
    assert {'111110', '111140', '111150'} <= set(whole['0111'])
    for code, sources in whole.items():
        assert all(concordance('naics2022', 'isic4').targets(one) == [code] for one in sources)


def test_each_text_of_a_code_votes_for_what_is_most_like_it():
    step = direct_step('naics2022', 'naics2017')
    code, targets = next((a, found) for a, found in step.targets.items() if len(found) == 2)
    tree = Classification.load('naics2017')
    first = tree[targets[0]].title

    def embed(texts):
        own = Classification.load('naics2022')[code].title
        return np.eye(2)[[0 if text in (first, own) else 1 for text in texts]]

    # Its title and three of its four texts are like the first, and one is like the second.
    rule = TextParts(embed, lambda a, b: 100 * (a @ b.T), {code: np.eye(2)[[0, 0, 0, 1]]})
    weights, method = rule.parts('naics2022', code, 'naics2017', targets)
    assert weights == pytest.approx([0.8, 0.2])
    assert method == 'estimate (text)'
