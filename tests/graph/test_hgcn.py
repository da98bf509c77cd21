import numpy as np
import pytest
import torch

from naics_embed.errors import ConfigError
from naics_embed.geometry import lorentz
from naics_embed.geometry.indexed import grouped_centroid
from naics_embed.graph.edges import TaxonomyGraph
from naics_embed.graph.hgcn import HGCN, LorentzConv
from naics_embed.graph.smoothing import smooth


def boost(seed: int, dim: int, rapidity: float) -> torch.Tensor:
    """A random Lorentz transformation ``(dim + 1, dim + 1)``: rotation, boost, rotation."""
    draw = np.random.default_rng(seed)

    def rotation():
        q, _ = np.linalg.qr(draw.standard_normal((dim, dim)))
        full = np.eye(dim + 1)
        full[1:, 1:] = q
        return full

    push = np.eye(dim + 1)
    push[:2, :2] = [
        [np.cosh(rapidity), np.sinh(rapidity)],
        [np.sinh(rapidity), np.cosh(rapidity)],
    ]
    return torch.from_numpy(rotation() @ push @ rotation())


def transformed(s: torch.Tensor, matrix: torch.Tensor, c: float) -> torch.Tensor:
    return (lorentz.to_ambient(s, c=c) @ matrix.T)[..., 1:]


@pytest.fixture
def table(make_inputs):
    return make_inputs().tangents


@pytest.fixture
def graph(taxonomy, supervised):
    return TaxonomyGraph.of(taxonomy, supervised, ('parent', 'child', 'sibling'))


def network(table, level, *, curvature=1.0, attention=True, layers=2):
    return HGCN(table.shape[1], layers, 3, level, curvature=curvature, attention=attention)


