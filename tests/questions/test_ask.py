"""Which question is asked."""

import numpy as np
import pytest

from naics_embed.questions.ask import Questioner
from naics_embed.questions.question import MATERIAL, REFERENCE, ROLE, UNKNOWN, WORDS
from naics_embed.questions.settings import QuestionSettings
from tests.questions.known import CODES, REFERENCES, TITLES, known_texts

WIDTH = 15


@pytest.fixture(scope='module')
def questioner() -> Questioner:
    return Questioner(CODES, TITLES, known_texts(), REFERENCES, QuestionSettings())


def likely(**shares: float) -> np.ndarray:
    p = np.full(len(CODES), 1e-6)
    for code, share in shares.items():
        p[CODES.index(code.removeprefix('c'))] = share
    return p / p.sum()


def ask(questioner, embedding=None, **shares):
    at = np.zeros(WIDTH, dtype=np.float32) if embedding is None else embedding
    return questioner.question(likely(**shares), at)


def test_a_sure_text_is_not_asked(questioner):
    assert ask(questioner, c111110=0.95, c111120=0.05) is None


def test_codes_of_several_sectors_are_told_by_their_roles(questioner):
    question = ask(questioner, c337122=0.4, c423210=0.35, c449110=0.25)
    assert question.kind == ROLE
    assert [option.codes for option in question.options[:3]] == [
        ('337122',),
        ('423210',),
        ('449110',),
    ]
    assert question.options[-2].rest
    assert question.options[-1].text == UNKNOWN
    assert question.gain == pytest.approx(0.6, abs=1e-4)


def test_codes_of_one_role_are_told_by_a_cross_reference(questioner):
    question = ask(questioner, c111110=0.45, c111120=0.55)
    assert question.kind == REFERENCE
    assert question.prompt == 'Is its main activity growing soybeans?'
    assert question.options[0].codes == ('111110',)
    assert [option.text for option in question.options] == ['Yes', 'No', UNKNOWN]


def test_materials_in_titles_are_asked_for():
    titles = (*TITLES[:3], 'Metal Office Furniture Manufacturing', *TITLES[4:])
    questioner = Questioner(CODES, titles, known_texts(), (), QuestionSettings())
    question = ask(questioner, c337122=0.5, c337214=0.5)
    assert question.kind == MATERIAL
    assert {option.text: option.codes for option in question.options[:2]} == {
        'Wood': ('337122',),
        'Metal': ('337214',),
    }


def test_otherwise_words_tell_them_and_examples_are_not_in_the_title():
    questioner = Questioner(CODES, TITLES, known_texts(), (), QuestionSettings())
    embedding = np.zeros(WIDTH, dtype=np.float32)
    embedding[len(CODES) + 3] = 1.0
    question = ask(questioner, embedding, c111110=0.5, c111120=0.5)
    assert question.kind == WORDS
    assert question.options[0].text == 'Soybean farming'
    assert (
        question.options[1].text
        == 'Oilseed farming except soybean, such as sunflower farming or canola farming'
    )


def test_a_gain_is_what_a_true_answer_brings(questioner):
    p = likely(c111110=0.3, c111120=0.3, c337122=0.25, c449110=0.15)
    question = questioner.question(p, np.zeros(WIDTH, dtype=np.float32))
    right = 0.0
    for column, code in enumerate(CODES):
        option = question.options[question.option_of(code)]
        same = [
            i
            for i, other in enumerate(CODES)
            if question.option_of(other) == question.option_of(code)
        ]
        right += p[column] * (column == max(same, key=lambda i: p[i]))
        assert option.text != UNKNOWN
    assert question.gain == pytest.approx(right - p.max())


def test_a_vague_text_lacks_something(questioner):
    assert questioner.missing(likely(c111110=0.9, c337122=0.1)) == ()
    strict = Questioner(
        CODES, TITLES, known_texts(), REFERENCES, QuestionSettings(vague_sector=0.6)
    )
    lacking = strict.missing(likely(c111110=0.4, c337122=0.3, c423210=0.3))
    assert lacking[0].startswith('what the business does: whether it grows')
    assert 'it makes goods' in lacking[0]
