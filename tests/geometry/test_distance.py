import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.errors import ConfigError
from naics_embed.geometry import haversine, lorentz, models
from tests.geometry.reference import (
    CURVATURES,
    exact_distances,
    exact_gradient,
    radial_pairs,
    tangent_sets,
    tangents,
)

RELATIVE = {torch.float32: 2e-7, torch.float64: 1e-11}


ROUNDING = 1e-20
"""Equal points are less than this apart in the reference's own arithmetic."""


def rows_of_pairs(x, y):
    return lorentz.pairwise_distance(x, y, c=1.0).diagonal()


@pytest.mark.parametrize('r', [1.0, 3.0, 6.0, 9.0, 12.0])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('method', [lambda x, y: lorentz.distance(x, y, c=1.0), rows_of_pairs])
def test_distance_agrees_with_mpmath(r, dtype, method):
    x, y = radial_pairs(r, dtype)
    truth = exact_distances(x, y)
    result = method(x, y)
    assert result.dtype == dtype
    apart = truth >= 1e-3
    assert apart.sum() >= 16
    assert ((result.double() - truth).abs() / truth)[apart].max() < RELATIVE[dtype]
    assert ((result.double() - truth).abs() / truth)[truth > ROUNDING].max() < 1e-4


@pytest.mark.parametrize('r', [1e-8, 1e-3, 0.1])
def test_close_to_the_origin_and_close_together(r):
    first, second = tangents(2, 5, 6, r=r)
    for base in (torch.zeros(6).double(), 3 * tangents(6)):
        x, y = lorentz.exp0(base + first, c=1.0), lorentz.exp0(base + second, c=1.0)
        truth = exact_distances(x, y)
        torch.testing.assert_close(lorentz.distance(x, y, c=1.0), truth, rtol=1e-12, atol=0)
        torch.testing.assert_close(rows_of_pairs(x, y), truth, rtol=1e-11, atol=0)


@pytest.mark.parametrize('c', CURVATURES)
def test_distance_agrees_with_mpmath_at_every_curvature(c):
    x, y = lorentz.exp0(tangents(8, 5, r=3.0), c=c), lorentz.exp0(tangents(8, 5, seed=1), c=c)
    truth = exact_distances(x, y, c)
    torch.testing.assert_close(lorentz.distance(x, y, c=c), truth, rtol=1e-13, atol=0)
    torch.testing.assert_close(
        lorentz.pairwise_distance(x, y, c=c).diagonal(), truth, rtol=1e-11, atol=0
    )
    # Multiplying by √c in place of dividing is a bug that c = 1 hides.
    unit = lorentz.distance(x * c**0.5, y * c**0.5, c=1.0) / c**0.5
    torch.testing.assert_close(lorentz.distance(x, y, c=c), unit, rtol=1e-14, atol=0)


def test_other_forms_follow_from_the_distance():
    x, y = lorentz.exp0(tangents(7, 4), c=2.0), lorentz.exp0(tangents(7, 4, seed=1), c=2.0)
    d = lorentz.distance(x, y, c=2.0)
    squared = 2.0 * (math.sqrt(2.0) * d / 2).sinh().square()
    torch.testing.assert_close(lorentz.squared_lorentzian_distance(x, y, c=2.0), squared)
    pairs = lorentz.pairwise_squared_lorentzian_distance(x, y, c=2.0)
    torch.testing.assert_close(pairs.diagonal(), squared)
    product = lorentz.inner(x, y, c=2.0)
    torch.testing.assert_close(product, -0.5 - squared / 2)
    ambient = lorentz.to_ambient(x, c=2.0) * lorentz.to_ambient(y, c=2.0)
    torch.testing.assert_close(product, ambient[:, 1:].sum(-1) - ambient[:, 0])
    assert (lorentz.inner(x, x, c=2.0) == -0.5).all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_pairwise_equals_row_by_row(dtype):
    v = torch.cat([tangents(30, 6, r=10.0), tangents(2, 6, r=0.0), tangents(4, 6, r=1e-3)])
    v = torch.cat([v, v[:5] * 1.0001, v[:3], -v[:3]]).to(dtype)
    x = lorentz.exp0(v, c=0.7)
    pairs = lorentz.pairwise_distance(x, x, c=0.7)
    rows = lorentz.distance(x[:, None], x[None], c=0.7)
    torch.testing.assert_close(pairs, rows, rtol=RELATIVE[dtype], atol=0)
    assert (pairs.diagonal() == 0).all()


