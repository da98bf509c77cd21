"""The functions on arrays against those on tensors, over the radii that tables have."""

import numpy as np
import pytest
import torch

from naics_embed.geometry import arrays, lorentz, models

RADII = [0.0, 1e-6, 0.5, 3.0, 9.0]


@pytest.fixture(params=[0.3, 1.0, 2.5])
def curvature(request):
    return request.param


@pytest.fixture(params=RADII)
def tangents(request):
    noise = np.random.default_rng(0).normal(size=(40, 6))
    return request.param * noise / np.linalg.norm(noise, axis=-1, keepdims=True)


def test_maps_at_the_origin(tangents, curvature):
    points = arrays.exp0(tangents, curvature)
    expected = lorentz.exp0(torch.from_numpy(tangents), c=curvature).numpy()
    np.testing.assert_allclose(points, expected, rtol=1e-12)
    np.testing.assert_allclose(arrays.log0(points, curvature), tangents, rtol=1e-12)


def test_distances_far_and_near(tangents, curvature):
    points = arrays.exp0(tangents, curvature)
    near = arrays.exp0(tangents * (1 + 1e-7), curvature)
    others = np.concatenate([points, near, arrays.exp0(tangents / 3, curvature)])
    found = arrays.pairwise_distance(points, others, curvature)
    expected = lorentz.pairwise_distance(
        torch.from_numpy(points), torch.from_numpy(others), c=curvature
    )
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-8)
    assert (np.diag(found) == 0).all()


def test_many_near_pairs_are_computed_in_parts(monkeypatch):
    points = arrays.exp0(1e-3 * np.random.default_rng(1).normal(size=(30, 4)), 1.0)
    whole = arrays.pairwise_distance(points, points, 1.0)
    monkeypatch.setattr(arrays, 'PAIRS', 7)
    np.testing.assert_array_equal(arrays.pairwise_distance(points, points, 1.0), whole)


def test_centroids(tangents, curvature):
    points = arrays.exp0(tangents, curvature)
    weights = np.random.default_rng(2).uniform(size=len(points))
    for count in (1, 2, len(points)):
        found = arrays.centroid(points[:count], weights[:count], curvature)
        expected = lorentz.centroid(
            torch.from_numpy(points[:count]), torch.from_numpy(weights[:count]), c=curvature
        )
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-8, atol=1e-12)
    assert (arrays.centroid(points, np.zeros(len(points)), curvature) == 0).all()


def test_the_poincare_ball(tangents, curvature):
    points = arrays.exp0(tangents, curvature)
    ball = arrays.to_poincare(points, curvature)
    expected = models.to_poincare(torch.from_numpy(points), c=curvature)
    np.testing.assert_allclose(ball, expected.numpy(), rtol=1e-12)
    lifted = models.from_poincare(torch.from_numpy(ball), c=curvature)
    # Near the rim the gap to it has lost digits in both.
    np.testing.assert_allclose(arrays.from_poincare(ball, curvature), lifted.numpy(), rtol=1e-4)
    assert np.isnan(arrays.from_poincare(np.full((1, 2), 9.0), curvature)).all()
