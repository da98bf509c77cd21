"""What the benchmark of vector search relies on; the index itself is no dependency."""

import numpy as np
import torch

from benchmarks.vector_search import K, nearest, recall, rescored
from naics_embed.geometry.lorentz import distance, exp0, time_component

C = 0.7


def points(rows: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(rows, 5))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return exp0(torch.from_numpy(directions * rng.uniform(0.1, 6, (rows, 1))), c=C)


def test_the_largest_inner_product_is_the_nearest_point():
    known, asked = points(400, 0), points(30, 1)
    stored = torch.cat([time_component(known, c=C)[:, None], known], dim=1)
    asking = torch.cat([-time_component(asked, c=C)[:, None], asked], dim=1)
    best = (asking @ stored.T).argsort(dim=1, descending=True)[:, :K].numpy()
    assert (best == nearest(asked, known, C)).all()


def test_candidates_are_ranked_by_geodesic_distance():
    known, asked = points(400, 0), points(30, 1)
    exact = nearest(asked, known, C)
    far = torch.stack([distance(one.expand_as(known), known, c=C) for one in asked])
    assert (far.argsort(dim=1)[:, :K].numpy() == exact).all()
    shuffled = np.random.default_rng(2).permuted(far.argsort(dim=1)[:, :50].numpy(), axis=1)
    assert recall(shuffled[:, :K], exact) < 0.5
    assert (rescored(asked, known, shuffled, C) == exact).all()


def test_recall_is_the_mean_share():
    exact = np.arange(20).reshape(2, 10)
    found = exact.copy()
    found[0, :5] = 99
    assert recall(found, exact) == 0.75