@pytest.mark.parametrize(
    'shapes', [((5, 3), (4, 3)), ((2, 5, 3), (2, 4, 3)), ((2, 1, 5, 3), (4, 3))]
)
def test_pairwise_takes_leading_dimensions(shapes):
    x = lorentz.exp0(tangents(*shapes[0]), c=1.0).requires_grad_()
    y = lorentz.exp0(tangents(*shapes[1], seed=1), c=1.0).requires_grad_()
    pairs = lorentz.pairwise_distance(x, y, c=1.0)
    rows = lorentz.distance(x.unsqueeze(-2), y.unsqueeze(-3), c=1.0)
    torch.testing.assert_close(pairs, rows, rtol=1e-12, atol=0)
    weight = torch.rand_like(pairs)
    result = torch.autograd.grad((weight * pairs).sum(), (x, y))
    expected = torch.autograd.grad((weight * rows).sum(), (x, y))
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-12)


def test_rank_one_points_and_empty_sets():
    x, y = lorentz.exp0(tangents(2, 3), c=1.0)
    assert lorentz.distance(x, y, c=1.0).shape == ()
    for shape_x, shape_y in (((0, 3), (1, 3)), ((1, 3), (0, 3)), ((0, 2, 3), (2, 3))):
        nothing = torch.zeros(shape_x, dtype=torch.float64, requires_grad=True)
        empty = lorentz.pairwise_distance(nothing, torch.zeros(shape_y).double(), c=1.0)
        assert empty.shape == (*shape_x[:-1], shape_y[-2])
        empty.sum().backward()


