from dataclasses import replace

import numpy as np
import pytest
import torch

from naics_embed.errors import ConfigError, HealthError
from naics_embed.geometry.lorentz import exp0, geodesic, pairwise_distance
from naics_embed.graph.edges import TaxonomyGraph
from naics_embed.graph.hgcn import HGCN
from naics_embed.graph.losses import TERMS, Objective, Queries
from naics_embed.graph.refine import best_smoothing, read_triplets, refine, shuffled
from naics_embed.graph.selection import SELECTION
from naics_embed.losses.radius import level_radii, radius_huber
from naics_embed.losses.retrieval import level_cross_entropy
from naics_embed.losses.triplet import triplet_hinge
from naics_embed.losses.uncertainty import UncertaintyWeights
from naics_embed.supervision.sampling import TripletSettings
from naics_embed.supervision.triplets import write_triplets


@pytest.fixture
def inputs(make_inputs):
    return make_inputs()


def objective_of(inputs, level):
    supervised = torch.from_numpy(inputs.supervised)
    return Objective(
        inputs.curvature,
        inputs.temperature,
        level,
        supervised,
        torch.from_numpy(inputs.taxonomy.tree_distance.copy()),
        level_radii(inputs.tangents.norm(dim=-1), level, supervised),
        0.5,
    )


def known(inputs):
    return torch.from_numpy(np.flatnonzero(inputs.supervised))


def test_no_epochs_change_nothing(inputs, settings_with):
    result = refine(inputs, settings_with('graph.max_epochs=0'), 0)
    assert torch.equal(result.tangents, inputs.tangents)
    assert result.best_epoch == 0
    assert len(result.history) == 1


def test_a_disturbed_table_is_restored(inputs, settings_with):
    result = refine(inputs, settings_with('graph.max_epochs=8', 'graph.steps=10'), 0)
    start, best = result.history[0], result.history[result.best_epoch]
    assert result.best_epoch > 0
    assert best[SELECTION] > start[SELECTION] + 0.01
    settings = settings_with()
    validate = inputs.validator(settings.tree_weight)
    kept = [
        metrics[SELECTION]
        for metrics in result.history
        if validate.allowed(metrics, start, settings.tolerance, settings.tree_tolerance)
    ]
    assert best[SELECTION] == max(kept)
    assert best['spearman'] >= start['spearman'] - settings.tree_tolerance
    assert best['index_mrr'] >= start['index_mrr']
    assert best['plain_mrr'] >= start['plain_mrr']
    assert result.network['curvature'] != pytest.approx(1.0, abs=1e-4)
    hidden = torch.from_numpy(~inputs.supervised)
    assert torch.equal(result.tangents[hidden], inputs.tangents[hidden])
    again = validate(result.tangents)
    assert again[SELECTION] == pytest.approx(best[SELECTION], abs=1e-9)


def test_the_seed_decides(inputs, settings_with):
    first, again = (refine(inputs, settings_with(), 1) for _ in range(2))
    assert first.history == again.history
    assert refine(inputs, settings_with(), 2).history[1:] != first.history[1:]


def test_an_epoch_that_costs_queries_is_never_kept(inputs, settings_with):
    # Only the tree counts in this selection and in this loss, and the queries bear no move.
    settings = settings_with(
        'graph.anchor=0', 'graph.stress=1', 'graph.tree_weight=1000', 'graph.tree_tolerance=2',
        'graph.max_epochs=4', 'graph.lr=0.1', 'graph.patience=10',
    )  # fmt: skip
    target = inputs.train.target.unique()
    codes = exp0(inputs.tangents[target], c=1.0)
    apart = pairwise_distance(codes, codes, c=1.0).fill_diagonal_(torch.inf)
    # Not quite half of the way to the nearest other code: right now, and wrong once codes move.
    there = Queries(geodesic(codes, codes[apart.argmin(dim=1)], 0.495, c=1.0), target)
    perfect = replace(inputs, validation={'index': there})
    result = refine(perfect, settings, 0)
    assert result.history[0]['index_mrr'] == 1
    assert max(metrics['index_mrr'] for metrics in result.history[1:]) < 1
    assert result.best_epoch == 0
    impatient = refine(perfect, replace(settings, patience=1), 0)
    assert len(impatient.history) > 2, 'while the metric rises, it goes on'
    loose = refine(perfect, replace(settings, tolerance=1.0), 0)
    selections = [metrics[SELECTION] for metrics in loose.history]
    assert loose.best_epoch == selections.index(max(selections)) > 0


