"""Classifications as trees, and their codes as people write them."""

import numpy as np
import pytest

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.names import EDITIONS
from naics_embed.errors import CodeError, UserError
from naics_embed.taxonomy import Taxonomy

SIZES = {
    'naics2022': (2125, 1012),
    'naics2017': (2196, 1057),
    'naics2012': (2209, 1065),
    'scian2018': (2119, 1084),
    'isic31': (538, 298),
    'isic4': (766, 419),
    'isic5': (830, 463),
    'nace2': (996, 615),
    'nace21': (1047, 651),
    'sic1987': (1515, 1005),
}


@pytest.mark.parametrize('name', EDITIONS)
def test_every_classification_is_a_tree(name):
    tree = Classification.load(name)
    assert (len(tree), len(tree.leaves)) == SIZES[name]
    assert len(set(tree.codes)) == len(tree)
    for i, parent in enumerate(tree.parent.tolist()):
        assert parent < i, 'a parent comes before its children'
        assert tree.level[i] == (tree.levels[0] if parent < 0 else tree.level[parent] + 1)
        if parent >= 0 and tree.codes[parent].replace('.', '').isdigit() and tree.level[i] > 3:
            assert tree.codes[i].replace('.', '').startswith(tree.codes[parent].replace('.', ''))
    with_leaves = {int(i) for row in tree.ancestors[tree.leaves] for i in row}
    assert with_leaves == set(range(len(tree))), 'each code is above a deepest one, or is one'
    assert all(tree.at(int(i)).title for i in tree.leaves)


def test_naics_2022_is_the_taxonomy():
    tree = Classification.load('naics2022')
    taxonomy = Taxonomy(tree.codes)
    assert tree.codes == taxonomy.codes
    np.testing.assert_array_equal(tree.parent, taxonomy.parent)
    assert tree.at(tree.index('31-33')).official == '31-33'
    assert Classification.load(2022) is tree


def test_titles_above_six_digits_are_given_where_they_are_certain():
    tree = Classification.load('naics2017')
    assert tree['1111'].title == 'Oilseed and Grain Farming'
    assert tree['51121'].title == tree['511210'].title == 'Software Publishers'
    assert tree['511'].title == '', 'what was publishing is something else in 2022'


@pytest.mark.parametrize(
    ('name', 'value', 'expected'),
    [
        ('sic1987', '7371', '7371'),
        ('sic1987', 7371.0, '7371'),
        ('sic1987', '111', '0111'),
        ('sic1987', np.int64(111), '0111'),
        ('sic1987', '7370', '737'),
        ('sic1987', 100, '01'),
        ('sic1987', '0100', '01'),
        ('sic1987', '73XX', '73'),
        ('sic1987', 'SIC 2011', '2011'),
        ('sic1987', 'SIC 1987 2011', '2011'),
        ('sic1987', 'SIC code: 7371', '7371'),
        ('sic1987', '7371 - Computer Programming Services', '7371'),
        ('sic1987', 'd', 'D'),
        ('nace21', '62.10', '62.10'),
        ('nace21', 1.11, '01.11'),
        ('nace21', 'A01.11', '01.11'),
        ('nace21', 'C 10.1', '10.1'),
        ('nace21', 'NACE Rev. 2.1: 62.10', '62.10'),
        ('nace21', 'NACE 2.1 62.10', '62.10'),
        ('nace21', '6210', '62.10'),
        ('nace2', '01.1', '01.1'),
        ('isic4', '="0111"', '0111'),
        ('isic4', 'ISIC Rev. 4 0111', '0111'),
        ('isic4', '141', '141'),
        ('isic4', 141, '0141'),
        ('isic31', 'A', 'A'),
        ('scian2018', '31-33', '31'),
        ('naics2017', '541511.0', '541511'),
    ],
)
def test_spellings(name, value, expected):
    tree = Classification.load(name)
    assert tree.codes[tree.index(value)] == expected


def test_missing_several_and_wrong():
    tree = Classification.load('isic4')
    assert [tree.read(value) for value in (None, float('nan'), '', ' n/a ')] == [()] * 4
    assert tree.read('0111; 0112') == ('0111', '0112')
    assert '0111' in tree
    assert '0199' not in tree
    with pytest.raises(CodeError, match=r'names 2 codes of ISIC Rev\. 4: give one'):
        tree.index('0111; 0112')
    with pytest.raises(
        CodeError, match=r"'soy' is not a code of ISIC Rev\. 4: give one such as 0111"
    ):
        tree.index('soy')
    with pytest.raises(
        CodeError, match=r'0199 is not a code of ISIC Rev\. 4; under 01 there are 011'
    ):
        tree.index('0199')
    with pytest.raises(UserError, match='has no code of level 4 above it'):
        tree.above('01', 4)
