import numpy as np
import pytest

from naics_embed.census.normalise import normalise
from naics_embed.learning.groups import group_texts, grouped_folds

LONG = 'we install and repair heating cooling and plumbing systems for homes in town'


def together(texts, groups=None, similarity=0.9):
    found = group_texts(texts, groups, similarity)
    return [found[0] == other for other in found[1:]]


def test_duplicates_are_of_one_group():
    texts = ['Corn farming', 'CORN, farming!', 'farming corn', 'corn farm', 'corn and rice farming']
    assert together(texts) == [True, True, False, False]


def test_near_duplicates_are_of_one_group():
    changed = LONG.replace('homes', 'houses')
    longer = LONG + ' today'
    other = 'we install and repair roofs gutters and chimneys for homes in town'
    assert together([LONG, longer, changed, other], similarity=0.9) == [True, False, False]
    assert together([LONG, longer, changed, other], similarity=0.8) == [True, True, False]


def test_groups_of_the_user_and_duplicates_are_joined():
    texts = ['corn', 'rice', 'Rice', 'wheat', 'oats']
    groups = ['a', 'a', 'b', 'b', None]
    assert group_texts(texts, groups, 0.9).tolist() == [0, 0, 0, 0, 1]
    assert group_texts(texts, None, 0.9).tolist() == [0, 1, 1, 2, 3]
    assert group_texts(texts, [None] * 5, 0.9).tolist() == [0, 1, 1, 2, 3]
    assert group_texts(texts, [1, '1', 2, 3, 1], 0.9).tolist() == [0, 1, 1, 2, 0]


def test_other_scripts_are_not_duplicates_of_each_other():
    assert group_texts(['寿司屋', 'パン屋', 'пекарня', '寿司屋'], None, 0.9).tolist() == [
        0,
        1,
        2,
        0,
    ]


def components(texts, similarity):
    """Groups by comparison of all pairs."""
    sets = [frozenset(normalise(text).split()) for text in texts]
    label = list(range(len(texts)))
    for i, one in enumerate(sets):
        for j in range(i):
            other = sets[j]
            alike = one == other or (
                min(len(one), len(other)) > 3
                and len(one & other) >= similarity * len(one | other) - 1e-12
            )
            if alike and label[i] != label[j]:
                old, new = label[i], label[j]
                label = [new if each == old else each for each in label]
    numbers: dict[int, int] = {}
    return [numbers.setdefault(each, len(numbers)) for each in label]


@pytest.mark.parametrize('similarity', [0.55, 0.6, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize('seed', range(4))
def test_no_pair_is_missed(similarity, seed):
    rng = np.random.default_rng(seed)
    words = [f'w{i}' for i in range(14)]
    texts = [' '.join(rng.choice(words, rng.integers(1, 22))) for _ in range(150)]
    assert group_texts(texts, None, similarity).tolist() == components(texts, similarity)


def test_a_fold_never_cuts_a_group_and_folds_are_even():
    rng = np.random.default_rng(0)
    groups = np.unique(rng.integers(0, 300, 1000), return_inverse=True)[1]
    folds = grouped_folds(groups, 5, seed=0)
    assert all(len(set(folds[groups == group])) == 1 for group in range(groups.max() + 1))
    assert np.bincount(folds).tolist() == [200] * 5
    assert not np.array_equal(folds, grouped_folds(groups, 5, seed=1))
    np.testing.assert_array_equal(folds, grouped_folds(groups, 5, seed=0))


def test_one_great_group_leaves_the_others_even():
    groups = np.array([0] * 50 + list(range(1, 41)))
    counts = np.bincount(grouped_folds(groups, 5, seed=0))
    assert sorted(counts) == [10, 10, 10, 10, 50]


def test_many_texts_are_grouped_quickly():
    rng = np.random.default_rng(1)
    words = np.array([f'word{i}' for i in range(3000)])
    texts = [' '.join(rng.choice(words, 12)) for _ in range(20_000)]
    assert group_texts(texts, None, 0.9).max() > 19_000
