import math

import geoopt
import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.errors import ConfigError
from naics_embed.geometry import lorentz, models, precision, smooth, validity
from tests.geometry.reference import CURVATURES, DIGITS, exact, tangent_sets, tangents


def lorentz_product(p, v, w, *, c):
    """⟨v, w⟩ of tangent vectors at p, given by space parts."""
    time = lorentz.time_component(p, c=c)
    return (v * w).sum(-1) - (p * v).sum(-1) * (p * w).sum(-1) / time.square()


@pytest.mark.parametrize(
    'function, truth',
    [
        (smooth.sinhc_root, lambda x: mpmath.sinh(x) / x),
        (smooth.asinhc_root, lambda x: mpmath.asinh(x) / x),
        (smooth.tanhc_root, lambda x: mpmath.tanh(x) / x),
        (smooth.cosh_root, mpmath.cosh),
        (smooth.coshm1c_root, lambda x: (mpmath.cosh(x) - 1) / x**2),
    ],
)
def test_series_and_closed_form_meet(function, truth):
    q = torch.tensor([1e-12, 1e-6, 9.9e-5, 1.01e-4, 1e-3, 0.1, 4.0, 100.0], dtype=torch.float64)
    with mpmath.workdps(DIGITS):
        expected = [float(truth(mpmath.sqrt(value))) for value in exact(q)]
    torch.testing.assert_close(
        function(q), torch.tensor(expected, dtype=torch.float64), rtol=3e-15, atol=0
    )
    assert torch.autograd.gradcheck(function, (q[2:6].clone().requires_grad_(),))
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(zero), zero)
    assert slope.isfinite()
    assert slope != 0


@pytest.mark.parametrize('shape', [(5,), (4, 5), (2, 3, 5)])
@pytest.mark.parametrize('c', CURVATURES)
def test_round_trip_at_the_origin(shape, c):
    v = tangents(*shape, r=8.0 / math.sqrt(c))
    s = lorentz.exp0(v, c=c)
    torch.testing.assert_close(lorentz.log0(s, c=c), v, rtol=1e-13, atol=0)
    torch.testing.assert_close(lorentz.radius(s, c=c), v.norm(dim=-1), rtol=1e-13, atol=0)
    origin = torch.zeros_like(s)
    torch.testing.assert_close(lorentz.distance(s, origin, c=c), v.norm(dim=-1))
    torch.testing.assert_close(lorentz.exp(origin, v, c=c), s, rtol=1e-13, atol=0)
    torch.testing.assert_close(lorentz.log(origin, s, c=c), v, rtol=1e-12, atol=0)
    narrow = lorentz.log0(lorentz.exp0(v.float(), c=c), c=c)
    torch.testing.assert_close(narrow, v.float(), rtol=3e-6, atol=0)


@pytest.mark.parametrize('scale', [0.0, 1e-30, 1e-20, 1e-9, 1e-4])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_maps_of_tiny_vectors(scale, dtype):
    v = (scale * torch.ones(3, dtype=dtype)).requires_grad_()
    for function in (lorentz.exp0, lorentz.log0):
        out = function(v, c=1.0)
        torch.testing.assert_close(out, v, rtol=1e-6, atol=0)
        jacobian = torch.autograd.functional.jacobian(lambda u, f=function: f(u, c=1.0), v)
        torch.testing.assert_close(jacobian, torch.eye(3, dtype=dtype), rtol=1e-6, atol=1e-6)
    (grad,) = torch.autograd.grad(lorentz.radius(v, c=1.0), v)
    assert grad.isfinite().all()


@settings(deadline=None, max_examples=60)
@given(tangent_sets(2, r_max=8.0), st.sampled_from(CURVATURES))
def test_round_trip_at_a_point(v, c):
    p, q = lorentz.exp0(v / math.sqrt(c), c=c)
    step = lorentz.log(p, q, c=c)
    again = lorentz.exp(p, step, c=c)
    d = lorentz.distance(p, q, c=c)
    size = lorentz_product(p, step, step, c=c).clamp(min=0).sqrt()
    torch.testing.assert_close(size, d, rtol=1e-6, atol=1e-6)
    # p itself is only known to ε·cosh r, and the step magnifies that by e^d.
    reach = float((lorentz.radius(p, c=c) + d) * math.sqrt(c))
    assert lorentz.distance(again, q, c=c) * math.sqrt(c) < 1e-14 * math.exp(reach) + 1e-9


