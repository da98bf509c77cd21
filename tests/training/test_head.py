import pytest
import torch
from sklearn.linear_model import Ridge

from naics_embed.geometry.lorentz import log0, radius
from naics_embed.text.head import LorentzHead, unbound_radius

WIDTH, DIM = 12, 4


def unit_rows(count: int, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


def head(r_max: float = 9.0, c: float = 1.0) -> LorentzHead:
    torch.manual_seed(0)
    return LorentzHead(WIDTH, DIM, c=c, r_max=r_max)


@pytest.mark.parametrize('c', [0.5, 1.0, 2.0])
def test_a_linear_map_is_recovered(c):
    # Targets that some head with a linear map would give, radius bound included.
    teacher = head(c=c)
    with torch.no_grad():
        teacher.linear.weight.mul_(4)
        teacher.linear.bias.copy_(torch.tensor([0.5, -0.5, 1.0, 0.0]))
    embeddings = unit_rows(400)
    targets = teacher.tangent(embeddings).detach().double()
    student = head(c=c)
    student.fit_linear(embeddings, targets, ridge=1e-9)
    torch.testing.assert_close(student.linear.weight, teacher.linear.weight, atol=2e-3, rtol=1e-3)
    new = unit_rows(50, seed=1)
    torch.testing.assert_close(student(new), teacher(new), atol=1e-2, rtol=1e-3)


def test_the_linear_map_is_the_ridge_regression_of_scikit_learn():
    module, ridge = head(), 0.1
    embeddings = unit_rows(40)
    targets = 4 * unit_rows(40, seed=3)[:, :DIM].double()
    module.fit_linear(embeddings, targets, ridge)
    features = (embeddings.double() * module.scale).numpy()
    alpha = ridge * ((features - features.mean(0)) ** 2).sum(0).mean()
    reference = Ridge(alpha=alpha).fit(features, unbound_radius(targets, r_max=9.0).numpy())
    for own, expected in (('weight', reference.coef_), ('bias', reference.intercept_)):
        result = getattr(module.linear, own).detach().double()
        torch.testing.assert_close(result, torch.from_numpy(expected), atol=1e-6, rtol=1e-5)


def test_one_training_query_is_placed_where_its_code_lies():
    module, target = head(), torch.tensor([[1.0, -2.0, 0.5, 3.0]]).double()
    module.fit_linear(unit_rows(1), target, 0.1)
    assert bool((module.linear.weight == 0).all()), 'one text says nothing of directions'
    torch.testing.assert_close(module.tangent(unit_rows(9)).double(), target.expand(9, DIM))


def test_a_penalty_shrinks_the_map_but_keeps_the_mean():
    embeddings = unit_rows(200)
    targets = torch.randn(200, DIM, generator=torch.Generator().manual_seed(2)).double() + 3
    weak, strong = head(r_max=50.0), head(r_max=50.0)
    weak.fit_linear(embeddings, targets, ridge=0.01)
    strong.fit_linear(embeddings, targets, ridge=1e6)
    assert strong.linear.weight.norm() < 1e-3 * weak.linear.weight.norm()
    mean = strong.tangent(embeddings).mean(dim=0).double()
    torch.testing.assert_close(mean, targets.mean(dim=0), atol=0.05, rtol=0.02)


def test_the_hidden_layer_begins_without_effect_and_can_learn():
    module = head()
    embeddings = unit_rows(30)
    linear_only = module.linear(embeddings * module.scale)
    torch.testing.assert_close(module.tangent(embeddings), _bounded(linear_only, module.r_max))
    module.tangent(embeddings).square().sum().backward()
    assert bool((module.out.weight.grad != 0).any())


def _bounded(v: torch.Tensor, r_max: float) -> torch.Tensor:
    norm = v.norm(dim=-1, keepdim=True)
    return v * (r_max * torch.tanh(norm / r_max) / norm)


@pytest.mark.parametrize('size', [0.0, 1.0, 1e6])
def test_points_stay_within_the_radius_bound(size):
    module = head(r_max=3.0)
    with torch.no_grad():
        module.linear.weight.mul_(size)
    points = module(unit_rows(20))
    assert points.dtype == torch.float64
    assert bool(points.isfinite().all())
    assert float(radius(points.detach(), c=1.0).max()) <= 3.0 + 1e-6


def test_points_are_the_exponential_of_the_tangents():
    module = head(c=0.7)
    embeddings = unit_rows(20)
    torch.testing.assert_close(
        log0(module(embeddings), c=0.7), module.tangent(embeddings).double(), atol=1e-6, rtol=1e-6
    )


def test_targets_at_the_bound_do_not_break_the_fit():
    module = head(r_max=2.0)
    embeddings = unit_rows(50)
    module.fit_linear(embeddings, 2.0 * unit_rows(50, seed=3)[:, :DIM].double(), ridge=0.1)
    at_bound = torch.zeros(50, DIM, dtype=torch.float64)
    at_bound[:, 0] = 2.0
    at_bound[:5] = 0
    module.fit_linear(embeddings, at_bound, ridge=0.1)
    assert bool(module.linear.weight.isfinite().all())
    assert bool(module(embeddings).isfinite().all())
