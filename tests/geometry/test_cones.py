import math

import mpmath
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from naics_embed.errors import ConfigError
from naics_embed.geometry import cones, lorentz
from tests.geometry.reference import CURVATURES, DIGITS, exact, tangent_sets, tangents


def exact_angle(apex, point):
    """MERU's formula at c = 1, to 60 digits."""
    with mpmath.workdps(DIGITS):
        a, p = exact(apex), exact(point)
        time_a = mpmath.sqrt(1 + mpmath.fdot(a, a))
        time_p = mpmath.sqrt(1 + mpmath.fdot(p, p))
        product = mpmath.fdot(a, p) - time_a * time_p
        below = mpmath.sqrt(mpmath.fdot(a, a)) * mpmath.sqrt(product**2 - 1)
        cosine = (time_p + time_a * product) / below
        return float(mpmath.acos(max(-1, min(1, cosine))))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('r', [0.5, 3.0, 8.0])
def test_exterior_angle_agrees_with_mpmath(dtype, r):
    v = tangents(8, 5, seed=4)
    apex = lorentz.exp0(r * v / v.norm(dim=-1, keepdim=True), c=1.0).to(dtype)
    nudge = torch.tensor([1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    step = nudge[:, None] * tangents(8, 5, r=1.0, seed=5)
    point = lorentz.exp(apex.double(), step, c=1.0).to(dtype)
    truth = [exact_angle(a, b) for a, b in zip(apex, point, strict=True)]
    result = cones.exterior_angle(apex, point, c=1.0)
    assert result.dtype == dtype
    torch.testing.assert_close(
        result,
        torch.tensor(truth, dtype=dtype),
        rtol=3e-7 if dtype == torch.float32 else 1e-9,
        atol=1e-12,
    )


def test_angle_ahead_behind_and_undefined():
    axis = torch.eye(3, dtype=torch.float64)[1]
    apex, out, inner, origin = 2.0 * axis, 5.0 * axis, 0.5 * axis, 0.0 * axis
    assert cones.exterior_angle(apex, out, c=1.0) == 0
    assert cones.exterior_angle(apex, inner, c=1.0) == math.pi
    assert cones.exterior_angle(apex, origin, c=1.0) == math.pi
    assert cones.exterior_angle(apex, -out, c=1.0) == math.pi
    assert cones.exterior_angle(origin, out, c=1.0) == 0
    assert cones.exterior_angle(apex, apex, c=1.0) == 0


@settings(deadline=None, max_examples=60)
@given(tangent_sets(2, r_max=5.0), st.sampled_from(CURVATURES))
def test_cones_narrow_and_points_come_closer_along_a_geodesic(v, c):
    """Along a geodesic the angle to the ray falls: sinh r·sin ψ is constant (Clairaut)."""
    p, q = lorentz.exp0(v / math.sqrt(c), c=c)
    assume(lorentz.distance(p, q, c=c) > 0.1)
    fractions = torch.linspace(0, 1, 6, dtype=torch.float64)
    path = lorentz.geodesic(p, lorentz.geodesic(p, q, 2.0, c=c), fractions, c=c)
    ahead = cones.exterior_angle(path[:-1], path[1:], c=c)
    sinh_r = math.sqrt(c) * path[:-1].norm(dim=-1)
    # Near the origin the ray turns with every rounding.
    assume(sinh_r.min() > 0.05)
    moment = sinh_r * ahead.sin()
    torch.testing.assert_close(moment, moment[:1].expand(5), rtol=1e-6, atol=1e-6)
    assert (ahead.diff() < 1e-7).all()
    outward = lorentz.exp0(torch.stack([k * v[0] for k in (0.5, 1.0, 2.0, 3.0)]), c=c)
    apertures = cones.half_aperture(outward, c=c, k=0.1)
    assert (apertures.diff() <= 0).all()


@pytest.mark.parametrize('c', CURVATURES)
def test_half_aperture(c):
    r = torch.tensor([1e-3, 0.05, 0.3, 1.0, 4.0], dtype=torch.float64)
    s = r.sinh()[:, None] / math.sqrt(c) * torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    result = cones.half_aperture(s, c=c, k=0.1)
    torch.testing.assert_close(result, (0.2 / r.sinh()).clamp(max=1).asin())
    # Ganea's form in the Poincaré ball: asin(K(1 − |x|²)/|x|).
    ball = (r / 2).tanh()
    ganea = (0.1 * (1 - ball.square()) / ball).clamp(max=1).asin()
    torch.testing.assert_close(result, ganea)
    with pytest.raises(ConfigError, match='k must be positive'):
        cones.half_aperture(s, c=c, k=0.0)


def test_score_is_positive_inside_and_cones_nest():
    v = tangents(200, 3, r=3.0, seed=8)
    s = lorentz.exp0(v, c=1.0)
    score = cones.entailment_score(s[:, None], s[None], c=1.0, k=0.3)
    inside = (score >= 0) & ~torch.eye(200, dtype=torch.bool)
    inside &= (s.norm(dim=-1) > 0.6)[:, None]
    angle = cones.exterior_angle(s[:, None], s[None], c=1.0)
    aperture = cones.half_aperture(s, c=1.0, k=0.3)[:, None]
    assert torch.equal(score >= 0, angle <= aperture)
    assert inside.sum() > 20
    # y in the cone of x and z in the cone of y: z in the cone of x (Ganea et al., section 4).
    chained = inside.double() @ inside.double() > 0
    assert chained.sum() > 5
    assert inside[chained].all()


def test_gradients_of_cones_are_right_and_finite():
    apex = lorentz.exp0(tangents(3, 4, seed=1), c=0.7).requires_grad_()
    point = lorentz.exp0(tangents(3, 4, seed=2), c=0.7).requires_grad_()
    c = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a, p, k: cones.entailment_score(a, p, c=k, k=0.1), (apex, point, c)
    )
    axis = torch.eye(4, dtype=torch.float32)[0]
    special = torch.stack([0 * axis, 0 * axis, axis, axis, axis, axis, 0.2 * axis])
    other = torch.stack([0 * axis, axis, axis, 2 * axis, -axis, 0 * axis, axis])
    special, other = special.requires_grad_(), other.requires_grad_()
    score = cones.entailment_score(special, other, c=1.0, k=0.1)
    assert score.isfinite().all()
    for grad in torch.autograd.grad(score.sum(), (special, other)):
        assert grad.isfinite().all()
