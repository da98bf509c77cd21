import pytest
import torch

from naics_embed.geometry import lorentz
from naics_embed.geometry.indexed import grouped_centroid, indexed_distance

PAIRS = 5000


def points(count: int, radius: float, seed: int, c: float) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    tangents = torch.randn(count, 8, generator=draw, dtype=torch.float64)
    lengths = radius * torch.rand(count, 1, generator=draw, dtype=torch.float64)
    return lorentz.exp0(lengths * torch.nn.functional.normalize(tangents, dim=-1), c=c)


def rows(count: int, seed: int) -> torch.Tensor:
    return torch.randint(count, (PAIRS,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('c', [0.3, 1.0, 4.0])
@pytest.mark.parametrize('radius', [0.5, 6.0, 12.0])
def test_indexed_distances_and_gradients_are_those_of_gathered_points(c, radius):
    reach = radius / c**0.5
    x = points(40, reach, 0, c).requires_grad_()
    y = torch.cat([x.detach()[:5], points(60, reach, 1, c)]).requires_grad_()
    i, j = rows(40, 2), rows(65, 3)
    weight = torch.randn(PAIRS, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    found = indexed_distance(x, y, i, j, c=c)
    expected = lorentz.distance(x[i], y[j], c=c)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    one = torch.autograd.grad((weight * found).sum(), (x, y))
    other = torch.autograd.grad((weight * expected).sum(), (x, y))
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9 * float(theirs.abs().max()))


def test_points_that_coincide_have_no_distance_and_no_gradient():
    x = points(6, 8.0, 0, 1.0).requires_grad_()
    same = torch.arange(6)
    d = indexed_distance(x, x.detach().clone(), same, same, c=1.0)
    (gradient,) = torch.autograd.grad(d.sum(), x)
    assert not d.any()
    assert not gradient.any()


@pytest.mark.parametrize('radius', [0.5, 6.0, 10.0])
def test_grouped_centroids_and_gradients_are_the_dense_ones(radius):
    c = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    x = points(30, radius, 0, 0.7).requires_grad_()
    member = torch.arange(24) % 30
    index = torch.arange(24) // 6
    weights = torch.rand(24, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights.requires_grad_()
    found = grouped_centroid(x, weights, member, index, 5, c=c)
    assert not found[4].any(), 'a set without members is at the origin'
    expected = lorentz.centroid(x[member].view(4, 6, -1), weights.view(4, 6), c=c)
    torch.testing.assert_close(found[:4], expected, rtol=1e-11, atol=1e-11)
    one = torch.autograd.grad(found.sin().sum(), (x, weights, c))
    other = torch.autograd.grad(expected.sin().sum(), (x, weights, c))
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7 * float(theirs.abs().max()))
