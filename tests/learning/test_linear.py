import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from naics_embed.evidence.known_texts import Linear
from naics_embed.learning.linear import adapt_linear

WIDTH, LEAVES = 6, 5


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, WIDTH)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    start = Linear(
        rng.normal(size=(WIDTH, LEAVES)).astype(np.float32),
        rng.normal(size=LEAVES).astype(np.float32),
    )
    labels = rng.integers(0, LEAVES - 1, 80)
    weights = rng.uniform(0.3, 1, 80)
    return start, x, labels, weights


def fitted(problem, **options):
    start, x, labels, weights = problem
    given = {'penalty': 0.5, 'iterations': 500, **options}
    return adapt_linear(start, x, labels, weights, **given)


def test_the_gradient_of_the_posterior_is_zero(problem):
    start, x, labels, weights = problem
    found = fitted(problem)
    p = softmax(x @ found.weights + found.bias, axis=1)
    p[np.arange(len(labels)), labels] -= 1
    p *= weights[:, None]
    slope = x.T @ p + 0.5 * (found.weights - start.weights)
    assert np.abs(slope).max() < 1e-2
    assert np.abs(p.sum(axis=0) + 0.5 * (found.bias - start.bias)).max() < 1e-2


def test_it_is_the_optimum_that_another_solver_finds(problem):
    start, x, labels, weights = problem
    own = np.hstack([x, np.ones((len(x), 1))]).astype(np.float64)
    at = np.vstack([start.weights, start.bias]).astype(np.float64)

    def loss(flat):
        change = flat.reshape(at.shape)
        log_p = log_softmax(own @ (at + change), axis=1)
        return -weights @ log_p[np.arange(len(labels)), labels] + 0.25 * flat @ flat

    wanted = at + minimize(loss, np.zeros(at.size), method='BFGS').x.reshape(at.shape)
    found = fitted(problem)
    np.testing.assert_allclose(found.weights, wanted[:-1], atol=5e-3)
    np.testing.assert_allclose(found.bias, wanted[-1], atol=5e-3)


def test_without_labels_nothing_changes(problem):
    start, x, labels, weights = problem
    none = adapt_linear(start, x[:0], labels[:0], weights[:0], penalty=0.5, iterations=10)
    np.testing.assert_array_equal(none.weights, start.weights)
    np.testing.assert_array_equal(none.bias, start.bias)


def test_a_strong_prior_changes_little_and_codes_without_labels_nearly_keep_theirs(problem):
    start, *_ = problem
    strong = fitted(problem, penalty=1e6)
    np.testing.assert_allclose(strong.weights, start.weights, atol=1e-3)
    few = (problem[0], problem[1][:4], np.zeros(4, dtype=int), problem[3][:4])
    change = np.abs(fitted(few).weights - start.weights).max(axis=0)
    assert change[0] > 1.5 * change[1:].max()


def test_a_label_of_no_weight_does_not_count(problem):
    start, x, labels, weights = problem
    silent = np.where(np.arange(len(labels)) < 40, weights, 1e-12)
    half = fitted((start, x[:40], labels[:40], weights[:40]))
    np.testing.assert_allclose(fitted((start, x, labels, silent)).weights, half.weights, atol=5e-3)
