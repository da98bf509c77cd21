"""Every mechanism of the text stage acts, and on what it should."""

import numpy as np
import pytest
import torch

from naics_embed.objective.placement import Placement
from naics_embed.objective.stress import Stress
from naics_embed.objective.tree import TreeTargets
from naics_embed.text.encoder import QUERY
from naics_embed.training.build import make_data, make_model, make_module
from naics_embed.training.data import StepDataset
from naics_embed.training.module import TextModule, TrainingSchedule

TERMS = ('retrieval', 'placement', 'stress', 'near')


@pytest.fixture
def module(make_inputs, settings_with) -> TextModule:
    inputs, settings = make_inputs(), settings_with('model.dropout=0')
    torch.manual_seed(0)
    return make_module(make_model(inputs, settings), inputs, settings, 10, TrainingSchedule())


@pytest.fixture
def batch(make_inputs, settings_with):
    inputs, settings = make_inputs(), settings_with()
    data = make_data(inputs, settings)
    step = next(iter(data.train_dataloader().sampler))
    return StepDataset(inputs.corpus, inputs.train, data.settings)[step]


def gradients(module: TextModule) -> dict[str, torch.Tensor]:
    """Largest absolute gradient of each group of parameters; the table's rows one by one."""
    model = module.model
    adapters = [(name, p) for name, p in model.encoder.named_parameters() if 'lora_B' in name]
    groups = {
        'query adapter': [p for name, p in adapters if QUERY in name],
        'channel adapters': [p for name, p in adapters if QUERY not in name],
        'head': [model.head.linear.weight, model.head.linear.bias, model.head.out.weight],
        'temperature': [model.log_temperature],
    }
    result = {
        name: torch.stack(
            [torch.zeros(()) if p.grad is None else p.grad.abs().max() for p in parameters]
        )
        for name, parameters in groups.items()
    }
    table = model.table
    result['table'] = torch.zeros(len(table)) if table.grad is None else table.grad.norm(dim=1)
    return result


@pytest.mark.parametrize(
    ('term', 'moved'),
    [
        ('retrieval', {'query adapter', 'head', 'temperature', 'table'}),
        ('placement', {'channel adapters', 'head', 'temperature', 'table'}),
        ('stress', {'table'}),
        ('near', {'table'}),
    ],
)
def test_a_term_moves_what_it_should(module, batch, term, moved):
    value = module.terms(batch, 0.5).values[term]
    assert float(value.detach()) > 0
    value.backward()
    result = gradients(module)
    assert {name for name, sizes in result.items() if bool((sizes > 0).any())} == moved
    for name in moved - {'table'}:
        assert bool((result[name] > 0).all()), f'a part of {name} has no gradient'


@pytest.mark.parametrize('term', TERMS)
def test_hidden_codes_are_in_no_term(module, batch, material, term):
    module.terms(batch, 0.5).values[term].backward()
    sizes = gradients(module)['table']
    hidden = torch.from_numpy(~material.supervised)
    assert bool((sizes[hidden] == 0).all())


def test_the_objective_reaches_every_supervised_code(module, batch, material):
    module.terms(batch, 0.5).total.backward()
    sizes = gradients(module)['table']
    assert bool((sizes[torch.from_numpy(material.supervised)] > 0).all())


def test_retrieval_moves_codes_of_the_level_of_its_queries_only(module, batch, material):
    module.terms(batch, 0.5).values['retrieval'].backward()
    sizes = gradients(module)['table']
    leaf = torch.from_numpy((material.taxonomy.level == 6) & material.supervised)
    assert bool((sizes[leaf] > 0).all())
    assert bool((sizes[~leaf] == 0).all())


def test_weights_scale_their_terms(module, batch, settings_with):
    terms = module.terms(batch, 0.5)
    values, weights = terms.values, {term.name: term.weight for term in module.objective.terms}
    settings = settings_with()
    stress = settings.objective.term(Stress)
    expected = (
        values['retrieval']
        + settings.objective.term(Placement).weight * values['placement']
        + stress.weight * (values['stress'] + stress.near_weight * values['near'])
    )
    assert float(terms.total.detach()) == pytest.approx(float(expected.detach()))
    assert min(weights[name] for name in TERMS) > 0
    assert set(values) == set(TERMS), 'what is off by default is not computed'


