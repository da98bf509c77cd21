import numpy as np
import pytest
from scipy.optimize import minimize

from naics_embed.learning.lbfgs import minimise


@pytest.fixture
def quadratic():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(30, 20))
    matrix, target = half.T @ half + np.eye(20), rng.normal(size=20)

    def loss(x):
        away = x.astype(np.float64) - target
        return float(away @ matrix @ away), (2 * matrix @ away).astype(np.float32)

    return loss, target


def test_it_finds_the_minimum(quadratic):
    loss, target = quadratic
    found = minimise(loss, np.zeros(20, dtype=np.float32), 200)
    np.testing.assert_allclose(found, target, atol=1e-3)


def test_it_is_about_as_good_as_scipy_after_as_many_steps(quadratic):
    loss, _ = quadratic
    start = np.zeros(20, dtype=np.float32)
    ours = loss(minimise(loss, start, 15))[0]
    options = {'maxiter': 15, 'maxcor': 5}
    theirs = minimize(loss, start, jac=True, method='L-BFGS-B', options=options).fun
    assert ours < max(3 * theirs, 1e-3)
    assert not start.any()


def test_it_stops_where_nothing_is_to_be_gained():
    calls = []

    def loss(x):
        calls.append(1)
        return 1.0, np.zeros_like(x)

    start = np.ones((3, 2), dtype=np.float32)
    np.testing.assert_array_equal(minimise(loss, start, 10), start)
    assert len(calls) == 1
    assert minimise(loss, start[:0], 10).shape == (0, 2)