def trained(net, seed=0):
    """The network with parameters as training might leave them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in net.named_parameters():
            if not name.endswith('log_curvature'):
                scale = 0.02 if name.endswith('transform') else 0.3
                value += scale * torch.randn(value.shape, generator=generator).double()
    return net


@pytest.mark.parametrize('c', [0.1, 1.0, 10.0])
@pytest.mark.parametrize('radius', [0.0, 0.5, 3.0, 8.0])
def test_the_grouped_centroid_is_the_dense_one(noise, c, radius):
    index = torch.tensor([0, 0, 0, 2, 2, 3, 2, 0])
    direction = torch.nn.functional.normalize(noise(8, 5) + 3, dim=-1)
    x = lorentz.exp0(radius / c**0.5 * direction + 0.01 * noise(8, 5, seed=1), c=c)
    weights = noise(8, seed=2).abs()
    result = grouped_centroid(
        x, weights, torch.arange(8), index, 5, c=torch.tensor(c, dtype=torch.float64)
    )
    for group in range(5):
        own = index == group
        expected = (
            lorentz.centroid(x[own], weights[own], c=c) if bool(own.any()) else torch.zeros(5)
        )
        assert torch.allclose(result[group], expected.double(), rtol=1e-12, atol=1e-12)


def test_the_centroid_agrees_with_the_definition(noise):
    x = lorentz.exp0(noise(4, 3), c=0.7)
    weights = noise(4, seed=1).abs()
    total = (weights[:, None] * lorentz.to_ambient(x, c=0.7)).sum(0)
    square = total[0] ** 2 - total[1:].square().sum()
    one = torch.zeros(4, dtype=torch.int64)
    result = grouped_centroid(
        x, weights, torch.arange(4), one, 1, c=torch.tensor(0.7, dtype=torch.float64)
    )
    assert torch.allclose(result[0], total[1:] / (0.7 * square).sqrt(), rtol=1e-6)


@pytest.mark.parametrize('curvature', [0.3, 1.0, 4.0])
def test_an_untrained_network_changes_nothing(table, level, graph, curvature):
    result = network(table, level, curvature=curvature)(table, graph).detach()
    assert result.dtype == torch.float64
    assert float((result - table).norm(dim=-1).max()) < 1e-12


def test_a_trained_network_keeps_radii_of_all_sizes(table, level, graph):
    net = network(table, level)
    with torch.no_grad():
        for layer in net.layers:
            layer.step.fill_(0.2)
        result = net(table, graph)
    radius = result.norm(dim=-1)
    assert float((result - table).norm(dim=-1).max()) > 0.5
    medians = [float(radius[level == each].median()) for each in range(2, 7)]
    assert medians == sorted(medians), 'levels still lie at radii of their own'


def test_codes_outside_the_graph_stay(table, level, graph, supervised):
    result = trained(network(table, level))(table, graph).detach()
    moved = (result - table).norm(dim=-1)
    assert float(moved[torch.from_numpy(~supervised)].max()) < 1e-12
    assert float(moved[torch.from_numpy(supervised)].min()) > 0


@pytest.mark.parametrize('attention', [True, False])
def test_a_layer_without_transform_commutes_with_isometries(table, level, graph, attention):
    c = torch.tensor(0.6, dtype=torch.float64)
    layer = trained(LorentzConv(table.shape[1], 3, 5, attention=attention))
    with torch.no_grad():
        layer.transform.zero_()
    points = lorentz.exp0(0.4 * table, c=c)
    matrix = boost(3, table.shape[1], 0.8)
    before = transformed(layer(points, graph, level - 2, c), matrix, 0.6)
    after = layer(transformed(points, matrix, 0.6), graph, level - 2, c)
    assert torch.allclose(before, after, rtol=1e-8, atol=1e-8)
    assert float((after - transformed(points, matrix, 0.6)).detach().abs().max()) > 0.01


def test_smoothing_commutes_with_isometries_and_shrinks_the_tree(table, level, graph):
    points = lorentz.exp0(0.4 * table, c=1.0)
    matrix = boost(5, table.shape[1], 0.5)
    moved = smooth(lorentz.log0(transformed(points, matrix, 1.0), c=1.0), graph, 0.3, c=1.0)
    expected = transformed(lorentz.exp0(smooth(0.4 * table, graph, 0.3, c=1.0), c=1.0), matrix, 1.0)
    assert torch.allclose(lorentz.exp0(moved, c=1.0), expected, rtol=1e-8, atol=1e-8)
    assert torch.allclose(smooth(table, graph, 0.0, c=1.0), table, atol=1e-12)
    closer = smooth(table, graph, 0.5, c=1.0)

    def mean_edge(tangents):
        sender, receiver = lorentz.exp0(tangents, c=1.0)[graph.edges]
        return float(lorentz.distance(sender, receiver, c=1.0).mean())

    assert mean_edge(closer) < 0.9 * mean_edge(table)


def test_every_parameter_receives_gradient(table, level, graph, noise):
    net = trained(network(table, level))
    (net(table, graph) * noise(*table.shape, seed=4)).sum().backward()
    for name, value in net.named_parameters():
        assert value.grad is not None, name
        assert float(value.grad.abs().max()) > 0, name
        assert bool(value.grad.isfinite().all()), name


def test_steps_receive_gradient_before_any_training(table, level, graph, noise):
    net = network(table, level)
    (net(table, graph) * noise(*table.shape, seed=4)).sum().backward()
    for layer in net.layers:
        assert bool((layer.step.grad.abs() > 0).all())


def test_the_gradient_of_the_curvature_is_right(table, level, graph, noise):
    net = trained(network(table, level))
    weight = noise(*table.shape, seed=4)

    def value(shift):
        with torch.no_grad():
            net.learned_curvature.log_curvature += shift
            result = float((net(table, graph) * weight).sum())
            net.learned_curvature.log_curvature -= shift
        return result

    (net(table, graph) * weight).sum().backward()
    numeric = (value(1e-5) - value(-1e-5)) / 2e-5
    assert float(net.learned_curvature.log_curvature.grad) == pytest.approx(numeric, rel=1e-4)


def test_curvature_stays_in_its_range(table, level):
    net = network(table, level)
    with torch.no_grad():
        net.learned_curvature.log_curvature.fill_(9.0)
    assert float(net.curvature.detach()) == pytest.approx(10)


def test_curvature_comes_back_from_an_end_of_its_range(table, level, graph, noise):
    net = trained(network(table, level))
    weight = noise(*table.shape, seed=4)
    optimiser = torch.optim.SGD([net.learned_curvature.log_curvature], lr=1e-3)
    with torch.no_grad():
        net.learned_curvature.log_curvature.fill_(9.0)
    net.learned_curvature.hold()
    loss = (net(table, graph) * weight).sum()
    loss.backward()
    slope = float(net.learned_curvature.log_curvature.grad)
    assert slope != 0, 'it would stay there for ever'
    net.learned_curvature.log_curvature.grad *= 100 / slope
    optimiser.step()
    assert float(net.curvature.detach()) < 9.5


@pytest.mark.parametrize('dim', [3, 17])
def test_any_width_will_do(make_inputs, level, dim):
    inputs = make_inputs(dim=dim)
    net = trained(network(inputs.tangents, level))
    assert net(inputs.tangents, inputs.graph).shape == (len(level), dim)


def test_attention_prefers_the_nearer_neighbour(noise):
    graph = TaxonomyGraph(
        3, torch.tensor([[1, 2], [0, 0]]), torch.zeros(2, dtype=torch.int64), ('child',)
    )
    points = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 2.0, 0.0]]).double()
    layer = LorentzConv(3, 1, 1, attention=True)
    with torch.no_grad():
        layer.step.fill_(1.0)
    level = torch.zeros(3, dtype=torch.int64)
    c = torch.tensor(1.0).double()
    even = layer(points, graph, level, c)[0]
    with torch.no_grad():
        layer.nearness.fill_(2.0)
    near = layer(points, graph, level, c)[0]
    assert near[0] / near[1] > 2 * even[0] / even[1]
    assert torch.equal(layer(points, graph, level, c)[1:], points[1:])


def test_bad_shapes_are_refused(level):
    with pytest.raises(ConfigError, match='at least 1'):
        HGCN(4, 0, 3, level, curvature=1.0, attention=False)
    with pytest.raises(ConfigError, match='curvature must lie'):
        HGCN(4, 1, 3, level, curvature=20.0, attention=False)
