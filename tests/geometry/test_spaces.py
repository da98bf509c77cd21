"""Three spaces with the same operations."""

import math

import pytest
import torch

from naics_embed.geometry.lorentz import pairwise_distance
from naics_embed.geometry.spaces import make_space

KINDS = ('lorentz', 'euclidean', 'spherical')


def tangents(count: int = 7, seed: int = 0) -> torch.Tensor:
    v = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)).double()
    return 0.6 * v


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('c', [0.5, 1.0, 2.0])
def test_maps_and_distances_agree(kind, c):
    space = make_space(kind, c)
    v = torch.cat([tangents(), torch.zeros(1, 4, dtype=torch.float64)])
    x = space.exp0(v)
    torch.testing.assert_close(space.log0(x), v)
    origin = space.exp0(torch.zeros(1, 4, dtype=torch.float64))
    torch.testing.assert_close(space.pairwise(x, origin)[:, 0], v.norm(dim=1))
    a, b = x[:4], x[4:]
    rows = space.distance(a[:, None].expand(4, 4, -1), b[None].expand(4, 4, -1))
    torch.testing.assert_close(space.pairwise(a, b), rows)
    # Over 1 with a large sphere or a small curvature all agree with the plane.
    small = space.exp0(1e-3 * v)
    flat = torch.cdist(1e-3 * v, 1e-3 * v)
    torch.testing.assert_close(space.pairwise(small, small), flat, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize('kind', KINDS)
def test_gradients_are_finite_where_points_coincide(kind):
    v = tangents(3).requires_grad_()
    space = make_space(kind, 1.0)
    x = space.exp0(v)
    space.pairwise(x, x).sum().backward()
    assert bool(v.grad.isfinite().all())
    assert bool((v.grad != 0).any())


def test_curvature_orders_the_spaces():
    v = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    away = {}
    for kind in KINDS:
        space = make_space(kind, 1.0)
        x = space.exp0(v)
        away[kind] = float(space.distance(x[0], x[1]))
    assert away['euclidean'] == pytest.approx(math.sqrt(2))
    assert away['spherical'] < away['euclidean'] < away['lorentz']
    x = make_space('lorentz', 1.0).exp0(v)
    assert away['lorentz'] == pytest.approx(float(pairwise_distance(x, x, c=1.0)[0, 1]))
