import geoopt
import pytest
import torch

from naics_embed.errors import ConfigError
from naics_embed.geometry import geoopt_bridge, lorentz, validity
from tests.geometry.reference import CURVATURES, tangents


@pytest.mark.parametrize('c', CURVATURES)
def test_points_and_curvature_cross_the_border(c):
    space = geoopt_bridge.manifold(c, dtype=torch.float64)
    assert float(geoopt_bridge.curvature(space)) == pytest.approx(c)
    s = lorentz.exp0(tangents(6, 4) / c**0.5, c=c)
    x = geoopt_bridge.to_geoopt(s, c=c)
    assert space.check_point_on_manifold(x, atol=1e-6, rtol=1e-6)
    assert torch.equal(geoopt_bridge.from_geoopt(x), s)
    theirs = space.dist(x[:3], x[3:])
    torch.testing.assert_close(theirs, lorentz.distance(s[:3], s[3:], c=c), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('optimiser', ['adam', 'sgd'])
def test_riemannian_optimisers_move_points_by_our_distance(optimiser):
    goal = lorentz.exp0(tangents(5, 3, seed=1), c=2.0)
    point = geoopt_bridge.manifold_parameter(lorentz.exp0(tangents(5, 3), c=2.0), c=2.0)
    make = {'adam': geoopt.optim.RiemannianAdam, 'sgd': geoopt.optim.RiemannianSGD}[optimiser]
    steps = make([point], lr=0.1)

    def loss():
        s = geoopt_bridge.from_geoopt(point)
        return lorentz.squared_lorentzian_distance(s, goal, c=2.0).sum()

    before = loss().item()
    for _ in range(60):
        steps.zero_grad()
        loss().backward()
        steps.step()
    assert loss().item() < 0.05 * before
    report = validity.validity(geoopt_bridge.from_geoopt(point), c=2.0, time=point.detach()[..., 0])
    assert report['residual'] < 1e-6


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_riemannian_adam_stays_finite_far_out(dtype):
    away = torch.nn.functional.normalize(tangents(6, 4), dim=1) * 10
    goal = lorentz.exp0(away.flip(0), c=1.0)
    point = geoopt_bridge.manifold_parameter(lorentz.exp0(away, c=1.0).to(dtype), c=1.0)
    steps = geoopt.optim.RiemannianAdam([point], lr=0.1)
    before = lorentz.distance(geoopt_bridge.from_geoopt(point), goal, c=1.0).mean().item()
    for _ in range(40):
        steps.zero_grad()
        lorentz.distance(geoopt_bridge.from_geoopt(point), goal, c=1.0).sum().backward()
        steps.step()
    after = lorentz.distance(geoopt_bridge.from_geoopt(point), goal, c=1.0).mean().item()
    assert after < before - 1


def test_curvature_gradient_reaches_a_learnable_k():
    space = geoopt.Lorentz(k=2.0, learnable=True)
    x, y = tangents(2, 4, 3)
    lorentz.distance(x, y, c=geoopt_bridge.curvature(space)).sum().backward()
    assert space.k.grad is not None
    assert space.k.grad.abs() > 0


def test_bad_curvature_is_refused():
    with pytest.raises(ConfigError, match='positive'):
        geoopt_bridge.manifold(-1.0, dtype=torch.float64)
