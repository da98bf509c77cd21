"""Warm starts, modes, code points from texts, the curriculum and resuming, in whole trainings."""

import itertools
import json

import pytest
import torch

from naics_embed.errors import ConfigError
from naics_embed.geometry.curvature import LearnedCurvature
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.supervision.negatives import MITIGATION
from naics_embed.text.encoder import QUERY
from naics_embed.training import build
from naics_embed.training.build import make_model, make_module
from naics_embed.training.curriculum import Curriculum, phase_of, rules_of
from naics_embed.training.fit import train_text
from naics_embed.training.module import SELECTION, TrainingSchedule
from naics_embed.training.phases import head_only_epochs, planned_epochs

HEAD_ONLY = ('training.head_only.epochs=2', 'training.head_only.batch=64', 'training.patience=9')
EVERYTHING = (
    *HEAD_ONLY,
    'training.epochs=3',
    'training.accumulate=2',
    'training.schedule=plateau',
    'training.plateau_patience=0',
    'training.gradient_norms=3',
    'model.code_points=text+offset',
    'model.fusion.kind=experts',
    'model.dropout=0.1',
    'objective.dcl.weight=0.2',
    'curriculum.enabled=true',
    'curriculum.refinement=0.3',
    'curriculum.mitigation=0.5',
    'curriculum.hard=5',
    'curriculum.router=3',
    'curriculum.clusters=12',
    'curriculum.retrieval=true',
    'training.health.bound_fraction=1',
)


BY_PLATEAU = (
    'curriculum.enabled=true',
    'curriculum.refinement=1.0',
    'curriculum.mitigation=1.0',
    'curriculum.plateau=1',
    'objective.dcl.weight=0.1',
)


class EndOfProcessError(Exception):
    """Stands for whatever ends a process in the middle of a training."""


@pytest.fixture
def train(make_inputs, tmp_path):
    def run(settings, folder='checkpoints', *, stop_after=None, **options):
        reported = {}

        def report(epoch, metrics):
            if epoch == stop_after:
                raise EndOfProcessError
            reported[epoch] = metrics

        path = tmp_path / folder
        return train_text(make_inputs(), settings, path, report=report, **options), reported

    return run


@pytest.mark.parametrize(
    ('queries', 'epochs'), [(10_000, 4), (1_000, 8), (640, 10), (65, 50), (64, 100)]
)
def test_few_queries_get_more_head_only_epochs(queries, epochs, settings_with):
    settings = settings_with(
        'training.head_only.epochs=4',
        'training.head_only.validate_every=2',
        'training.head_only.batch=64',
        'training.head_only.least_steps=100',
    )
    assert head_only_epochs(settings, queries) == epochs


def test_there_are_no_head_only_epochs_where_nothing_follows_them_or_none_are_wanted(settings_with):
    overrides = ('training.head_only.epochs=5', 'training.head_only.least_steps=100')
    assert head_only_epochs(settings_with(*overrides, 'model.mode=frozen'), 64) == 0
    assert head_only_epochs(settings_with('training.head_only.least_steps=100'), 64) == 0


def test_few_queries_train_no_adapters(train, settings_with, tmp_path):
    settings = settings_with(
        *HEAD_ONLY, 'training.epochs=3', 'training.head_only.only_below=100000'
    )
    trained, reported = train(settings)
    assert planned_epochs(settings, 99_999) == len(reported) == len(trained.history) == 2
    assert planned_epochs(settings, 100_000) == 5
    assert trained.head_only_epochs == 2
    assert trained.adapters == {}
    kept = json.loads((tmp_path / 'checkpoints' / 'settings.json').read_text())
    assert (kept['model']['mode'], kept['training']['epochs']) == ('adapters', 3), 'as configured'
    assert not (tmp_path / 'checkpoints' / 'head_only').exists()
    again, _ = train(settings, resume='last')
    torch.testing.assert_close(again.tangents, trained.tangents)


def test_the_classifier_is_asked_in_the_head_only_epochs_alone(train, settings_with):
    settings = settings_with(*HEAD_ONLY, 'training.epochs=1', 'training.head_only.distillation=0.5')
    trained, _ = train(settings)
    distilled = ['train/distillation' in metrics for metrics in trained.history]
    assert distilled == [True, True, False]


