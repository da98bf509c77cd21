import numpy as np
import pytest

from naics_embed.supervision.marks import LINEAL, REDIRECT, marked_pairs, pair_marks
from naics_embed.taxonomy import Taxonomy

CODES = ['11', '111', '1111', '11111', '111110', '11112', '112', '31-33', '311']


@pytest.fixture
def taxonomy() -> Taxonomy:
    return Taxonomy(CODES)


def test_lineal_pairs_are_marked_both_ways(taxonomy):
    marks = pair_marks(taxonomy, set())
    expected = np.array(
        [
            [LINEAL * taxonomy.is_lineal(a, b) for b in range(len(taxonomy))]
            for a in range(len(taxonomy))
        ]
    )
    assert marks.dtype == np.uint8
    assert np.array_equal(marks, expected)
    assert marks.any()


def test_redirections_are_marked_both_ways_and_added_to_lineal_ones(taxonomy):
    five, six, other = (taxonomy.index(code) for code in ('11112', '11111', '311'))
    root = taxonomy.index('11')
    marks = pair_marks(taxonomy, {(five, six), (other, five), (five, root), (five, five)})
    assert marks[five, six] == marks[six, five] == REDIRECT
    assert marks[five, other] == marks[other, five] == REDIRECT
    assert marks[five, root] == marks[root, five] == LINEAL + REDIRECT
    assert not marks.diagonal().any()


def test_pairs_may_come_as_a_set_or_an_array(taxonomy):
    pairs = {(1, 6), (8, 0), (2, 1)}
    array = np.array([*pairs, (6, 1), (1, 6)], dtype=np.int32)
    assert np.array_equal(pair_marks(taxonomy, pairs), pair_marks(taxonomy, array))


def test_no_redirections_at_all(taxonomy):
    assert np.array_equal(
        pair_marks(taxonomy, np.empty((0, 2), dtype=np.int64)), pair_marks(taxonomy, set())
    )


def test_marked_pairs_lists_each_once(taxonomy):
    a, b = taxonomy.index('112'), taxonomy.index('311')
    frame = marked_pairs(taxonomy, {(b, a), (a, b), (0, 1)})
    assert (frame['i'] < frame['j']).all()
    assert not frame.select('i', 'j').is_duplicated().any()
    rows = {(r['code_i'], r['code_j']): (r['lineal'], r['redirect']) for r in frame.to_dicts()}
    assert rows['112', '311'] == (False, True)
    assert rows['11', '111'] == (True, True)
    assert rows['11111', '111110'] == (True, False)
    assert len(rows) == int((taxonomy.level - 2).sum()) + 1


@pytest.mark.parametrize(
    ('pairs', 'message'),
    [
        (np.array([1, 2]), r'\(m, 2\)'),
        (np.array([[1, 2, 3]]), r'\(m, 2\)'),
        (np.array([[0.0, 1.0]]), 'integers'),
        (np.array([[0, 9]]), 'positions 0 … 8'),
        (np.array([[-1, 3]]), 'positions 0 … 8'),
    ],
)
def test_pairs_that_do_not_fit_are_refused(taxonomy, pairs, message):
    with pytest.raises(ValueError, match=message):
        pair_marks(taxonomy, pairs)