def test_inward_steps_keep_their_digits():
    """From radius 8 inwards and through the origin; the plain form is off by 1e-10 and more."""
    axis = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    p = lorentz.exp0(8.0 * axis, c=1.0)
    time = lorentz.time_component(p, c=1.0)
    for length in (7.0, 8.0, 9.0):
        end = lorentz.exp(p, -length * time * axis, c=1.0)
        torch.testing.assert_close(
            end, lorentz.exp0((8.0 - length) * axis, c=1.0), rtol=1e-12, atol=1e-13
        )


@pytest.mark.parametrize('c', CURVATURES)
def test_transport_is_an_isometry_and_carries_the_velocity(c):
    p, q = lorentz.exp0(tangents(2, 9, 4) / math.sqrt(c), c=c)
    v, w = tangents(2, 9, 4, seed=3)
    moved_v, moved_w = (lorentz.parallel_transport(p, q, u, c=c) for u in (v, w))
    torch.testing.assert_close(
        lorentz_product(q, moved_v, moved_w, c=c), lorentz_product(p, v, w, c=c)
    )
    there = lorentz.log(p, q, c=c)
    torch.testing.assert_close(
        lorentz.parallel_transport(p, q, there, c=c), -lorentz.log(q, p, c=c)
    )
    back = lorentz.parallel_transport(q, p, moved_v, c=c)
    torch.testing.assert_close(back, v)
    torch.testing.assert_close(lorentz.parallel_transport(p, p, v, c=c), v)


@settings(deadline=None, max_examples=40)
@given(tangent_sets(2, r_max=8.0), st.sampled_from(CURVATURES), st.floats(0, 1))
def test_geodesic_divides_the_distance(v, c, t):
    p, q = lorentz.exp0(v / math.sqrt(c), c=c)
    d = lorentz.distance(p, q, c=c)
    between = lorentz.geodesic(p, q, t, c=c)
    tolerance = {'rtol': 1e-9, 'atol': 1e-10}
    torch.testing.assert_close(lorentz.distance(p, between, c=c), t * d, **tolerance)
    torch.testing.assert_close(lorentz.distance(between, q, c=c), (1 - t) * d, **tolerance)


