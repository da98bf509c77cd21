"""The activities that a text names."""

import numpy as np
import pytest

from naics_embed.errors import UserError
from naics_embed.search.activities import LEAST_FRACTION, activities, parts_of


@pytest.mark.parametrize(
    ('text', 'parts'),
    [
        ('dog grooming', ['dog grooming']),
        ('Roofing, siding and gutters.', ['Roofing', 'siding', 'gutters']),
        ('Sells tires & repairs cars; tows.', ['Sells tires', 'repairs cars', 'tows']),
        ('J. R. Smith builds homes. He paints.', ['J. R. Smith builds homes', 'He paints']),
        ('3.5 acre farm - cut flowers', ['3.5 acre farm', 'cut flowers']),
        ('- bakery\n- café / bar\n', ['bakery', 'café', 'bar']),
        ('Panadería y cafetería', ['Panadería', 'cafetería']),
        ('N/A', ['N/A']),
        ('bakery, n/a', ['bakery']),
    ],
)
def test_parts(text, parts):
    assert parts_of(text) == parts


def test_several_activities_in_their_order(coder):
    titles = coder.searcher.titles
    first, second = (titles[coder.leaves[i]] for i in (0, -1))
    [found] = activities(coder, [f'{first}; {second}; {first}'])
    assert {one.title for one in found} <= {first, second}
    assert sum(one.fraction for one in found) <= 1 + 1e-9
    assert [one.fraction for one in found] == sorted((one.fraction for one in found), reverse=True)
    for one in found:
        assert one.parts
        assert 0 < one.probability <= 1


def test_one_activity_is_that_of_the_coder(coder):
    text = coder.searcher.titles[coder.leaves[0]].split(' and ')[0].split(',')[0]
    [[only, *_]] = activities(coder, text)
    answer = coder.search(text, k=1)[0]
    assert only.code == answer.hits[0].code
    assert only.probability == pytest.approx(answer.hits[0].probability, rel=1e-6)
    assert only.parts == (text,)


def test_small_fractions_are_left_out(coder):
    texts = ['soup kitchen, dog grooming, law firm', 'bakery. We have been there since 1998.']
    for found in activities(coder, texts):
        assert all(one.fraction >= LEAST_FRACTION for one in found[1:])
    assert [len(found) for found in activities(coder, texts, 1.0)] == [1, 1]


def test_each_distinct_part_is_coded_once(coder, monkeypatch):
    seen = []
    probabilities = coder.probabilities
    monkeypatch.setattr(
        coder, 'probabilities', lambda texts: seen.append(list(texts)) or probabilities(texts)
    )
    activities(coder, ['dog grooming; bakery', 'bakery'])
    assert seen == [['dog grooming; bakery', 'bakery', 'dog grooming']]


def test_no_texts_and_bad_texts(coder):
    assert activities(coder, []) == []
    with pytest.raises(UserError):
        activities(coder, ['bakery', ''])
    assert np.isfinite([one.fraction for one in activities(coder, ['N/A'])[0]]).all()