def test_near_pairs_are_the_supervised_ones_up_to_the_distance(module, material):
    pairs = {tuple(pair) for pair in module.objective.tree.near.T.tolist()}
    taxonomy, seen = material.taxonomy, material.supervised
    expected = {
        (a, b)
        for a in range(len(taxonomy))
        for b in range(a + 1, len(taxonomy))
        if seen[a] and seen[b] and taxonomy.tree_distance[a, b] <= 2
    }
    assert pairs == expected
    assert len(pairs) > len(taxonomy)


def test_near_distance_is_respected(material):
    taxonomy = material.taxonomy
    targets = TreeTargets(
        torch.from_numpy(taxonomy.level.astype(np.int64)),
        torch.ones(len(taxonomy), dtype=torch.bool),
        torch.from_numpy(taxonomy.tree_distance.copy()),
        1,
        parent=torch.from_numpy(taxonomy.parent.astype(np.int64)),
        ancestors=torch.from_numpy(taxonomy.ancestors.astype(np.int64)),
        marks=torch.zeros(len(taxonomy), len(taxonomy), dtype=torch.uint8),
        start=material.start,
    )
    # One pair an edge: all codes but the sectors have a parent.
    assert targets.near.shape[1] == int((taxonomy.parent >= 0).sum())


def test_near_stress_alone_brings_families_in_order(module, batch):
    table = module.model.table
    with torch.no_grad():
        table.add_(torch.randn_like(table))
    optimizer = torch.optim.Adam([table], lr=0.05)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        value = module.terms(batch, 0.5).values['near']
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.3 * values[0]


def test_adapters_are_on_the_upper_layers_only(module):
    encoder = module.model.encoder
    layers = {
        int(name.split('encoder.layer.')[1].split('.')[0])
        for name, _ in encoder.named_parameters()
        if 'lora_' in name
    }
    assert layers == {1, 2}
    trainable = [name for name, p in encoder.named_parameters() if p.requires_grad]
    assert trainable
    assert all('lora_' in name for name in trainable)


def test_every_trainable_parameter_is_optimised_once(module):
    optimizer = module.configure_optimizers()['optimizer']
    optimised = [id(p) for group in optimizer.param_groups for p in group['params']]
    trainable = {id(p) for p in module.parameters() if p.requires_grad}
    assert len(optimised) == len(set(optimised))
    assert set(optimised) == trainable
    decayed = [group['weight_decay'] for group in optimizer.param_groups]
    assert decayed[2:] == [0.0, 0.0], 'neither table nor temperature decays'


def test_learning_rates_rise_and_fall(module):
    configured = module.configure_optimizers()
    optimizer, scheduler = configured['optimizer'], configured['lr_scheduler']['scheduler']
    assert configured['lr_scheduler']['interval'] == 'step'
    factors = []
    for _ in range(module.rates.steps):
        factors.append(optimizer.param_groups[0]['lr'] / module.rates.adapter)
        optimizer.step()
        scheduler.step()
    peak = int(np.argmax(factors))
    assert max(factors) == pytest.approx(1)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert factors[-1] < 0.2


def test_a_code_is_placed_by_the_channels_it_has(module):
    embeddings = torch.nn.functional.normalize(torch.randn(2, 3, 32), dim=-1)
    present = torch.tensor([[True, False, True], [False, True, False]])
    placed = module.model.place(embeddings, present)
    mean = torch.nn.functional.normalize(embeddings[0, [0, 2]].mean(0), dim=-1)
    close = {'atol': 1e-2, 'rtol': 1e-4}
    torch.testing.assert_close(placed[0], module.model.head(mean), **close)
    torch.testing.assert_close(placed[1], module.model.head(embeddings[1, 1]), **close)
    other = embeddings.clone()
    other[0, 1] = -other[0, 1]
    torch.testing.assert_close(module.model.place(other, present), placed)


def test_the_table_starts_at_the_construction(module, material):
    from naics_embed.geometry.lorentz import log0

    torch.testing.assert_close(
        log0(module.model.code_points(), c=1.0), material.start, atol=1e-5, rtol=1e-5
    )
