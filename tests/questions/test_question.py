"""Options, and what an answer says of the codes."""

import numpy as np
import pytest

from naics_embed.errors import ConfigError, UserError
from naics_embed.questions.question import (
    ROLE,
    UNKNOWN,
    Option,
    Question,
    answered,
    chosen_option,
    members,
)
from naics_embed.questions.settings import QuestionSettings

LEAVES = ('311811', '321999', '423210', '449110')
QUESTION = Question(
    ROLE,
    'What does the business mainly do?',
    (
        Option('It makes goods', ('31-33',)),
        Option('It sells goods to the public', ('44-45',)),
        Option('None of these', rest=True),
        Option(UNKNOWN),
    ),
    0.4,
)
P = np.array([0.3, 0.2, 0.1, 0.4])


def test_a_code_stands_for_all_below_it():
    assert members(('31-33',), LEAVES).tolist() == [True, True, False, False]
    assert members(('4232', '449110'), LEAVES).tolist() == [False, False, True, True]
    assert not members((), LEAVES).any()


def test_each_code_has_one_option():
    assert [QUESTION.option_of(code) for code in LEAVES] == [0, 0, 2, 1]


def test_an_answer_follows_bayes():
    settings = QuestionSettings(reliability=0.9)
    p = answered(P, QUESTION, 0, LEAVES, settings)
    # Three options can be right, so a wrong one is drawn with .05 each.
    expected = P * [0.9, 0.9, 0.05, 0.05]
    assert p == pytest.approx(expected / expected.sum())
    rest = answered(P, QUESTION, 2, LEAVES, settings)
    assert rest.argmax() == 2
    assert rest.sum() == pytest.approx(1)


def test_not_knowing_changes_nothing():
    assert answered(P, QUESTION, 3, LEAVES, QuestionSettings()).tolist() == P.tolist()


def test_options_are_named_by_number_or_text():
    assert chosen_option(QUESTION, 1) == chosen_option(QUESTION, 'It sells goods to the public')
    for wrong in (4, -1, True, 'It sings'):
        with pytest.raises(UserError, match='0: It makes goods; 1: It sells'):
            chosen_option(QUESTION, wrong)


@pytest.mark.parametrize(
    ('key', 'value'),
    [('least_gain', 1.0), ('reliability', 0.4), ('most_options', 1), ('plainness', 0.0)],
)
def test_settings_are_checked(key, value):
    with pytest.raises(ConfigError, match=f'service.questions.{key} must be'):
        QuestionSettings(**{key: value})