@pytest.mark.parametrize(
    ('changes', 'allowed'),
    [
        ({}, True),
        ({'index_mrr': 0.49}, True),
        ({'index_mrr': 0.48, 'plain_mrr': 0.9}, False),
        ({'plain_mrr': 0.48}, False),
        ({'spearman': 0.896}, True),
        ({'spearman': 0.894}, False),
    ],
)
def test_every_kind_of_query_and_the_tree_are_guarded(inputs, changes, allowed):
    before = {'index_mrr': 0.5, 'plain_mrr': 0.5, 'spearman': 0.9}
    assert inputs.validator(0.1).allowed({**before, **changes}, before, 0.015, 0.005) is allowed


def test_patience_ends_it(inputs, settings_with):
    settings = settings_with('graph.lr=0', 'graph.lr_curvature=0', 'graph.max_epochs=9')
    result = refine(inputs, replace(settings, patience=2), 0)
    assert result.best_epoch == 0
    assert len(result.history) == 3


def test_a_refinement_that_is_not_finite_stops(inputs, settings_with):
    settings = settings_with('graph.lr=1e30', 'graph.lr_curvature=0', 'graph.max_epochs=3')
    with pytest.raises(HealthError, match=r'stopped in epoch 1: .* lower graph\.lr'):
        refine(inputs, settings, 0)


def test_each_term_acts_on_the_network(inputs, level):
    net = HGCN(inputs.tangents.shape[1], 1, 3, level, curvature=1.0, attention=False)
    losses = objective_of(inputs, level).losses(
        net(inputs.tangents, inputs.graph) * 1.01, inputs.train, inputs.triplets, known(inputs)
    )
    assert set(losses) == set(TERMS)
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, net.layers[0].step, retain_graph=True)
        assert float(gradient.abs().max()) > 0, name
        assert loss.dtype == torch.float64, name


def test_the_anchor_prefers_codes_near_their_queries(inputs, level):
    objective = objective_of(inputs, level)
    good = Queries(exp0(inputs.tangents[inputs.train.target], c=1.0), inputs.train.target)
    near = objective.losses(inputs.tangents, good, inputs.triplets, known(inputs))['anchor']
    everyone = level_cross_entropy(
        pairwise_distance(good.points, exp0(inputs.tangents, c=1.0), c=1.0),
        good.target,
        level,
        objective.supervised,
        objective.temperature,
    )
    # Logits are float32, whose rounding is far below what moves the table.
    assert float(near) == pytest.approx(float(everyone), rel=1e-5, abs=1e-6)
    wrong = Queries(good.points, good.target.roll(7))
    far = objective.losses(inputs.tangents, wrong, inputs.triplets, known(inputs))['anchor']
    assert float(near) < 0.2 * float(far)


def test_hidden_codes_enter_no_term(inputs, level):
    tangents = inputs.tangents.clone().requires_grad_()
    losses = objective_of(inputs, level).losses(
        tangents, inputs.train, inputs.triplets, known(inputs)
    )
    (gradient,) = torch.autograd.grad(sum(losses.values()), tangents)
    assert float(gradient[torch.from_numpy(~inputs.supervised)].abs().max()) == 0
    assert float(gradient[torch.from_numpy(inputs.supervised)].abs().sum()) > 0


def test_redirections_may_be_edges(make_inputs, taxonomy, settings_with):
    inputs = make_inputs()
    pairs = np.array([[3, 40], [10, 60]])
    graph = TaxonomyGraph.of(taxonomy, inputs.supervised, ('parent', 'child', 'redirection'), pairs)
    result = refine(replace(inputs, graph=graph), settings_with(), 0)
    assert len(result.history) > 1


@pytest.mark.parametrize('curvature', [0.5, 2.0])
def test_other_spaces_and_learned_weights_work(make_inputs, settings_with, curvature):
    result = refine(make_inputs(curvature=curvature), settings_with('graph.uncertainty=true'), 0)
    last = result.history[-1]
    assert all(np.isfinite(list(last.values())))
    weights = [last[f'weight_{name}'] for name in TERMS]
    assert len({round(weight, 6) for weight in weights}) > 1