def test_heads_come_first_and_adapters_go_on_from_them(train, settings_with, tmp_path):
    trained, reported = train(settings_with(*HEAD_ONLY, 'training.epochs=1', 'training.lr_table=0'))
    assert sorted(reported) == [0, 1, 2]
    assert trained.history == [reported[epoch] for epoch in sorted(reported)]
    head_only = torch.load(tmp_path / 'checkpoints' / 'head_only' / 'last.ckpt', weights_only=True)
    assert not any('encoder' in name for name in head_only['state_dict'])
    best = max(reported[epoch][SELECTION] for epoch in (0, 1))
    named = [path.name for path in (tmp_path / 'checkpoints' / 'head_only').glob('best-*')]
    assert len(named) == 1
    assert f'selection={best:.4f}' in named[0]
    # With the rate of the table at zero, it stands where the head-only epochs left it.
    kept = torch.load(tmp_path / 'checkpoints' / 'head_only' / named[0], weights_only=True)
    assert torch.equal(trained.state['table'], kept['state_dict']['model.table'])
    settings = json.loads((tmp_path / 'checkpoints' / 'settings.json').read_text())
    assert settings['training']['head_only']['epochs'] == 2
    assert set(trained.adapters) == {QUERY, 'title_channel', 'description_channel'}


@pytest.mark.parametrize('stop', [1, 3])
def test_resuming_with_everything_on_equals_an_uninterrupted_run(train, settings_with, stop):
    settings = settings_with(*EVERYTHING)
    whole, _ = train(settings, 'whole')
    with pytest.raises(EndOfProcessError):
        train(settings, 'parts', stop_after=stop)
    resumed, reported = train(settings, 'parts', resume='last')
    assert min(reported) >= stop
    assert resumed.history == whole.history
    torch.testing.assert_close(resumed.tangents, whole.tangents, rtol=0, atol=0)
    for name, value in whole.state.items():
        assert torch.equal(resumed.state[name], value), name
    phases = [epoch['curriculum/phase'] for epoch in whole.history]
    assert phases == sorted(phases)
    assert {1, 3} <= set(phases)
    fractions = {name for epoch in whole.history for name in epoch}
    assert {
        'curriculum/dcl_hard',
        'curriculum/dcl_router',
        'curriculum/retrieval_siblings',
        'curriculum/retrieval_false_negatives',
        'curriculum/routing_entropy',
        'curriculum/load_0',
        'gradient/retrieval',
        'gradient/dcl',
        'gradient/offset',
        'train/balance',
    } <= fractions
    assert all(epoch['gradient/retrieval'] > 0 for epoch in whole.history)


def test_frozen_training_learns_and_keeps_the_backbone(train, settings_with, material):
    settings = settings_with(
        'model.mode=frozen', 'training.epochs=5', 'training.lr_head=0.01', 'training.patience=9'
    )
    trained, _ = train(settings)
    history = trained.history
    assert history[-1]['train/retrieval'] < 0.9 * history[0]['train/retrieval']
    assert trained.adapters == {}
    published = make_plain(material).state_dict()
    for name, value in trained.backbone.state_dict().items():
        assert torch.equal(value, published[name])


def make_plain(material):
    from naics_embed.text.backbone import load_transformer

    return load_transformer(material.folder)


@pytest.mark.parametrize('code_points', ['text', 'text+offset'])
def test_codes_from_texts_are_learned(train, settings_with, code_points):
    settings = settings_with(
        f'model.code_points={code_points}',
        'training.epochs=4',
        'training.refresh_steps=3',
        'training.patience=9',
        'model.dropout=0',
    )
    trained, _ = train(settings)
    history = trained.history
    assert history[-1]['train/retrieval'] < history[0]['train/retrieval']
    assert bool(trained.tangents.isfinite().all())
    assert ('offset' in trained.state) == (code_points == 'text+offset')
    assert 'table' not in trained.state


