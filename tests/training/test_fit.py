"""Whole trainings of a tiny model."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from naics_embed.errors import ArtifactError, ConfigError, HealthError
from naics_embed.evaluation.evaluate import Table
from naics_embed.geometry.lorentz import bound_radius, pairwise_distance
from naics_embed.text.encoder import SentenceEncoder
from naics_embed.text.inference.corpus import place_texts
from naics_embed.text.tokens import load_tokenizer
from naics_embed.training import callbacks
from naics_embed.training.build import make_model
from naics_embed.training.fit import train_text
from naics_embed.training.inputs import TrainedText
from naics_embed.training.module import SELECTION, TextModule
from naics_embed.training.validation import Validator


class EndOfProcessError(Exception):
    """Stands for whatever ends a process in the middle of a training."""


@pytest.fixture
def train(make_inputs, tmp_path):
    """Train in a directory of checkpoints, and return the result and the reported epochs."""

    def run(settings, checkpoints='checkpoints', *, stop_after=None, **options):
        reported: dict[int, dict[str, float]] = {}

        def report(epoch: int, metrics: dict[str, float]) -> None:
            if epoch == stop_after:
                raise EndOfProcessError
            reported[epoch] = metrics

        trained = train_text(
            make_inputs(), settings, tmp_path / checkpoints, report=report, **options
        )
        return trained, reported

    return run


def assert_same(one: TrainedText, other: TrainedText) -> None:
    assert one.best_epoch == other.best_epoch
    assert one.temperature == other.temperature
    assert one.history == other.history
    torch.testing.assert_close(one.tangents, other.tangents, rtol=0, atol=0)
    weights = other.backbone.state_dict()
    for name, value in one.backbone.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)


def test_training_learns_its_queries_and_keeps_the_tree(train, settings_with, material):
    settings = settings_with(
        'training.epochs=6', 'model.dropout=0', 'training.lr_adapter=0.005', 'training.patience=6'
    )
    trained, reported = train(settings)
    history = trained.history
    assert [reported[epoch] for epoch in sorted(reported)] == history
    assert len(history) == 6
    for name in ('retrieval', 'placement', 'loss'):
        assert history[-1][f'train/{name}'] < history[0][f'train/{name}'], name
    # A random transformer need not generalise; that it learns is seen on what it trains on.
    assert history[-1]['train/retrieval'] < 0.8 * history[0]['train/retrieval']
    assert history[-1]['validation/spearman'] > 0.8
    assert history[-1]['train/temperature'] != settings.objective.temperature
    for epoch in history:
        for name in ('retrieval', 'placement', 'stress', 'near'):
            assert epoch[f'gradient/{name}'] > 0, 'logged by default'
    kinds = [history[0][f'validation/{kind}_mrr'] for kind in ('index', 'plain')]
    assert history[0][SELECTION] == pytest.approx(sum(kinds) / 2)
    assert trained.parameters['trainable'] < trained.parameters['parameters']
    assert trained.best_epoch == int(np.argmax([epoch[SELECTION] for epoch in history]))

    hidden = torch.from_numpy(~material.supervised)
    assert bool(trained.tangents.isfinite().all())
    radius = trained.tangents.norm(dim=-1)
    level = torch.from_numpy(material.taxonomy.level.astype(np.int64))
    for code in hidden.nonzero().squeeze(1).tolist():
        usual = radius[(level == level[code]) & ~hidden].median()
        torch.testing.assert_close(radius[code], usual)

    # What is handed over, a plain transformer and a head, scores like the module in training.
    texts = [material.corpus.tokens.texts[row] for row in material.validation['index'].rows]
    points = place_texts(
        texts, load_tokenizer(material.folder, 24), trained.backbone, trained.head.eval(), 512
    )
    leaves = np.flatnonzero((material.taxonomy.level == 6) & material.supervised)
    codes = Table(trained.tangents, 1.0, 9.0, ()).points[torch.from_numpy(leaves)]
    truth = torch.from_numpy(np.searchsorted(leaves, material.validation['index'].targets))
    scores = -pairwise_distance(points, codes, c=1.0)
    own = scores.gather(1, truth[:, None])
    mrr = float((1 / (scores > own).sum(1).add(1)).mean())
    assert mrr == pytest.approx(history[trained.best_epoch]['validation/index_mrr'], abs=0.03)


def test_an_epoch_has_no_metrics_of_terms_that_have_ended(train, settings_with, caplog):
    overrides = ('objective.placement.end=0.5', 'objective.retrieval.start=0.25')
    with caplog.at_level('INFO', logger='naics_embed.training.callbacks'):
        trained, reported = train(
            settings_with('training.epochs=4', 'training.patience=9', *overrides)
        )
    assert [reported[epoch] for epoch in range(4)] == trained.history
    for kind in ('train', 'gradient'):
        acted = [
            {name for name in ('placement', 'retrieval') if f'{kind}/{name}' in epoch}
            for epoch in trained.history
        ]
        both = {'placement', 'retrieval'}
        assert acted == [{'placement'}, both, {'retrieval'}, {'retrieval'}]
    said = [record.message for record in caplog.records if record.message.startswith('epoch ')]
    assert len(said) == 4
    assert not any('gradient/' in line or 'health/' in line for line in said)


@pytest.mark.parametrize('mode', ['adapters', 'full'])
def test_recomputed_layers_and_gradient_norms_change_no_metric(train, settings_with, mode):
    overrides = ('training.epochs=1', f'model.mode={mode}', 'model.dropout=0.1')
    plain, _ = train(settings_with(*overrides, 'training.gradient_norms=0'), 'plain')
    watched, _ = train(
        settings_with(*overrides, 'training.gradient_norms=1', 'model.checkpointing=true'),
        'watched',
    )
    kept = [{k: v for k, v in e.items() if 'gradient/' not in k} for e in watched.history]
    for epoch, expected in zip(kept, plain.history, strict=True):
        assert epoch == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(watched.tangents, plain.tangents, rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_model(train, settings_with):
    first, _ = train(settings_with(), 'first')
    second, _ = train(settings_with(), 'second')
    assert_same(first, second)
    third, _ = train(settings_with('runtime.seed=1'), 'third')
    assert third.history != first.history


def test_the_best_epoch_is_kept_not_the_last(train, settings_with, monkeypatch, tmp_path):
    selections = iter([0.1, 0.9, 0.2])
    tables = []
    original = Validator.__call__

    def validate(self, queries, codes):
        tables.append(codes.clone())
        return {**original(self, queries, codes), SELECTION: next(selections)}

    monkeypatch.setattr(Validator, '__call__', validate)
    trained, reported = train(settings_with('training.epochs=3'))
    assert len(reported) == 3
    assert trained.best_epoch == 1
    points = Table(trained.tangents, 1.0, 9.0, ()).points
    seen = (points - tables[1]).norm(dim=1) < 1e-9
    assert int(seen.sum()) >= len(points) - 3, 'all but the hidden codes stand where they stood'
    assert not bool(((points - tables[2]).norm(dim=1) < 1e-9).all())


def test_training_stops_when_patience_ends(train, settings_with, selection_is):
    selection_is(1 / number for number in itertools.count(1))
    trained, reported = train(settings_with('training.epochs=6', 'training.patience=2'))
    assert sorted(reported) == [0, 1, 2]
    assert trained.best_epoch == 0


@pytest.mark.parametrize('dropout', ['0', 'null'])
def test_resumed_training_equals_uninterrupted_training(train, settings_with, dropout):
    settings = settings_with('training.epochs=4', f'model.dropout={dropout}', 'training.patience=9')
    whole, _ = train(settings, 'whole')
    with pytest.raises(EndOfProcessError):
        train(settings, 'parts', stop_after=2)
    resumed, reported = train(settings, 'parts', resume='last')
    assert sorted(reported) == [2, 3], 'the first two epochs are not trained again'
    assert_same(whole, resumed)


def test_resumed_head_only_epochs_equal_uninterrupted_ones(train, settings_with):
    """Validation is not in every epoch, and its metrics are in those of its own only."""
    head_only = (
        'training.head_only.epochs=6',
        'training.head_only.validate_every=3',
        'training.epochs=2',
    )
    settings = settings_with(*head_only, 'training.patience=9')
    whole, _ = train(settings, 'whole')
    validated = [SELECTION in epoch for epoch in whole.history]
    assert validated == [False, False, True, False, False, True, True, True]
    assert all('train/loss' in epoch for epoch in whole.history)
    for stop in (3, 4, 5, 7):
        with pytest.raises(EndOfProcessError):
            train(settings, f'parts{stop}', stop_after=stop)
        resumed, _ = train(settings, f'parts{stop}', resume='last')
        assert_same(whole, resumed)


def test_a_training_that_stopped_early_is_over(train, settings_with, selection_is):
    selection_is(1 / number for number in itertools.count(1))
    settings = settings_with('training.epochs=6', 'training.patience=2')
    first, reported = train(settings)
    assert sorted(reported) == [0, 1, 2]
    again, reported = train(settings, resume='last')
    assert reported == {}
    assert_same(first, again)


def test_a_moved_training_keeps_its_best_epoch(train, settings_with, tmp_path, selection_is):
    selection_is([0.9, 0.1, 0.2, 0.3])
    settings = settings_with('training.epochs=4', 'training.patience=9')
    with pytest.raises(EndOfProcessError):
        train(settings, 'first', stop_after=2)
    (tmp_path / 'first').rename(tmp_path / 'moved')
    trained, reported = train(settings, 'other', resume=str(tmp_path / 'moved' / 'last.ckpt'))
    assert sorted(reported) == [2, 3]
    assert trained.best_epoch == 0
    (best,) = (tmp_path / 'moved').glob('best-*.ckpt')
    best.unlink()
    other = tmp_path / 'third' / 'best-epoch=09-selection=0.9500.ckpt'
    other.parent.mkdir()
    other.touch()
    with pytest.raises(ArtifactError, match=r'best-epoch=00.*not beside .*never'):
        train(settings, 'third', resume=str(tmp_path / 'moved' / 'last.ckpt'))
    assert other.is_file(), 'the best epoch of another training is left alone'


@pytest.mark.parametrize('content', [b'', b'garbage', b'PK\x03\x04 cut off'])
def test_a_file_that_is_no_checkpoint_is_named(train, settings_with, tmp_path, content):
    (tmp_path / 'some.ckpt').write_bytes(content)
    with pytest.raises(ArtifactError, match=r'some\.ckpt is no checkpoint that can be read'):
        train(settings_with(), resume=str(tmp_path / 'some.ckpt'))
    torch.save({'weights': torch.ones(2)}, tmp_path / 'some.ckpt')
    with pytest.raises(ArtifactError, match=r'some\.ckpt is not a checkpoint of a text training'):
        train(settings_with(), resume=str(tmp_path / 'some.ckpt'))


def test_a_checkpoint_of_other_settings_is_refused(train, settings_with, tmp_path):
    train(settings_with('training.epochs=1'), 'small')
    last = str(tmp_path / 'small' / 'last.ckpt')
    with pytest.raises(ConfigError, match=r'last\.ckpt is of a training with other settings'):
        train(settings_with('model.head_units=16'), resume=last)


def test_a_missing_gpu_is_reported_before_anything_is_built(train, settings_with, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match=r'accelerator=gpu, but torch sees no GPU'):
        train(settings_with('training.accelerator=gpu'))


def test_each_batch_of_an_accumulated_step_has_its_own_noise(train, settings_with, monkeypatch):
    drawn = []
    real = TextModule.training_step

    def note(self, batch, batch_idx):
        drawn.append(torch.initial_seed())
        return real(self, batch, batch_idx)

    monkeypatch.setattr(TextModule, 'training_step', note)
    train(settings_with('training.epochs=2', 'training.accumulate=3'))
    assert len(set(drawn)) == len(drawn) > 6


def test_a_finished_training_is_taken_up_as_it_is(train, settings_with):
    first, _ = train(settings_with())
    again, reported = train(settings_with(), resume='auto')
    assert reported == {}
    assert_same(first, again)


def test_resume_never_starts_afresh(train, settings_with):
    settings = settings_with()
    first, _ = train(settings)
    again, reported = train(settings, resume='never')
    assert sorted(reported) == [0, 1]
    assert_same(first, again)


def test_resume_takes_a_path(train, settings_with, tmp_path):
    settings = settings_with('training.epochs=3')
    with pytest.raises(EndOfProcessError):
        train(settings, stop_after=1)
    moved = tmp_path / 'kept.ckpt'
    (tmp_path / 'checkpoints' / 'last.ckpt').rename(moved)
    _, reported = train(settings, resume=str(moved))
    assert sorted(reported) == [1, 2]


@pytest.mark.parametrize('resume', ['last', '/nowhere/some.ckpt'])
def test_a_missing_checkpoint_is_named(train, settings_with, resume):
    with pytest.raises(ArtifactError, match=r'no checkpoint .*\.ckpt to resume from'):
        train(settings_with(), resume=resume)


def test_an_unhealthy_table_stops_training_before_it_is_saved(train, settings_with, tmp_path):
    settings = settings_with('training.lr_table=30', 'training.clip=1')
    with pytest.raises(HealthError, match=r'epoch 0: fraction of points.*none was saved yet'):
        train(settings)
    assert list((tmp_path / 'checkpoints').glob('*.ckpt')) == []


def test_the_last_good_checkpoint_survives(train, settings_with, tmp_path, monkeypatch):
    real = callbacks.health_report
    reports = []

    def collapse_later(*arguments, **options):
        report = real(*arguments, **options)
        reports.append(report)
        return {**report, 'effective_rank_centred': 1.1} if len(reports) == 2 else report

    monkeypatch.setattr(callbacks, 'health_report', collapse_later)
    with pytest.raises(
        HealthError, match=r'epoch 1: effective rank.*last good.*checkpoints/last\.ckpt'
    ):
        train(settings_with('training.epochs=3'))
    last = torch.load(tmp_path / 'checkpoints' / 'last.ckpt', weights_only=True)
    assert last['epoch'] == 0


def test_the_health_of_each_epoch_is_reported(train, settings_with, material):
    trained, reported = train(settings_with('training.epochs=2'))
    for epoch in (0, 1):
        metrics = reported[epoch]
        radii = [
            metrics[f'health/radius_{name}'] for name in ('min', 'q05', 'median', 'q95', 'max')
        ]
        assert radii == sorted(radii)
        assert radii[0] > 0
        assert metrics['health/non_finite'] == 0
        medians = [metrics[f'health/radius_level_{level}_median'] for level in range(2, 7)]
        assert medians == sorted(medians)
        assert 0 <= metrics['health/fraction_at_bound'] <= 1
        assert trained.history[epoch]['health/radius_median'] == radii[2]
    # The best epoch's own table, as it was left.
    known = torch.from_numpy(material.supervised) if hasattr(material, 'supervised') else None
    radius = trained.tangents.norm(dim=1)
    chosen = radius if known is None else radius[known]
    best = reported[trained.best_epoch]
    assert best['health/radius_max'] == pytest.approx(float(chosen.max()), rel=1e-4)


def test_a_bound_on_the_radii_stops_training(train, settings_with):
    with pytest.raises(HealthError, match=r'95 % quantile of the radius .* above 0\.5'):
        train(settings_with('training.health.max_radius_q95=0.5'))


@pytest.fixture
def poison(monkeypatch):
    """Return a function that has some weights spoiled after a step, epoch and batch counted."""

    def arrange(spoil, epoch, batch):
        real = callbacks.HealthGuard.on_train_batch_end

        def then(self, trainer, module, outputs, data, at):
            real(self, trainer, module, outputs, data, at)
            last = trainer.num_training_batches - 1
            if trainer.current_epoch == epoch and at == (last if batch == 'last' else batch):
                with torch.no_grad():
                    spoil(module.model)

        monkeypatch.setattr(callbacks.HealthGuard, 'on_train_batch_end', then)

    return arrange


def test_a_loss_that_is_not_finite_stops_training_at_once(train, settings_with, tmp_path, poison):
    poison(lambda model: model.table[0].fill_(torch.nan), 1, 0)
    with pytest.raises(
        HealthError, match=r'epoch 1: the loss of step 1 is nan.*checkpoints/last\.ckpt'
    ):
        train(settings_with('training.epochs=3'))
    last = torch.load(tmp_path / 'checkpoints' / 'last.ckpt', weights_only=True)
    assert last['epoch'] == 0


@pytest.mark.parametrize(
    ('weights', 'override'),
    [
        ('log_temperature', 'training.clip=0'),
        ('learned_curvature.log_curvature', 'model.learn_curvature=true'),
        ('head.linear.weight', 'training.clip=1'),
    ],
)
def test_weights_that_are_not_finite_are_never_saved(
    train, settings_with, tmp_path, poison, weights, override
):
    poison(lambda model: model.get_parameter(weights).fill_(torch.nan), 1, 'last')
    with pytest.raises(HealthError, match=rf'epoch 1: model\.{weights} holds NaN'):
        train(settings_with('training.epochs=3', override))
    last = torch.load(tmp_path / 'checkpoints' / 'last.ckpt', weights_only=True)
    assert last['epoch'] == 0
    assert all(value.isfinite().all() for value in last['state_dict'].values())


def test_the_checkpoint_of_another_training_is_not_called_good(train, settings_with, tmp_path):
    train(settings_with('training.epochs=1'))
    with pytest.raises(HealthError, match='last good checkpoint: none was saved yet'):
        train(settings_with('training.lr_table=30'), resume='never')


def test_the_checkpoint_of_the_head_only_epochs_is_named(train, settings_with):
    head_only = ('training.head_only.epochs=2', 'training.head_only.validate_every=1')
    with pytest.raises(HealthError, match=r'last good checkpoint: .*head_only/last\.ckpt'):
        train(settings_with('training.lr_table=30', 'training.clip=1', *head_only))


def test_health_looks_at_supervised_codes(train, settings_with, monkeypatch, material):
    sizes = []
    real = callbacks.health_report

    def note(points, **options):
        sizes.append(len(points))
        return real(points, **options)

    monkeypatch.setattr(callbacks, 'health_report', note)
    train(settings_with('training.epochs=1'))
    assert sizes == [int(material.supervised.sum())]


def test_dropout_is_on_in_training_and_off_in_validation(train, settings_with, monkeypatch):
    seen: dict[str, list[bool]] = {'training': [], 'validation': []}

    def watch(name: str, step: str) -> None:
        real = getattr(TextModule, step)

        def wrapped(self, batch, batch_idx):
            texts = batch.queries if name == 'training' else batch[0]
            hidden, mask = texts.parts[0].hidden, texts.parts[0].mask
            dropouts = [
                module
                for module in self.model.encoder.backbone.encoder.layer[1:].modules()
                if isinstance(module, nn.Dropout) and module.p > 0
            ]
            assert dropouts
            assert len({module.training for module in dropouts}) == 1
            with torch.random.fork_rng(), torch.no_grad():
                one = self.model.encoder.upper(hidden, mask)
                other = self.model.encoder.upper(hidden, mask)
            differs = not torch.equal(one, other)
            assert differs == dropouts[0].training
            seen[name].append(differs)
            return real(self, batch, batch_idx)

        monkeypatch.setattr(TextModule, step, wrapped)

    watch('training', 'training_step')
    watch('validation', 'validation_step')
    trained, _ = train(settings_with('model.dropout=0.2', 'training.epochs=2'))
    assert len(seen['training']) > 2
    assert all(seen['training'])
    assert seen['validation']
    assert not any(seen['validation'])
    assert not trained.backbone.training


def test_dropout_settings_reach_the_adapted_layers(make_inputs, settings_with):
    for value, expected in (('null', 0.1), ('0.3', 0.3), ('0', 0.0)):
        model = make_model(make_inputs(), settings_with(f'model.dropout={value}'))
        layers = model.encoder.backbone.encoder.layer
        result = {m.p for m in layers[1:].modules() if isinstance(m, nn.Dropout)}
        assert expected in result
        assert result <= {expected, 0.0}, 'the adapter has its own, 0 here'
        assert {m.p for m in layers[:1].modules() if isinstance(m, nn.Dropout)} == {0.1}


def test_the_lower_layers_never_use_dropout(make_inputs, settings_with):
    encoder: SentenceEncoder = make_model(make_inputs(), settings_with()).encoder
    encoder.train()
    ids, mask = torch.randint(4, 60, (3, 7)), torch.ones(3, 7, dtype=torch.bool)
    assert torch.equal(encoder.lower(ids, mask), encoder.lower(ids, mask))
    assert encoder.backbone.training, 'the mode is restored'


def test_the_head_starts_as_the_regression_from_frozen_texts(make_inputs, settings_with):
    inputs, settings = make_inputs(), settings_with('model.head_ridge=0.01')
    model = make_model(inputs, settings)
    embeddings = torch.from_numpy(inputs.corpus.embeddings[inputs.train.rows])
    expected = inputs.start[torch.from_numpy(inputs.train.targets)]
    got = model.head.tangent(embeddings).detach().double()
    mean = expected.mean(dim=0)
    assert (got - expected).square().sum() < 0.8 * (expected - mean).square().sum()


def test_the_table_is_bounded(make_inputs, settings_with):
    model = make_model(make_inputs(), settings_with('model.r_max=5'))
    with torch.no_grad():
        model.table.mul_(100)
    bounded = bound_radius(model.table.double(), r_max=5.0)
    assert float(bounded.detach().norm(dim=1).max()) <= 5.0 + 1e-9
    assert bool(model.code_points().isfinite().all())


def test_a_code_without_any_channel_is_refused(make_inputs, settings_with, tmp_path):
    inputs = make_inputs()
    bare = replace(inputs, corpus=replace(inputs.corpus, channels=inputs.corpus.channels[:, 1:]))
    with pytest.raises(ConfigError, match=r'model\.channels.*title'):
        train_text(bare, settings_with(), tmp_path)


@pytest.mark.parametrize('part', ['train', 'validation'])
def test_missing_queries_are_refused(make_inputs, settings_with, tmp_path, part):
    inputs = make_inputs()
    none = replace(inputs.train, rows=inputs.train.rows[:0], targets=inputs.train.targets[:0])
    lacking = replace(inputs, train=none) if part == 'train' else replace(inputs, validation={})
    with pytest.raises(ConfigError, match=rf'no {"training" if part == "train" else part} queries'):
        train_text(lacking, settings_with(), tmp_path)