def test_geodesic_ends_shares_and_tensor_of_shares():
    p, q = lorentz.exp0(tangents(2, 5, 3), c=1.0)
    torch.testing.assert_close(lorentz.geodesic(p, q, 0.0, c=1.0), p, rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(lorentz.geodesic(p, q, 1.0, c=1.0), q, rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(lorentz.geodesic(p, p, 0.3, c=1.0), p)
    fractions = torch.linspace(0, 1, 5, dtype=torch.float64)
    each = torch.stack([lorentz.geodesic(p[i], q[i], float(fractions[i]), c=1.0) for i in range(5)])
    torch.testing.assert_close(lorentz.geodesic(p, q, fractions, c=1.0), each)
    further = lorentz.geodesic(p, q, 2.0, c=1.0)
    torch.testing.assert_close(further, lorentz.exp(p, 2 * lorentz.log(p, q, c=1.0), c=1.0))


@pytest.mark.parametrize('c', CURVATURES)
def test_centroid_is_the_einstein_midpoint_and_the_minimum(c):
    x = lorentz.exp0(tangents(3, 7, 4), c=c)
    weights = torch.rand(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mean = lorentz.centroid(x, weights, c=c)
    klein = models.to_klein(x, c=c)
    gamma = (weights * (1 - c * klein.square().sum(-1)).rsqrt()).unsqueeze(-1)
    midpoint = (gamma * klein).sum(-2) / gamma.sum(-2)
    torch.testing.assert_close(models.to_klein(mean, c=c), midpoint)

    def loss(at):
        far = lorentz.squared_lorentzian_distance(at.unsqueeze(-2), x, c=c)
        return (weights * far).sum()

    at = mean.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(at), at)
    assert slope.abs().max() < 1e-11 * loss(mean)
    torch.testing.assert_close(lorentz.centroid(x, 5 * weights, c=c), mean)
    same = lorentz.centroid(x, c=c)
    torch.testing.assert_close(same, lorentz.centroid(x, torch.ones(3, 7).double(), c=c))


def test_centroid_of_a_far_cluster_agrees_with_mpmath():
    v = tangents(1, 5).expand(6, 5) + 1e-4 * tangents(6, 5, seed=2)
    v = 12.0 * v / v.norm(dim=-1, keepdim=True)
    x = lorentz.exp0(v, c=1.0)
    with mpmath.workdps(DIGITS):
        rows = [exact(row) for row in x]
        total = [mpmath.fsum(column) for column in zip(*rows, strict=True)]
        time = mpmath.fsum(mpmath.sqrt(1 + mpmath.fdot(row, row)) for row in rows)
        norm = mpmath.sqrt(time**2 - mpmath.fdot(total, total))
        truth = torch.tensor([float(value / norm) for value in total], dtype=torch.float64)
    torch.testing.assert_close(lorentz.centroid(x, c=1.0), truth, rtol=1e-11, atol=0)


def test_centroid_without_weight_or_around_the_origin():
    x = lorentz.exp0(tangents(2, 4, 3), c=1.0)
    weights = torch.tensor([[1.0, 2.0, 0.0, 1.0], [0.0] * 4]).double().requires_grad_()
    mean = lorentz.centroid(x, weights, c=1.0)
    assert (mean[1] == 0).all()
    (grad,) = torch.autograd.grad(mean.sum(), weights)
    assert grad.isfinite().all()
    pair = torch.stack([x[0, 0], -x[0, 0]]).requires_grad_()
    middle = lorentz.centroid(pair, c=1.0)
    assert middle.abs().max() < 1e-15
    assert torch.autograd.gradcheck(lambda p: lorentz.centroid(p, c=1.0), (pair,))


def test_gradcheck_of_every_map():
    p, q = (x.clone().requires_grad_() for x in lorentz.exp0(tangents(2, 2, 3), c=0.8))
    v = tangents(2, 3, seed=5).requires_grad_()
    origin = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    c = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    cases = [
        (lambda a, k: lorentz.time_component(a, c=k), (p, c)),
        (lambda a, k: lorentz.radius(a, c=k), (p, c)),
        (lambda a, k: lorentz.exp0(a, c=k), (v, c)),
        (lambda a, k: lorentz.exp0(a, c=k), (origin, c)),
        (lambda a, k: lorentz.log0(a, c=k), (p, c)),
        (lambda a, k: lorentz.log0(a, c=k), (origin, c)),
        (lambda a, b, k: lorentz.exp(a, b, c=k), (p, v, c)),
        (lambda a, b, k: lorentz.exp(a, b, c=k), (origin, v, c)),
        (lambda a, b, k: lorentz.exp(a, b, c=k), (p, origin, c)),
        (lambda a, b, k: lorentz.log(a, b, c=k), (p, q, c)),
        (lambda a, b, k: lorentz.log(a, b, c=k), (origin, q, c)),
        (lambda a, b, k: lorentz.log(a, b, c=k), (p, p.detach().clone().requires_grad_(), c)),
        (lambda a, b, w, k: lorentz.parallel_transport(a, b, w, c=k), (p, q, v, c)),
        (lambda a, b, k: lorentz.geodesic(a, b, 0.3, c=k), (p, q, c)),
        (lambda a, b, k: lorentz.geodesic(a, b, 0.3, c=k), (p, p.detach().clone(), c)),
        (lambda a, k: lorentz.centroid(a, c=k), (p, c)),
        (lambda a: lorentz.bound_radius(a, r_max=2.0), (v,)),
        (lambda a: lorentz.bound_radius(a, r_max=2.0), (origin,)),
        (lambda a, k: models.to_poincare(a, c=k), (p, c)),
        (lambda a, k: models.from_poincare(a, c=k), (0.1 * v.detach().requires_grad_(), c)),
        (lambda a, k: models.to_klein(a, c=k), (p, c)),
        (lambda a, k: models.from_klein(a, c=k), (0.1 * v.detach().requires_grad_(), c)),
        (lambda a, w, k: models.boost(a, w, c=k), (p, v, c)),
        (lambda a, w, k: models.boost(a, w, c=k), (origin, origin, c)),
    ]
    for number, (function, inputs) in enumerate(cases):
        assert torch.autograd.gradcheck(function, inputs, atol=1e-6), number


def test_project_restores_a_nudged_point():
    s = lorentz.exp0(tangents(4, 3), c=2.0)
    ambient = lorentz.to_ambient(s, c=2.0)
    nudged = ambient + 0.01
    again = lorentz.project(nudged, c=2.0)
    assert torch.equal(again[..., 1:], nudged[..., 1:])
    product = again[..., 1:].square().sum(-1) - again[..., 0].square()
    torch.testing.assert_close(product, torch.full((4,), -0.5, dtype=torch.float64))
    torch.testing.assert_close(lorentz.project(again, c=2.0), again)


def test_bound_radius_is_smooth_and_never_reached():
    v = tangents(50, 4, r=30.0)
    bounded = lorentz.bound_radius(v, r_max=8.0)
    norm = v.norm(dim=-1)
    torch.testing.assert_close(bounded.norm(dim=-1), 8 * (norm / 8).tanh())
    torch.testing.assert_close(bounded / bounded.norm(dim=-1, keepdim=True), v / norm[:, None])
    order = norm.argsort()
    assert (bounded.norm(dim=-1)[order].diff() > 0).all()
    small = 1e-3 * v
    torch.testing.assert_close(lorentz.bound_radius(small, r_max=8.0), small, rtol=1e-4, atol=0)
    for c in CURVATURES:
        radius = lorentz.radius(lorentz.exp0(bounded, c=c), c=c)
        torch.testing.assert_close(radius, bounded.norm(dim=-1))
    with pytest.raises(ConfigError, match='r_max'):
        lorentz.bound_radius(v, r_max=0.0)


@pytest.mark.parametrize('c', CURVATURES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_validity_of_good_points(c, dtype):
    v = torch.linspace(0.1, 5.0, 101, dtype=dtype)[:, None] * torch.tensor([[0.6, 0.8]]).to(dtype)
    report = validity.validity(lorentz.exp0(v, c=c), c=c, r_max=4.0)
    assert report['non_finite'] == 0
    assert report['residual'] < 4 * torch.finfo(dtype).eps
    assert report['radius_min'] == pytest.approx(0.1, rel=1e-4)
    assert report['radius_median'] == pytest.approx(2.55, rel=1e-4)
    assert report['radius_max'] == pytest.approx(5.0, rel=1e-4)
    assert report['fraction_at_bound'] == pytest.approx(
        (v.norm(dim=-1) > 3.8).double().mean().item()
    )


def test_validity_finds_faults():
    s = lorentz.exp0(tangents(5, 3), c=1.0)
    s[1, 0] = math.nan
    s[2, 0] = math.inf
    report = validity.validity(s, c=torch.tensor(1.0))
    assert report['non_finite'] == 2
    assert math.isfinite(report['radius_max'])
    assert 'fraction_at_bound' not in report
    good = s[3:]
    time = lorentz.time_component(good, c=1.0)
    assert validity.validity(good, c=1.0, time=time)['residual'] < 1e-15
    assert validity.validity(good, c=1.0, time=1.01 * time)['residual'] == pytest.approx(
        1 - 1.01**-2
    )
    nothing = validity.validity(s[1:3], c=1.0, r_max=3.0)
    assert nothing['non_finite'] == 2
    assert math.isnan(nothing['radius_median'])
    assert math.isnan(nothing['fraction_at_bound'])


@settings(deadline=None, max_examples=40)
@given(tangent_sets(2, r_max=6.0), st.sampled_from(CURVATURES))
def test_charts_round_trip_and_keep_distances(v, c):
    s = lorentz.exp0(v / math.sqrt(c), c=c)
    ball = models.to_poincare(s, c=c)
    assert (ball.norm(dim=-1) < 1 / math.sqrt(c)).all()
    torch.testing.assert_close(models.from_poincare(ball, c=c), s, rtol=1e-8, atol=1e-12)
    klein = models.to_klein(s, c=c)
    torch.testing.assert_close(models.from_klein(klein, c=c), s, rtol=1e-5, atol=1e-12)
    x, y = ball
    gap = (1 - c * x @ x) * (1 - c * y @ y)
    d = (1 + 2 * c * (x - y) @ (x - y) / gap).clamp(min=1).acosh() / math.sqrt(c)
    torch.testing.assert_close(lorentz.distance(s[0], s[1], c=c), d, rtol=1e-6, atol=1e-6)


def test_charts_say_nan_outside_and_klein_geodesics_are_straight():
    outside = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.0]])
    for back in (models.from_poincare, models.from_klein):
        result = back(outside, c=1.0)
        assert result[:2].isnan().any(-1).all()
        assert result[2].isfinite().all()
    p, q = lorentz.exp0(tangents(2, 3), c=1.0)
    ends = models.to_klein(torch.stack([p, q]), c=1.0)
    middle = models.to_klein(lorentz.geodesic(p, q, 0.4, c=1.0), c=1.0)
    a, b = middle - ends[0], ends[1] - ends[0]
    assert (a @ b / a.norm() / b.norm()).item() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize('c', CURVATURES)
