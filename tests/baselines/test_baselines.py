import math
import re
import warnings
from collections import Counter

import numpy as np
import pytest

from naics_embed.baselines.frozen import (
    class_mean,
    nearest_neighbours,
    reduced_class_mean,
    title_similarity,
)
from naics_embed.baselines.lexical import bm25
from naics_embed.baselines.logistic import logistic_regression
from naics_embed.baselines.settings import BaselineSettings
from naics_embed.baselines.svm import tfidf_svm
from naics_embed.errors import ConfigError

SETTINGS = BaselineSettings()

TEXTS = (
    'Soybean farming, field and seed production',
    'Soybean farming',
    'Wheat farming, field and seed production',
    'Wheat farming',
    'Dog grooming salons',
    'Pet care services, except veterinary',
    'Veterinary clinics and animal hospitals',
    'Veterinary services for livestock',
)
LABELS = np.array([0, 0, 1, 1, 3, 3, 4, 4])
N_CLASSES = 6
UNSEEN = [2, 5]


def clusters(
    rng: np.random.Generator, classes: int, rows: int, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (m, d) around one centre a class, their labels, and the centres."""
    centres = rng.standard_normal((classes, len(noise)))
    labels = np.repeat(np.arange(classes), rows)
    x = centres[labels] + rng.standard_normal((len(labels), len(noise))) * noise
    return x.astype(np.float32), labels, centres


def top1(scores: np.ndarray, labels: np.ndarray) -> float:
    return float((scores.argmax(axis=1) == labels).mean())


def everything() -> dict[str, tuple]:
    rng = np.random.default_rng(0)
    x, labels, _ = clusters(rng, 4, 5, np.full(8, 0.2))
    labels = np.array([0, 1, 3, 4])[labels]
    queries = list(TEXTS[:3])
    return {
        'class mean': (class_mean, (x, labels, x[:3], N_CLASSES)),
        'reduced class mean': (reduced_class_mean, (x, labels, x[:3], N_CLASSES, 3)),
        'neighbours': (nearest_neighbours, (x, labels, x[:3], N_CLASSES, 4)),
        'title': (title_similarity, (x, labels, x[:3], N_CLASSES)),
        'logistic': (logistic_regression, (x, labels, x[:3], N_CLASSES, SETTINGS)),
        'svm': (tfidf_svm, (TEXTS, LABELS, queries, N_CLASSES, SETTINGS)),
        'bm25': (bm25, (TEXTS, LABELS, queries, N_CLASSES, SETTINGS)),
    }


@pytest.mark.parametrize('name', everything())
def test_scores_have_all_classes_and_repeat_exactly(name):
    function, arguments = everything()[name]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        scores = function(*arguments)
    assert scores.dtype == np.float32
    assert scores.shape == (3, N_CLASSES)
    assert np.isneginf(scores[:, UNSEEN]).all()
    assert np.isfinite(np.delete(scores, UNSEEN, axis=1)).all()
    assert top1(scores, arguments[1][:3]) == 1.0
    assert np.array_equal(scores, function(*arguments))


@pytest.mark.parametrize('name', everything())
@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (np.array([0, 1]), 'as many integer labels'),
        (None, 'as many integer labels'),
        ('large', 'labels must lie in 0 … 5'),
        ('negative', 'labels must lie in 0 … 5'),
    ],
)
def test_labels_that_do_not_fit_are_refused(name, labels, message):
    function, (train, good, *rest) = everything()[name]
    if labels is None:
        labels = good.astype(np.float64)
    elif isinstance(labels, str):
        labels = np.where(good == good[0], 6 if labels == 'large' else -1, good)
    with pytest.raises(ValueError, match=message):
        function(train, labels, *rest)


@pytest.mark.parametrize('name', ['logistic', 'svm'])
def test_a_classifier_needs_two_classes(name):
    function, (train, labels, *rest) = everything()[name]
    with pytest.raises(ValueError, match='label 3'):
        function(train, np.full_like(labels, 3), *rest)


def test_class_mean_is_the_cosine_with_the_mean_of_unit_rows():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((30, 5))
    labels = rng.integers(0, 4, 30)
    queries = rng.standard_normal((7, 5))
    scores = class_mean(x, labels, queries, 4)
    for q, query in enumerate(queries):
        for c in range(4):
            mean = np.mean([row / np.linalg.norm(row) for row in x[labels == c]], axis=0)
            cosine = query @ mean / np.linalg.norm(query) / np.linalg.norm(mean)
            assert scores[q, c] == pytest.approx(cosine, abs=1e-6)


def test_a_reduced_class_mean_keeps_the_directions_of_largest_variance():
    rng = np.random.default_rng(5)
    x, queries = rng.standard_normal((40, 6)), rng.standard_normal((9, 6))
    labels = np.arange(40) % 4
    unit, unit_queries = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, queries)
    )
    variance, axes = np.linalg.eigh(np.cov(unit.T))
    kept = axes[:, np.argsort(variance)[-3:]]
    expected = class_mean(
        (unit - unit.mean(0)) @ kept, labels, (unit_queries - unit.mean(0)) @ kept, 4
    )
    np.testing.assert_allclose(reduced_class_mean(x, labels, queries, 4, 3), expected, atol=1e-5)
    whole = reduced_class_mean(x, labels, queries, 4, 99)
    everything = class_mean(unit - unit.mean(0), labels, unit_queries - unit.mean(0), 4)
    np.testing.assert_allclose(whole, everything, atol=1e-5)


def test_long_rows_do_not_outweigh_others_in_a_class_mean():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((20, 5))
    labels = np.arange(20) % 3
    scaled = x * rng.uniform(0.1, 50, (20, 1))
    expected = class_mean(x, labels, x, 3)
    assert np.allclose(class_mean(scaled, labels, 7 * x, 3), expected, atol=1e-6)


def test_neighbours_vote_with_their_cosine():
    rng = np.random.default_rng(3)
    x, queries = rng.standard_normal((40, 6)), rng.standard_normal((9, 6))
    labels = rng.integers(0, 4, 40)
    scores = nearest_neighbours(x, labels, queries, 5, 7)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    for query, row in zip(queries, scores, strict=True):
        cosine = unit @ query / np.linalg.norm(query)
        near = np.argsort(-cosine)[:7]
        expected = [cosine[near][labels[near] == label].sum() for label in range(4)]
        np.testing.assert_allclose(row, [*expected, -np.inf], atol=1e-5)
    few = nearest_neighbours(x[:3], labels[:3], queries, 5, 7)
    assert few.shape == (9, 5)


def test_a_zero_row_scores_zero():
    x = np.array([[0.0, 0.0], [1.0, 0.0]])
    scores = class_mean(x, np.array([0, 1]), np.array([[0.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), 2)
    assert scores.tolist() == [[0, 0], [0, 0], [0, 1]]


def test_title_similarity_takes_the_nearest_title_of_a_class():
    titles = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
    scores = title_similarity(titles, np.array([2, 0, 2]), np.array([[0.0, -5.0], [1.0, 1.0]]), 3)
    assert scores[0].tolist() == [0.0, -np.inf, 1.0]
    assert scores[1] == pytest.approx([math.sqrt(0.5), -np.inf, math.sqrt(0.5)])


def test_logistic_gives_log_probabilities():
    rng = np.random.default_rng(3)
    x, labels, _ = clusters(rng, 5, 20, np.full(6, 0.5))
    scores = logistic_regression(x, labels, x, 5, SETTINGS)
    assert np.exp(scores.astype(np.float64)).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert top1(scores, labels) > 0.95


def test_logistic_of_two_classes():
    rng = np.random.default_rng(4)
    x, labels, _ = clusters(rng, 2, 20, np.full(3, 0.3))
    scores = logistic_regression(x, labels + 1, x, 4, SETTINGS)
    assert np.isneginf(scores[:, [0, 3]]).all()
    assert np.exp(scores[:, 1:3]).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert top1(scores, labels + 1) > 0.95


def test_logistic_does_not_depend_on_the_unit_or_origin_of_the_features():
    rng = np.random.default_rng(5)
    x, labels, _ = clusters(rng, 4, 15, np.full(6, 1.0))
    plain = logistic_regression(x, labels, x[::4], 4, SETTINGS)
    moved = logistic_regression(50 * x + 3, labels, 50 * x[::4] + 3, 4, SETTINGS)
    assert np.allclose(plain, moved, atol=1e-2)


def test_logistic_keeps_improbable_classes_apart():
    x = np.array([[-300.0], [-299.0], [0.0], [1.0], [300.0], [301.0]], dtype=np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2])
    sharp = BaselineSettings(logistic_c=1e6, logistic_iterations=500)
    scores = logistic_regression(x, labels, np.array([[5000.0]]), 3, sharp)
    assert np.isfinite(scores).all()
    assert scores[0, 0] < scores[0, 1] < scores[0, 2] == 0.0


def test_logistic_learns_which_directions_are_noise():
    rng = np.random.default_rng(6)
    noise = np.where(np.arange(12) < 6, 4.0, 0.3)
    loose = BaselineSettings(logistic_c=10.0, logistic_iterations=200)
    x, labels, centres = clusters(rng, 5, 40, noise)
    queries = (centres[labels] + rng.standard_normal(x.shape) * noise).astype(np.float32)
    fitted = top1(logistic_regression(x, labels, queries, 5, loose), labels)
    assert fitted > 0.9
    assert fitted > top1(class_mean(x, labels, queries, 5), labels) + 0.2


def test_penalties_act():
    function, (x, labels, queries, n_classes, _) = everything()['logistic']
    tight = function(x, labels, queries, n_classes, BaselineSettings(logistic_c=1e-4))
    loose = function(x, labels, queries, n_classes, BaselineSettings(logistic_c=10.0))
    assert tight.max() < math.log(0.5) < loose.max(axis=1).min()
    function, (x, labels, queries, n_classes, _) = everything()['svm']
    tight = function(x, labels, queries, n_classes, BaselineSettings(svm_c=1e-4))
    loose = function(x, labels, queries, n_classes, BaselineSettings(svm_c=10.0))
    assert tight.max() < 0 < loose.max(axis=1).min()


def test_svm_of_two_classes_has_a_column_each():
    scores = tfidf_svm(TEXTS[:4], LABELS[:4], list(TEXTS[:4]), 2, SETTINGS)
    assert np.array_equal(scores[:, 0], -scores[:, 1])
    assert top1(scores, LABELS[:4]) == 1.0


@pytest.mark.parametrize('block', [1, 2, 3])
def test_svm_fits_blocks_of_classes_as_all_at_once(block, monkeypatch):
    settings = BaselineSettings(svm_iterations=1000)
    queries = [*TEXTS, 'growing beans', 'animal hospital']
    whole = tfidf_svm(TEXTS, LABELS, queries, N_CLASSES, settings)
    monkeypatch.setattr('naics_embed.baselines.svm.CLASSES', block)
    parts = tfidf_svm(TEXTS, LABELS, queries, N_CLASSES, settings)
    assert len(np.unique(LABELS)) > 3
    assert np.allclose(parts, whole, atol=2e-3)


def test_svm_reads_parts_of_words():
    scores = tfidf_svm(TEXTS, LABELS, ['soybeen growers', 'veterinarian'], N_CLASSES, SETTINGS)
    assert scores.argmax(axis=1).tolist() == [0, 4]


def lucene_bm25(documents: list[str], query: str, k1: float, b: float) -> list[float]:
    """The formula by hand: ln(1 + (N − df + ½)/(df + ½)) · tf/(tf + k1·(1 − b + b·dl/avgdl))."""
    bags = [Counter(re.findall(r'\w\w+', document.lower())) for document in documents]
    lengths = [sum(bag.values()) for bag in bags]
    average = sum(lengths) / len(lengths)
    scores = []
    for bag, length in zip(bags, lengths, strict=True):
        score = 0.0
        for term in re.findall(r'\w\w+', query.lower()):
            df = sum(term in other for other in bags)
            idf = math.log(1 + (len(bags) - df + 0.5) / (df + 0.5))
            score += idf * bag[term] / (bag[term] + k1 * (1 - b + b * length / average))
        scores.append(score)
    return scores


def test_bm25_is_the_published_formula_over_joined_texts():
    queries = ['farming of soybean seed', 'pet services, except veterinary', 'wheat wheat']
    scores = bm25(TEXTS, LABELS, queries, N_CLASSES, SETTINGS)
    seen = np.unique(LABELS)
    documents = [
        ' '.join(t for t, label in zip(TEXTS, LABELS, strict=True) if label == c) for c in seen
    ]
    for row, query in zip(scores, queries, strict=True):
        expected = lucene_bm25(documents, query, SETTINGS.bm25_k1, SETTINGS.bm25_b)
        assert row[seen] == pytest.approx(expected, abs=1e-5)


def test_bm25_of_queries_without_a_known_word_is_zero():
    seen = np.unique(LABELS)
    scores = bm25(TEXTS, LABELS, ['', 'zymurgy', 'x', 'wheat'], N_CLASSES, SETTINGS)
    assert not scores[:3][:, seen].any()
    assert scores[3, 1] > 0
    assert bm25(TEXTS, LABELS, [], N_CLASSES, SETTINGS).shape == (0, N_CLASSES)


def test_bm25_needs_a_word():
    with pytest.raises(ValueError, match='holds a word'):
        bm25(['', '-'], np.array([0, 1]), ['wheat'], 2, SETTINGS)


@pytest.mark.parametrize(
    ('values', 'key'),
    [
        ({'logistic_c': 0.0}, 'logistic_c'),
        ({'svm_c': float('nan')}, 'svm_c'),
        ({'svm_iterations': 0}, 'svm_iterations'),
        ({'svm_characters': 0}, 'svm_characters'),
        ({'bm25_k1': -1.0}, 'bm25_k1'),
        ({'bm25_b': 1.5}, 'bm25_b'),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, key):
    with pytest.raises(ConfigError, match=key):
        BaselineSettings(**values)


def test_logistic_says_nothing_of_few_texts_a_class():
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        scores = logistic_regression(x, np.arange(30) % 20, x, 20, SETTINGS)
    assert np.isfinite(scores).all()
