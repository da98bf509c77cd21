"""Questions and sets of codes, from the coder."""

import shutil

import numpy as np
import pytest

from naics_embed.artifacts import checksum, read_json, write_json
from naics_embed.bundle.storage import CODER
from naics_embed.errors import UserError
from naics_embed.evidence.conformal import Conformal, fit_conformal
from naics_embed.questions.question import UNKNOWN
from naics_embed.questions.settings import QuestionSettings
from naics_embed.search.coder import Coder
from naics_embed.search.storage import CONFORMAL
from naics_embed.taxonomy import LEVELS
from tests.tiny_bundle import write_tiny_bundle

TEXT = 'furniture'


@pytest.fixture(scope='module')
def path(encoder, tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp('asked') / 'bundle', encoder, coder=True)


@pytest.fixture(scope='module')
def coder(path) -> Coder:
    return Coder.load(path, verify=False)


def test_a_question_is_returned_if_asked_for(coder):
    [plain] = coder.search([TEXT])
    [asked] = coder.search([TEXT], ask=True)
    assert plain.question is None
    assert plain.hits == asked.hits
    question = asked.question
    assert question.options[-1].text == UNKNOWN
    assert question.options[-2].rest
    named = [code for option in question.options for code in option.codes]
    assert asked.hits[0].code in named
    assert len(named) == len(set(named))
    [sure] = coder.search(['Soybean Farming'], ask=True)
    assert sure.question is None


def test_an_answer_moves_the_probability_to_its_codes(coder):
    [asked] = coder.search([TEXT], ask=True)
    for number, option in enumerate(asked.question.options[:-2]):
        answer = coder.answer(TEXT, asked.question, number)
        again = coder.answer(TEXT, asked.question, option.text)
        assert answer == again
        assert answer.hits[0].code.startswith(option.codes)
        assert answer.hits[0].probability > asked.hits[0].probability
        assert sum(hit.probability for hit in answer.path[:1]) <= 1
    unknown = coder.answer(TEXT, asked.question, UNKNOWN)
    assert unknown.hits == asked.hits
    # Nothing is remembered.
    assert coder.search([TEXT], ask=True)[0] == asked


def test_answers_add_up(coder):
    [asked] = coder.search([TEXT], ask=True)
    once = coder.answer(TEXT, asked.question, 0)
    twice = coder.answer(TEXT, asked.question, 0, replies=[(asked.question, 0)])
    assert twice.hits[0].code == once.hits[0].code
    assert twice.hits[0].probability > once.hits[0].probability


def test_replies_are_about_one_text(coder):
    [asked] = coder.search([TEXT], ask=True)
    with pytest.raises(UserError, match='one text, not 2'):
        coder.search([TEXT, 'bakery'], replies=[(asked.question, 0)])
    with pytest.raises(UserError, match='option must be one of 0:'):
        coder.answer(TEXT, asked.question, 99)


def test_a_text_that_says_nothing_lacks_everything(coder):
    [answer] = coder.search(['n/a'], ask=True)
    assert answer.missing == ('what the business makes, sells or does',)
    assert coder.search(['n/a'])[0].missing == ()


def test_settings_decide_when_to_ask(path):
    never = Coder.load(path, verify=False, questions=QuestionSettings(least_gain=0.99))
    assert never.search([TEXT], ask=True)[0].question is None


def test_who_wants_to_be_asked_is_asked_where_it_helps_at_all(path):
    rarely = Coder.load(path, verify=False, questions=QuestionSettings(least_gain=0.99))
    [asked] = rarely.search([TEXT], ask=True, wanted=True)
    assert asked.status != 'coded'
    assert 0.05 <= asked.question.gain < 0.99
    [sure] = rarely.search([TEXT], ask=True, wanted=True, confidence=1e-9)
    assert (sure.status, sure.question) == ('coded', None)


@pytest.fixture(scope='module')
def promised(path, tmp_path_factory) -> Coder:
    """A coder whose sets were fitted to titles with a word left out."""
    copy = shutil.copytree(path, tmp_path_factory.mktemp('promised') / 'bundle')
    coder = Coder.load(copy, verify=False)
    texts, truth = cut_titles(coder, 0)
    firsts = coder.levels.first
    scored = list(coder.scored(texts))
    conformal = fit_conformal(
        np.concatenate([one.probabilities for one in scored]),
        truth,
        np.concatenate([one.gates for one in scored]),
        ['titles'] * len(texts),
        firsts,
    )
    conformal.write(copy / CODER / CONFORMAL)
    manifest = read_json(copy / 'manifest.json')
    manifest['files'][f'{CODER}/{CONFORMAL}'] = checksum(copy / CODER / CONFORMAL)[0]
    write_json(copy / 'manifest.json', manifest)
    return Coder.load(copy)


def cut_titles(coder: Coder, seed: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    texts, truth = [], []
    for column, leaf in enumerate(coder.leaves.tolist()):
        words = coder.searcher.titles[leaf].split()
        if len(words) > 2:
            left_out = int(rng.integers(len(words)))
            texts.append(' '.join(words[:left_out] + words[left_out + 1 :]))
            truth.append(column)
    return texts, np.array(truth)


def test_sets_keep_their_promise_at_each_level(promised):
    texts, truth = cut_titles(promised, 1)
    texts, truth = texts[::2], truth[::2]
    for level in (4, 6):
        answers = promised.search(texts, level=level, coverage=0.9)
        held, in_node = [], []
        for answer, column in zip(answers, truth.tolist(), strict=True):
            right = promised.leaf_codes[column]
            code_set = answer.code_set
            held.append(any(right.startswith(hit.code[:level]) for hit in code_set.codes))
            assert code_set.codes[0].code == answer.hits[0].code
            node = code_set.node
            in_node.append(node is None or right[:2] == node.code[:2] or node.level == 2)
        assert np.mean(held) >= 0.86
        assert np.mean(in_node) >= 0.86


def test_a_greater_coverage_has_greater_sets(promised):
    sizes = []
    for coverage in (0.5, 0.9, 0.99):
        [answer] = promised.search([TEXT], coverage=coverage)
        sizes.append(len(answer.code_set.codes))
        assert answer.code_set.coverage == coverage
    assert sizes == sorted(sizes)


def test_a_bundle_without_scores_cannot_promise(coder, promised):
    with pytest.raises(UserError, match='run the pipeline again'):
        coder.search([TEXT], coverage=0.9)
    for wrong in (0, 1, 'much'):
        with pytest.raises(UserError, match='coverage must be above 0'):
            promised.search([TEXT], coverage=wrong)
    assert isinstance(promised.conformal, Conformal)
    assert promised.conformal.scores.shape[1] == len(LEVELS) + 1
