"""k-means in hyperbolic space."""

import itertools

import pytest
import torch

from naics_embed.geometry.kmeans import lorentz_kmeans
from naics_embed.geometry.lorentz import (
    centroid,
    exp0,
    pairwise_squared_lorentzian_distance,
)


def blobs(count: int, size: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    middle = torch.nn.functional.normalize(torch.randn(count, 5, generator=generator), dim=1) * 3
    noise = 0.1 * torch.randn(count, size, 5, generator=generator)
    points = exp0((middle[:, None] + noise).double(), c=0.7)
    return points.reshape(-1, 5), torch.arange(count).repeat_interleave(size)


def test_separate_groups_are_found():
    points, truth = blobs(6, 12)
    result = lorentz_kmeans(points, 6, c=0.7, seed=0, iterations=50)
    for group in range(6):
        assert len(result.label[truth == group].unique()) == 1
    assert len(result.label.unique()) == 6
    assert result.iterations < 50
    own = centroid(points[truth == 0], c=0.7)
    torch.testing.assert_close(result.centre[result.label[0]], own)


def test_the_best_of_many_seeds_is_the_best_of_all_partitions():
    points, _ = blobs(3, 3, seed=4)
    points = points[:8]

    def inertia(label: torch.Tensor) -> float:
        centre = torch.stack([centroid(points[label == k], c=0.7) for k in (0, 1)])
        square = pairwise_squared_lorentzian_distance(points, centre, c=0.7)
        return float(square.gather(1, label[:, None]).sum())

    labels = [torch.tensor([0, *rest]) for rest in itertools.product((0, 1), repeat=7)]
    best = min(inertia(label) for label in labels if len(label.unique()) == 2)
    runs = [lorentz_kmeans(points, 2, c=0.7, seed=s, iterations=50).inertia for s in range(10)]
    assert min(runs) == pytest.approx(best)


def test_no_step_raises_the_inertia_and_a_seed_fixes_the_result():
    points = exp0(torch.randn(200, 5, generator=torch.Generator().manual_seed(1)).double(), c=0.7)
    steps = [lorentz_kmeans(points, 9, c=0.7, seed=3, iterations=i).inertia for i in range(8)]
    assert steps == sorted(steps, reverse=True)
    one = lorentz_kmeans(points, 9, c=0.7, seed=3, iterations=20)
    again = lorentz_kmeans(points, 9, c=0.7, seed=3, iterations=20)
    assert torch.equal(one.label, again.label)
    other = lorentz_kmeans(points, 9, c=0.7, seed=4, iterations=20)
    assert not torch.equal(one.label, other.label)


def test_coincident_points_and_more_clusters_than_points():
    points = exp0(torch.ones(5, 3).double(), c=1.0)
    result = lorentz_kmeans(points, 9, c=1.0, seed=0, iterations=5)
    assert result.centre.shape == (5, 3)
    assert result.inertia == pytest.approx(0, abs=1e-12)
    assert bool(result.centre.isfinite().all())