def test_blocks_do_not_change_the_result(monkeypatch):
    x = lorentz.exp0(torch.cat([tangents(40, 4, r=9.0), tangents(40, 4, r=9.0)]), c=1.0)

    def both(points):
        points = points.clone().requires_grad_()
        d = lorentz.pairwise_distance(points, points, c=1.0)
        return d, torch.autograd.grad(d.square().sum(), points)[0]

    expected = both(x)
    monkeypatch.setitem(haversine.BLOCK, 'cpu', 200)
    monkeypatch.setitem(haversine.SPARSE_BLOCK, 'cpu', 12)
    torch.testing.assert_close(both(x), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('r', [1.0, 6.0, 12.0])
@pytest.mark.parametrize('pairwise', [False, True])
def test_gradient_agrees_with_mpmath(r, pairwise):
    x, y = radial_pairs(r, torch.float64, dim=6)
    apart = lorentz.distance(x, y, c=1.0) >= 1e-4
    x, y = x[apart].requires_grad_(), y[apart]
    method = rows_of_pairs if pairwise else lambda a, b: lorentz.distance(a, b, c=1.0)
    (result,) = torch.autograd.grad(method(x, y).sum(), x)
    truth = torch.stack([exact_gradient(a, b) for a, b in zip(x, y, strict=True)])
    # Along the ray a step of s is 1/cosh r of distance: compare both parts in their own unit.
    along = x.detach() / x.detach().norm(dim=-1, keepdim=True)
    unit = math.cosh(r)
    error = result - truth
    assert ((error * along).sum(-1).abs() * unit).max() < 1e-9
    assert error.norm(dim=-1).max() < 1e-9


def test_gradcheck_at_awkward_pairs():
    axis = torch.eye(3, dtype=torch.float64)[0]
    pairs = {
        'generic': (tangents(1, 3)[0], tangents(1, 3, seed=1)[0]),
        'radial': (0.5 * axis, 2.0 * axis),
        'antipodal': (1.5 * axis, -1.5 * axis),
        'origin': (0.0 * axis, 1.2 * axis),
    }
    c = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for name, (x, y) in pairs.items():
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        for method in (lorentz.distance, lorentz.squared_lorentzian_distance, lorentz.inner):
            assert torch.autograd.gradcheck(lambda a, b, k, f=method: f(a, b, c=k), (x, y, c)), name
        for method in (lorentz.pairwise_distance, lorentz.pairwise_squared_lorentzian_distance):
            assert torch.autograd.gradcheck(
                lambda a, b, k, f=method: f(a[None], b[None], c=k), (x, y, c)
            ), name


def test_gradcheck_of_the_smooth_form_at_coincident_points():
    x = tangents(2, 3).requires_grad_()
    y = x.detach().clone().requires_grad_()
    for method in (
        lorentz.squared_lorentzian_distance,
        lorentz.pairwise_squared_lorentzian_distance,
    ):
        assert torch.autograd.gradcheck(lambda a, b, f=method: f(a, b, c=1.3), (x, y), atol=1e-7)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('scale', [0.0, 1e-30, 1e-8, 1.0, 1e4, 1e8])
def test_gradients_are_finite_everywhere(dtype, scale):
    axis = torch.eye(4, dtype=dtype)[0]
    base = scale * axis
    eps = torch.finfo(dtype).eps
    others = torch.stack([base, base * (1 + eps), -base, 0 * base, torch.nextafter(base, axis)])
    x = base.expand_as(others).clone().requires_grad_()
    y = others.clone().requires_grad_()
    for result in (
        lorentz.distance(x, y, c=1.0),
        lorentz.pairwise_distance(x, y, c=1.0),
        lorentz.pairwise_squared_lorentzian_distance(x, y, c=1.0),
    ):
        assert result.isfinite().all()
        grads = torch.autograd.grad(result.sum(), (x, y))
        assert all(grad.isfinite().all() for grad in grads)


def test_gradient_at_coincident_points_is_zero():
    x = lorentz.exp0(tangents(3, 4, r=5.0), c=1.0).requires_grad_()
    (row,) = torch.autograd.grad(lorentz.distance(x, x.detach(), c=1.0).sum(), x)
    assert (row == 0).all()
    same = x[:1].detach().expand(6, 4).clone().requires_grad_()
    (pair,) = torch.autograd.grad(lorentz.pairwise_distance(same, same, c=1.0).sum(), same)
    assert (pair == 0).all()


def test_gradient_reaches_a_learned_curvature():
    c = torch.tensor(0.5, requires_grad=True)
    x, y = tangents(4, 3).float(), tangents(4, 3, seed=1).float()
    lorentz.pairwise_distance(x, y, c=c).sum().backward()
    step = 1e-3
    higher = lorentz.pairwise_distance(x.double(), y.double(), c=0.5 + step).sum()
    lower = lorentz.pairwise_distance(x.double(), y.double(), c=0.5 - step).sum()
    assert c.grad.item() == pytest.approx(((higher - lower) / (2 * step)).item(), rel=1e-4)


def test_a_collapsed_table_is_not_computed_twice(monkeypatch):
    monkeypatch.setattr(haversine, 'split_haversine', None)
    origin = torch.zeros(5, 3, requires_grad=True)
    d = lorentz.pairwise_distance(origin, origin, c=1.0)
    d.sum().backward()
    assert not d.any()
    assert not origin.grad.any()


def test_half_precision_and_autocast():
    x, y = tangents(6, 4).float(), tangents(6, 4, seed=1).float()
    expected = lorentz.pairwise_distance(x, y, c=1.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(lorentz.pairwise_distance(x, y, c=1.0), expected)
        assert torch.equal(lorentz.distance(x, y, c=1.0), lorentz.distance(x, y, c=1.0).float())
    half = lorentz.distance(x.bfloat16(), y.bfloat16(), c=1.0)
    assert half.dtype == torch.float32
    torch.testing.assert_close(
        half, lorentz.distance(x.bfloat16().float(), y.bfloat16().float(), c=1.0)
    )


@settings(deadline=None, max_examples=60)
@given(tangent_sets(4), st.sampled_from(CURVATURES))
def test_metric_axioms_and_isometry(v, c):
    v = v / math.sqrt(c)
    x = lorentz.exp0(v[:3], c=c)
    d = lorentz.pairwise_distance(x, x, c=c)
    assert (d >= 0).all()
    torch.testing.assert_close(d, d.mT, rtol=1e-9, atol=1e-12)
    triangle = d[0, 1] + d[1, 2] - d[0, 2]
    assert triangle >= -1e-9 * (1 + d.max())
    moved = models.boost(x, v[3] / 4, c=c)
    # Rounding moves a point at radius r by about ε·cosh r.
    reach = lorentz.radius(torch.cat([x, moved]), c=c).max() * math.sqrt(c)
    tolerance = 1e-15 * math.exp(2 * float(reach)) ** 0.5 * 100 + 1e-12
    error = lorentz.pairwise_distance(moved, moved, c=c) - d
    assert error.abs().max() < tolerance


def test_distance_reports_bad_input():
    x = tangents(2, 3)
    for bad in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ConfigError, match='positive'):
            lorentz.distance(x, x, c=bad)
    with pytest.raises(ConfigError, match='one number'):
        lorentz.distance(x, x, c=torch.ones(2))
    with pytest.raises(ConfigError, match='floating-point'):
        lorentz.distance(x.long(), x, c=1.0)
    with pytest.raises(ConfigError, match='floating-point'):
        lorentz.distance(x, y=x.long(), c=1.0)
    for distance in (lorentz.distance, lorentz.squared_lorentzian_distance):
        with pytest.raises(ConfigError, match='of 3 and of 1 dimensions'):
            distance(x, x[:, :1], c=1.0)
        with pytest.raises(ConfigError, match='not a number'):
            distance(x, x[0, 0], c=1.0)
    for pairs in (lorentz.pairwise_distance, lorentz.pairwise_squared_lorentzian_distance):
        with pytest.raises(ConfigError, match=r'\(\.\.\., n, d\).*\(2, 3\) and \(3,\)'):
            pairs(x, x[0], c=1.0)
    broken = x.clone()
    broken[0, 0] = math.nan
    d = lorentz.pairwise_distance(broken, x, c=1.0)
    assert d[0].isnan().all()
    assert d[1].isfinite().all()


def test_distances_say_that_they_are_once_differentiable():
    x = tangents(2, 3).requires_grad_()
    y = tangents(2, 3, seed=1)
    (grad,) = torch.autograd.grad(lorentz.distance(x, y, c=1.0).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        grad.sum().backward()