def test_boost_moves_the_origin_and_has_an_inverse(c):
    s, w = lorentz.exp0(tangents(6, 4), c=c), tangents(6, 4, seed=2)
    origin = torch.zeros(6, 4, dtype=torch.float64)
    torch.testing.assert_close(models.boost(origin, w, c=c), lorentz.exp0(w, c=c))
    torch.testing.assert_close(models.boost(models.boost(s, w, c=c), -w, c=c), s)
    assert torch.equal(models.boost(s, origin, c=c), s)
    one = models.boost(s, w[0], c=c)
    assert one.shape == s.shape
    before = lorentz.pairwise_distance(s, s, c=c)
    torch.testing.assert_close(lorentz.pairwise_distance(one, one, c=c), before)


def test_results_keep_the_type_of_the_input():
    p, q = lorentz.exp0(tangents(2, 3, 4), c=1.0).float()
    c = torch.tensor(1.0, dtype=torch.float64)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        results = [
            lorentz.exp0(p, c=c),
            lorentz.log0(p, c=c),
            lorentz.exp(p, q, c=c),
            lorentz.log(p, q, c=c),
            lorentz.parallel_transport(p, q, p, c=c),
            lorentz.geodesic(p, q, 0.5, c=c),
            lorentz.centroid(p, c=c),
            lorentz.radius(p, c=c),
            lorentz.inner(p, q, c=c),
            models.to_poincare(p, c=c),
            models.boost(p, q, c=c),
        ]
    assert {result.dtype for result in results} == {torch.float32}
    for half in (lorentz.exp0(p.half(), c=1.0), lorentz.exp0(v=p.half(), c=1.0)):
        assert half.dtype == torch.float32


