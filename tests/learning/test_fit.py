"""Nothing that learning says of a labelled text comes from its own group."""

from dataclasses import replace

import numpy as np
import pytest

from naics_embed.config.learning import LearnSettings
from naics_embed.errors import ConfigError
from naics_embed.evidence.code_prior import leaf_ancestors
from naics_embed.learning.examples import Examples, encode_examples, own_examples
from naics_embed.learning.fit import learn_labels
from naics_embed.learning.groups import group_texts, grouped_folds
from naics_embed.learning.part import Ground, Part
from naics_embed.search.coder import Coder
from naics_embed.taxonomy import Taxonomy
from tests.learning.bundles import ways
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

SETTINGS = LearnSettings(folds=3)


@pytest.fixture(scope='module')
def coder(tmp_path_factory) -> Coder:
    folder = tmp_path_factory.mktemp('fit')
    encoder = write_tiny_encoder(folder / 'encoder')
    return Coder.load(write_tiny_bundle(folder / 'bundle', encoder, coder=True))


def examples_of(coder, texts, labels) -> Examples:
    return encode_examples(coder, texts, np.asarray(labels), ['ours'] * len(texts))


def learn(coder, examples, folds, settings=SETTINGS):
    ancestors = leaf_ancestors(Taxonomy(coder.searcher.codes))
    own = own_examples(coder)
    said: list[str] = []
    done = learn_labels(
        coder.evidence, coder.fusion, own, examples, folds, ancestors, settings, said.append
    )
    assert len(said) == settings.folds
    return done


@pytest.fixture(scope='module')
def nonsense(coder):
    """Texts of words of their own, each twice under one code that nothing else speaks for."""
    rng = np.random.default_rng(0)
    words = [''.join(rng.choice(list('bcdfgjkqvwxz'), 7)) for _ in range(48)]
    texts = [f'{words[2 * i]} {words[2 * i + 1]}' for i in range(24) for _ in range(2)]
    return examples_of(coder, texts, np.repeat(rng.permutation(1012)[:24], 2))


def test_a_duplicate_does_not_tell_the_code_of_a_text(coder, nonsense):
    groups = group_texts(nonsense.texts, None, 0.9)
    assert groups.max() == 23
    held = learn(coder, nonsense, grouped_folds(groups, 3, 0))
    assert (held.best == nonsense.labels).mean() < 0.1
    assert held.probabilities.max() < 0.2
    # It would, if the duplicates were in two folds.
    leaking = learn(coder, nonsense, np.arange(48) % 2, replace(SETTINGS, folds=2))
    assert (leaking.best == nonsense.labels).mean() > 0.9


def test_two_labels_of_a_duplicated_text_do_not_know_each_other(coder):
    texts, _ = ways(6)
    labels = np.arange(len(texts)) % 5
    texts = [*texts, 'zxqv kjwd', 'zxqv kjwd']
    examples = examples_of(coder, texts, [*labels, 700, 800])
    groups = group_texts(texts, None, 0.9)
    assert groups[-1] == groups[-2]
    done = learn(coder, examples, grouped_folds(groups, 3, 0))
    assert not set(done.best[-2:].tolist()) & {700, 800}
    assert (done.probabilities[-2:] < 0.1).all()
    # The bundle that is written knows both.
    known = np.array(done.evidence.labels)[np.array(done.evidence.texts) == 'zxqv kjwd']
    assert sorted(known.tolist()) == [700, 800]


def test_a_part_holds_only_its_rows(coder, nonsense):
    ancestors = leaf_ancestors(Taxonomy(coder.searcher.codes))
    ground = Ground(coder.evidence, own_examples(coder), nonsense, ancestors, SETTINGS)
    rows = np.arange(10, 48)
    part = Part(ground, rows, np.ones(48))
    left_out = set(nonsense.texts[:10])
    assert not left_out & set(part.evidence.texts)
    assert len(part.evidence.texts) == len(coder.evidence.texts) + len(rows)
    words = {word for text in left_out for word in text.split()}
    assert not any(part.evidence.words.of(word, leaf) for word in words for leaf in range(5))
    assert part.log_prior[nonsense.labels[0]] < part.log_prior[nonsense.labels[-1]]


def test_an_implausible_label_weighs_less_but_still_counts(coder):
    texts, _ = ways()
    labels = np.arange(len(texts)) % 5
    wrong = labels.copy()
    wrong[0] = 900
    examples = examples_of(coder, texts, wrong)
    done = learn(coder, examples, np.arange(len(texts)) % 3)
    assert done.weights[0] == pytest.approx(SETTINGS.least_weight, abs=0.05)
    assert np.median(done.weights[1:]) > 0.9
    assert done.weights.min() >= SETTINGS.least_weight
    assert texts[0] in done.evidence.texts
    equal = learn(coder, examples, np.arange(len(texts)) % 3, replace(SETTINGS, least_weight=1.0))
    np.testing.assert_array_equal(equal.weights, 1.0)


def test_a_fold_of_one_text_has_it_in_the_sample(coder):
    texts, _ = ways(4)
    examples = examples_of(coder, texts, np.arange(len(texts)) % 5)
    folds = np.array([0] * (len(texts) - 2) + [1, 2])
    done = learn(coder, examples, folds, replace(SETTINGS, fitted_texts=1))
    assert np.isfinite(done.probabilities).all()


@pytest.mark.parametrize(
    'wrong',
    [
        {'folds': 1},
        {'noise': 0.0},
        {'share': 1.0},
        {'least_weight': 0.0},
        {'linear_penalty': 0.0},
        {'fitted_texts': 0},
        {'similarity': 1.5},
        {'penalty': -1.0},
    ],
)
def test_settings_are_looked_at(wrong):
    with pytest.raises(ConfigError, match=f'learning.{next(iter(wrong))} must be'):
        LearnSettings(**wrong)