def test_smoothing_is_chosen_by_validation(inputs, settings_with):
    table, fraction = best_smoothing(inputs, settings_with())
    validate = inputs.validator(settings_with().tree_weight)
    assert fraction in settings_with().smoothing_fractions
    other, only = best_smoothing(inputs, settings_with('graph.smoothing_fractions=[0.9]'))
    assert only == 0.9
    assert validate(table)[SELECTION] > validate(other)[SELECTION]


def test_shuffling_keeps_levels_and_hidden_codes(inputs, level):
    supervised = torch.from_numpy(inputs.supervised)
    result = shuffled(inputs.tangents, level, supervised, 0)
    assert torch.equal(result[~supervised], inputs.tangents[~supervised])
    assert not torch.equal(result, inputs.tangents)
    for value in level.unique():
        own = level == value
        before, after = inputs.tangents[own].norm(dim=-1), result[own].norm(dim=-1)
        assert torch.equal(before.sort().values, after.sort().values)


def test_triplets_come_from_the_stage(tmp_path, taxonomy, supervised):
    counts = write_triplets(
        taxonomy,
        np.empty((0, 2), dtype=np.int64),
        ~supervised,
        TripletSettings(2, 1, 1, 1, 1, margin_scale=0.5, margin_max=3.0),
        tmp_path / 'triplets',
    )
    result = read_triplets(tmp_path / 'triplets')
    assert len(result) == sum(counts.values())
    assert float(result.margin.min()) > 0


def test_missing_queries_or_triplets_are_clear_errors(inputs, settings_with):
    none = Queries(inputs.train.points[:0], inputs.train.target[:0])
    with pytest.raises(ConfigError, match='no training queries'):
        refine(replace(inputs, train=none), settings_with(), 0)
    with pytest.raises(ConfigError, match='no validation queries'):
        refine(replace(inputs, validation={'index': none}), settings_with(), 0)
    with pytest.raises(ConfigError, match='no triplets'):
        refine(replace(inputs, triplets=inputs.triplets.take(slice(0))), settings_with(), 0)


def test_the_hinge_is_the_mean_of_violations():
    positive = torch.tensor([1.0, 2.0, 3.0])
    negative = torch.tensor([4.0, 2.5, 1.0])
    assert float(triplet_hinge(positive, negative, torch.tensor([1.0, 1.0, 0.5]))) == pytest.approx(
        (0 + 0.5 + 2.5) / 3
    )


def test_the_radial_term_counts_each_level_once():
    level = torch.tensor([2, 6, 6, 6])
    radius = torch.tensor([1.0, 5.0, 5.0, 8.0]).double()
    target = torch.tensor([1.0, 5.0, 5.0, 5.0]).double()
    # Huber with δ 1 at a difference of 3: 2.5, over three codes of one of two levels.
    assert float(radius_huber(radius, target, level, 1.0)) == pytest.approx(2.5 / 3 / 2)
    known = torch.tensor([True, True, True, False])
    assert level_radii(radius, level, known).tolist() == [1, 5, 5, 5]
    assert level_radii(radius, level, ~known).tolist() == [1, 8, 8, 8]


def test_learned_weights_settle_at_the_inverse_of_the_loss():
    scales = UncertaintyWeights(('a', 'b'))
    optimiser = torch.optim.Adam(scales.parameters(), lr=0.05)
    losses = {'a': torch.tensor(0.5).double(), 'b': torch.tensor(4.0).double()}
    for _ in range(400):
        optimiser.zero_grad()
        scales(losses).backward()
        optimiser.step()
    assert scales.weights()['a'] == pytest.approx(2.0, rel=0.02)
    assert scales.weights()['b'] == pytest.approx(0.25, rel=0.02)
    for _ in range(400):
        optimiser.zero_grad()
        scales({'a': torch.tensor(0.0).double(), 'b': torch.tensor(4.0).double()}).backward()
        optimiser.step()
    assert scales.weights()['a'] <= np.exp(4) + 1e-6