@pytest.mark.parametrize(('dtype', 'reach'), [(torch.float32, 40.0), (torch.float64, 300.0)])
def test_gradients_are_finite_while_values_are(dtype, reach):
    s = torch.zeros(3, dtype=dtype)
    s[0] = math.sinh(reach)
    s.requires_grad_()
    back = lorentz.log0(s, c=1.0)
    back[0].backward()
    assert back[0].item() == pytest.approx(reach, rel=1e-6)
    assert s.grad[0].item() == pytest.approx(1 / math.cosh(reach), rel=1e-4)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_bound_radius_holds_at_any_length(dtype):
    for length in (1e3, 1e10, 1e25, math.sqrt(torch.finfo(dtype).max) * 1e3):
        v = torch.tensor([3.0, 4.0, 0.0], dtype=dtype) * length
        v.requires_grad_()
        bounded = lorentz.bound_radius(v, r_max=8.0)
        torch.testing.assert_close(bounded, torch.tensor([4.8, 6.4, 0.0], dtype=dtype))
        (slope,) = torch.autograd.grad(bounded[2], v)
        assert slope.isfinite().all()
        assert slope[2].item() == pytest.approx(8 / (5 * length), rel=1e-4, abs=0)


def test_autocast_is_off_inside():
    x, y = tangents(2, 8, 8).float()
    product = precision.guarded(torch.matmul)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.matmul(x, y).dtype == torch.bfloat16
        result = product(x, y)
        by_name = product(input=x, other=y)
    assert torch.equal(result, torch.matmul(x, y))
    assert torch.equal(result, by_name)


def test_geoopt_agrees_where_it_is_right():
    space = geoopt.Lorentz(k=1.0)
    p, q = lorentz.exp0(tangents(2, 6, 4), c=1.0)
    v = tangents(6, 4, seed=7)
    ambient_p, ambient_q = lorentz.to_ambient(p, c=1.0), lorentz.to_ambient(q, c=1.0)
    tangent = torch.cat([((p * v).sum(-1) / ambient_p[:, 0])[:, None], v], dim=-1)
    tolerance = {'rtol': 1e-6, 'atol': 1e-6}
    pairs = [
        (space.dist(ambient_p, ambient_q), lorentz.distance(p, q, c=1.0)),
        (space.inner(ambient_p, ambient_p, ambient_q), lorentz.inner(p, q, c=1.0)),
        (space.expmap(ambient_p, tangent)[:, 1:], lorentz.exp(p, v, c=1.0)),
        (space.logmap(ambient_p, ambient_q)[:, 1:], lorentz.log(p, q, c=1.0)),
        (
            space.transp(ambient_p, ambient_q, tangent)[:, 1:],
            lorentz.parallel_transport(p, q, v, c=1.0),
        ),
        (space.projx(ambient_p + 0.1), lorentz.project(ambient_p + 0.1, c=1.0)),
    ]
    for theirs, ours in pairs:
        torch.testing.assert_close(theirs, ours, **tolerance)