def test_the_cache_of_code_texts_is_filled_by_schedule(train, settings_with, monkeypatch, material):
    fills = []
    original = build.encode_all_channels

    def count(*arguments, **options):
        fills.append(1)
        return original(*arguments, **options)

    monkeypatch.setattr(build, 'encode_all_channels', count)
    settings = settings_with(
        'model.code_points=text', 'training.epochs=2', 'training.refresh_steps=3'
    )
    train(settings)
    steps = -(-len(material.train) // settings.training.batch)
    # At the start, each third step of an epoch, before each validation, and for the result.
    assert len(fills) == 1 + 2 * ((steps - 1) // 3) + 2 + 1


def test_full_mode_trains_the_transformer(train, settings_with, material):
    trained, _ = train(
        settings_with('model.mode=full', 'training.epochs=1', 'training.lr_adapter=1e-3')
    )
    before, after = make_plain(material).state_dict(), trained.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all('layer.1.' in name or 'layer.2.' in name for name in changed)


def test_a_training_starts_from_the_state_of_another(train, settings_with, make_inputs):
    first, _ = train(settings_with('model.mode=frozen', 'training.epochs=1'), 'first')
    settings = settings_with('training.epochs=1')
    model = make_model(make_inputs(), settings)
    model.load_light_state(first.state)
    assert torch.equal(model.head.linear.weight, first.head.linear.weight)
    second, _ = train(settings, 'second', start=first.state)
    cold, _ = train(settings, 'cold')
    assert second.history[0]['train/loss'] < cold.history[0]['train/loss']
    with pytest.raises(ConfigError, match=r'warm start does not fit.*model\.code_points'):
        train(settings_with('model.code_points=text'), 'third', start=first.state)


def test_rates_fall_and_phases_end_where_validation_stands_still(
    train, settings_with, selection_is
):
    selection_is(itertools.repeat(0.5))
    settings = settings_with(
        'training.epochs=4',
        'training.patience=9',
        'training.schedule=plateau',
        *BY_PLATEAU,
    )
    trained, _ = train(settings)
    assert [epoch['curriculum/phase'] for epoch in trained.history] == [1, 1, 2, 3]


def test_phases_go_on_after_the_head_only_epochs(train, settings_with, selection_is):
    selection_is(itertools.repeat(0.5))
    settings = settings_with(
        'training.epochs=3',
        'training.head_only.epochs=3',
        'training.head_only.validate_every=1',
        'training.patience=9',
        *BY_PLATEAU,
    )
    trained, _ = train(settings)
    assert [epoch['curriculum/phase'] for epoch in trained.history] == [1, 1, 2, 3, 3, 3]


def test_clusters_are_of_codes_near_each_other(make_inputs, settings_with):
    inputs = make_inputs()
    settings = settings_with(
        'curriculum.enabled=true', 'curriculum.retrieval=true', 'curriculum.clusters=12'
    )
    module = make_module(
        make_model(inputs, settings), inputs, settings, 10, TrainingSchedule(0.9, 1.0)
    )
    curriculum = Curriculum(settings.curriculum, 0)
    curriculum._enter(module, MITIGATION)
    cluster = module.negatives.cluster
    known = cluster >= 0
    assert torch.equal(known, module.objective.tree.supervised)
    points = exp0(module.model.code_tangents().detach()[known], c=1.0)
    away = pairwise_distance(points, points, c=1.0)
    same = cluster[known][:, None] == cluster[known][None, :]
    same.fill_diagonal_(False)
    assert same.any()
    # A random division of the codes would have the same mean in and outside of the clusters.
    assert away[same].mean() < 0.7 * away[~same].mean()


def test_phases_follow_progress(settings_with):
    config = settings_with(
        'curriculum.refinement=0.3', 'curriculum.mitigation=0.6', 'curriculum.hard=7'
    ).curriculum
    assert [phase_of(config, at, 0) for at in (0, 0.29, 0.3, 0.6, 1)] == [1, 1, 2, 3, 3]
    assert [phase_of(config, 0, early) for early in (0, 1, 2, 3)] == [1, 2, 3, 3]
    first, second, third = (rules_of(config, phase) for phase in (1, 2, 3))
    assert first.mask_siblings
    assert not second.mask_siblings
    assert (first.hard, second.hard, third.hard) == (0, 7, 7)
    assert not second.mask_false
    assert third.mask_false
    assert third.attract_false


def test_a_learned_curvature_leaves_the_end_of_its_range_at_once():
    learned = LearnedCurvature(1.0)
    with torch.no_grad():
        learned.log_curvature.fill_(9.0)
    assert learned().item() == pytest.approx(10)
    learned.hold()
    assert learned.log_curvature.exp().item() == pytest.approx(10)
    with torch.no_grad():
        learned.log_curvature.sub_(0.1)
    assert learned().item() < 9.1


def test_curvature_is_learned_and_kept_with_the_result(train, settings_with):
    fixed, _ = train(settings_with(*HEAD_ONLY), 'fixed')
    assert fixed.curvature == 1.0
    overrides = ('model.learn_curvature=true', 'training.lr_temperature=0.05')
    learned, reported = train(settings_with(*HEAD_ONLY, *overrides), 'learned')
    curvatures = [reported[epoch]['train/curvature'] for epoch in sorted(reported)]
    assert len(set(curvatures)) == len(curvatures), (
        'it moves in every epoch, head-only ones included'
    )
    assert learned.curvature != 1.0
    assert learned.head.c == learned.curvature
    with pytest.raises(ConfigError, match='geometry=lorentz'):
        settings_with('model.learn_curvature=true', 'model.geometry=euclidean')
