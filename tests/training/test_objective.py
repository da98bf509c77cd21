"""Every term and every mechanism of the curriculum acts in a step; what is off costs nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from naics_embed.errors import ConfigError
from naics_embed.geometry.lorentz import log0
from naics_embed.objective.negatives import Negatives
from naics_embed.objective.retrieval import Retrieval
from naics_embed.objective.weighted_sum import gradient_norms
from naics_embed.supervision.negatives import NegativeRules
from naics_embed.text.encoder import SentenceEncoder
from naics_embed.training.build import make_data, make_model, make_module, make_states
from naics_embed.training.data import StepDataset
from naics_embed.training.fit import train_text
from naics_embed.training.module import TrainingSchedule
from naics_embed.training.preconditions import check_training


@pytest.fixture
def step(make_inputs, settings_with):
    """Build module and first batch for some overrides."""

    def build(*overrides: str):
        inputs, settings = make_inputs(), settings_with('model.dropout=0', *overrides)
        against = np.full((len(inputs.train), 1), -1)
        against[::2, 0] = inputs.train.targets[::-2][: len(against[::2])]
        inputs = replace(inputs, train=replace(inputs.train, against=against))
        torch.manual_seed(0)
        states = make_states(inputs, settings)
        model = make_model(inputs, settings)
        module = make_module(model, inputs, settings, 10, TrainingSchedule(), states)
        data = make_data(inputs, settings)
        first = next(iter(data.train_dataloader().sampler))
        return module, StepDataset(inputs.corpus, inputs.train, data.settings)[first]

    return build


def on(term: str) -> str:
    return f'objective.{term}.weight=0.5'


TERMS = {
    'dcl': (on('dcl'),),
    'hierarchy': (on('hierarchy'),),
    'rank': (on('rank'), 'objective.rank.anchors=8', 'objective.rank.listed=12'),
    'radial': (on('radial'),),
    'cone': (on('cone'),),
    'teacher': (on('teacher'),),
    'memory': (on('memory'), 'objective.memory.nearest=20'),
    'ancestors': ('objective.retrieval.ancestor_credit=0.5',),
    'anchor': (on('anchor'),),
    'distillation': (
        on('distillation'),
        'objective.distillation.mix=0',
        'objective.distillation.noise=0',
    ),
    'balance': (on('balance'), 'model.fusion.kind=experts'),
    'offset': (on('offset'), 'model.code_points=text+offset'),
}


@pytest.mark.parametrize('term', sorted(TERMS))
def test_a_term_acts(step, material, term):
    module, batch = step(*TERMS[term])
    model = module.model
    with torch.no_grad():
        for parameter in (model.table, model.offset):
            if parameter is not None:
                parameter.add_(0.3 * torch.randn_like(parameter))
        for name, parameter in model.encoder.named_parameters():
            if 'lora_B' in name:
                parameter.normal_(std=0.1)
    # A memory takes over what a step has encoded.
    module.terms(batch, 0.25)
    terms = module.terms(batch, 0.25)
    assert terms.weights[term] > 0
    norm = gradient_norms(terms, model)[term]
    assert float(norm) > 1e-6
    before = float(terms.values[term].detach())
    gradient = torch.autograd.grad(
        terms.values[term],
        [p for p in model.parameters() if p.requires_grad],
        allow_unused=True,
    )
    size = torch.stack([g.square().sum() for g in gradient if g is not None]).sum()
    with torch.no_grad():
        for p, g in zip((p for p in model.parameters() if p.requires_grad), gradient, strict=True):
            if g is not None:
                p.sub_(1e-3 * g / size.sqrt().clamp_min(1e-3))
    assert float(module.terms(batch, 0.25).values[term].detach()) < before
    if model.table is not None and gradient is not None:
        model.zero_grad()
        module.terms(batch, 0.25).values[term].backward()
        if model.table.grad is not None:
            hidden = torch.from_numpy(~material.supervised)
            assert bool((model.table.grad[hidden] == 0).all())


def test_what_is_off_is_not_computed(step):
    module, batch = step('objective.stress.weight=0', 'objective.placement.weight=0')
    terms = module.terms(batch, 0.5)
    assert set(terms.values) == {'retrieval'}
    assert len(batch.placed) == 0, 'no channel is even read'


def products_of(step, monkeypatch, *overrides: str):
    """Return module, batch and the sizes of all products of points in a step."""
    module, batch = step(*overrides)
    products = []
    pairwise = type(module.model.space).pairwise

    def product(self, x, y):
        products.append((len(x), len(y)))
        return pairwise(self, x, y)

    monkeypatch.setattr(type(module.model.space), 'pairwise', product)
    module.terms(batch, 0.5)
    return module, batch, products


def test_each_text_is_encoded_once(step, monkeypatch):
    module, batch = step(on('anchor'), 'objective.retrieval.ancestor_credit=0.5')
    seen = []
    original = module.model.encoder.upper

    def upper(hidden, mask, adapter=None):
        seen.append(len(hidden))
        return original(hidden, mask, adapter)

    monkeypatch.setattr(module.model.encoder, 'upper', upper)
    module.terms(batch, 0.5)
    assert sum(seen) == len(batch.target) + int(batch.present.sum())


def test_texts_meet_the_candidates_of_their_level_and_no_others(step, monkeypatch):
    module, batch, products = products_of(step, monkeypatch)
    level, known = module.objective.tree.level, module.objective.tree.supervised
    expected = []
    for texts in (batch.target, batch.placed):
        own = level[texts]
        for value in own.unique().tolist():
            expected.append((int((own == value).sum()), int(((level == value) & known).sum())))
    assert products[:-1] == expected
    assert products[-1] == (len(batch.drawn), len(batch.drawn))


def test_queries_meet_every_code_where_a_term_asks_for_it(step, monkeypatch):
    module, batch, products = products_of(
        step, monkeypatch, 'objective.retrieval.ancestor_credit=0.5'
    )
    assert products[0] == (len(batch.target), len(module.objective.tree.level))


def test_schedules_switch_terms(step):
    module, batch = step(
        on('radial'), 'objective.radial.start=0.5', on('teacher'), 'objective.teacher.fade=1.0'
    )
    assert 'radial' not in module.terms(batch, 0.25).values
    assert 'radial' in module.terms(batch, 0.75).values
    weights = [module.terms(batch, at).weights['teacher'] for at in (0.0, 0.5, 0.75)]
    assert weights == pytest.approx([0.5, 0.25, 0.125])


def test_retrieval_has_a_schedule_and_credit_for_ancestors_follows_it(step, monkeypatch):
    module, batch = step(
        'objective.retrieval.start=0.5',
        'objective.retrieval.ramp=0.2',
        'objective.retrieval.ancestor_credit=0.5',
    )
    encoded = []
    encode = SentenceEncoder.encode

    def watch(self, texts, adapter=None):
        encoded.append(texts)
        return encode(self, texts, *(() if adapter is None else (adapter,)))

    monkeypatch.setattr(SentenceEncoder, 'encode', watch)
    early = module.terms(batch, 0.25)
    assert set(early.values) == {'placement', 'stress', 'near'}
    assert not any(texts is batch.queries for texts in encoded), 'nothing asks for queries'
    early.total.backward()
    late = module.terms(batch, 0.6)
    assert any(texts is batch.queries for texts in encoded)
    assert (late.weights['retrieval'], late.weights['ancestors']) == pytest.approx((0.5, 0.25))
    assert early.queries == late.queries == len(batch.target)


def test_a_forced_negative_is_pushed_harder(step):
    pushes = {}
    for forced in (0, 8):
        module, batch = step(f'objective.retrieval.forced_negatives={forced}')
        module.terms(batch, 0.5).values['retrieval'].backward()
        pushes[forced] = module.model.table.grad.clone()
    assert not torch.allclose(pushes[0], pushes[8])


@pytest.mark.parametrize(
    'rules',
    [
        NegativeRules(mask_siblings=True),
        NegativeRules(hard=1),
        NegativeRules(mask_false=True),
        NegativeRules(distance_exponent=2.0),
    ],
)
def test_the_curriculum_leaves_forced_negatives_as_they_are(step, rules):
    module, batch = step('objective.retrieval.forced_negatives=4')
    objective = module.objective
    cluster = torch.zeros_like(objective.tree.level)
    far = torch.zeros(len(batch.target), len(objective.tree.level), dtype=torch.float64)
    siblings = objective.tree.parent[None, :] == objective.tree.parent[batch.target][:, None]
    row = next(
        r
        for r, own in enumerate(batch.target.tolist())
        if int((siblings[r] & objective.tree.supervised).sum()) > 1
    )
    own = int(batch.target[row])
    named = next(
        c for c in (siblings[row] & objective.tree.supervised).nonzero()[:, 0].tolist() if c != own
    )
    batch.against[:] = -1
    batch.against[row, 0] = named
    far[row, named] = 9.0
    retrieval = next(term for term in objective.terms if isinstance(term, Retrieval))

    def counts(negatives: Negatives) -> torch.Tensor:
        return retrieval.log_weights(objective.step(module.model, batch, negatives), far).exp()

    counted = counts(Negatives(rules, True, cluster))
    assert float(counted[row, named]) == pytest.approx(4)
    assert float(counted[row, own]) == 1
    others = counted[row].clone()
    others[[named, own]] = 0
    plain = counts(Negatives())[row]
    plain[[named, own]] = 0
    assert not torch.allclose(others, plain), 'the mechanism acts on the others'


@pytest.mark.parametrize(
    ('rules', 'fraction'),
    [
        (NegativeRules(distance_exponent=1.0), 'weighted'),
        (NegativeRules(mask_siblings=True), 'siblings'),
        (NegativeRules(hard=4), 'hard'),
        (NegativeRules(hard=4, router=3), 'router'),
        (NegativeRules(mask_false=True), 'false_negatives'),
        (NegativeRules(attract_false=True), 'false_negatives'),
    ],
)
@pytest.mark.parametrize('where', ['dcl', 'retrieval'])
def test_a_mechanism_changes_the_loss_and_logs_its_fraction(step, rules, fraction, where):
    module, batch = step(
        on('dcl'), 'model.fusion.kind=experts', 'objective.dcl.positive_distance=1'
    )
    model, objective = module.model, module.objective
    plain = module.terms(batch, 0.5)
    known = objective.tree.supervised.nonzero().squeeze(1)
    cluster = torch.full_like(objective.tree.level, -1)
    cluster[known] = torch.arange(len(known)) % 3
    routes = model.fusion.routes(model.channels, model.present).detach()
    module.negatives = Negatives(rules, where == 'retrieval', cluster, routes)
    changed = module.terms(batch, 0.5)
    difference = (changed.values[where] - plain.values[where]).detach().abs()
    if where == 'retrieval' and rules.attract_false and not rules.mask_false:
        # A query has one right code: there is nothing to attract it to.
        assert float(difference) == pytest.approx(0)
    else:
        assert float(difference) > 1e-6
    assert 0 < float(changed.metrics[f'{where}_{fraction}']) <= 1
    changed.values[where].backward()
    assert bool((model.table.grad != 0).any())


def test_contrast_never_repels_kin_or_redirected_pairs(step, material):
    module, batch = step(on('dcl'))
    objective = module.objective
    objective.tree.marks[:] = 2
    slope = module.terms(batch, 0.5).values['dcl']
    assert float(slope.detach()) == 0, 'all pairs are marked, so there are no negatives'


def test_codes_from_texts_are_all_candidates_and_live_ones_learn(step):
    module, batch = step('model.code_points=text', 'objective.placement.weight=0')
    model = module.model
    assert model.table is None
    assert model.offset is None
    codes = set(batch.placed.tolist())
    assert len(codes) > 1
    terms = module.terms(batch, 0.5)
    terms.values['retrieval'].backward()
    channel = [p for n, p in model.encoder.named_parameters() if '_channel' in n and 'lora_B' in n]
    assert any((p.grad != 0).any() for p in channel if p.grad is not None)
    assert bool((model.head.linear.weight.grad != 0).any())
    live_codes, live = terms.live
    assert set(live_codes.tolist()) == codes
    assert len(live_codes) == len(live) == len(codes)
    # The cache stands in for all the others: a change there changes the loss.
    before = float(terms.values['retrieval'].detach())
    other = next(c for c in batch.target.tolist() if c not in codes)
    model.channels[other] = -model.channels[other]
    assert float(module.terms(batch, 0.5).values['retrieval'].detach()) != before


def test_offsets_move_supervised_codes_and_unseen_ones_stay_with_their_texts(step, material):
    module, batch = step('model.code_points=text+offset', 'model.offset_start=construction')
    model = module.model
    known = torch.from_numpy(material.supervised)
    tangents = log0(model.code_points(), c=1.0).detach()
    torch.testing.assert_close(tangents[known], material.start[known], atol=1e-3, rtol=1e-3)
    assert bool((model.offset[~known] == 0).all())
    module.terms(batch, 0.5).total.backward()
    assert bool((model.offset.grad[~known] == 0).all())
    assert bool((model.offset.grad[known] != 0).any(1).all())


def test_frozen_mode_reads_embeddings_only(step):
    module, batch = step('model.mode=frozen')
    assert batch.queries.parts == []
    module.terms(batch, 0.5).total.backward()
    assert not any(p.requires_grad for p in module.model.encoder.parameters())
    assert bool((module.model.table.grad != 0).any())


def test_noise_perturbs_texts_in_training_only(step):
    module, batch = step('model.embedding_dropout=0.3', 'model.embedding_noise=0.2')
    one, other = (float(module.terms(batch, 0.5).total.detach()) for _ in range(2))
    assert one != other
    module.eval()
    one, other = (float(module.terms(batch, 0.5).total.detach()) for _ in range(2))
    assert one == other


@pytest.mark.parametrize('geometry', ['euclidean', 'spherical'])
def test_other_geometries_train(step, geometry):
    module, batch = step(
        f'model.geometry={geometry}', 'model.r_max=3', 'construction.tau=0.6', on('radial')
    )
    module.terms(batch, 0.5).total.backward()
    assert bool(module.model.table.grad.isfinite().all())


class HalfPrecision(TorchDispatchMode):
    """Collects what is computed in half precision, except while it is switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.aside = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        half = isinstance(result, torch.Tensor) and result.dtype == torch.bfloat16
        if half and not self.aside:
            self.found.append(str(func))
        return result


def test_mixed_precision_is_for_the_transformer_only(step, monkeypatch):
    module, batch = step(
        'model.code_points=text+offset',
        'model.fusion.kind=experts',
        'objective.distillation.weight=0.5',
        'objective.retrieval.ancestor_credit=0.3',
        *(on(term) for term in ('dcl', 'hierarchy', 'rank', 'radial', 'cone', 'anchor')),
    )
    model = module.model
    module.negatives = Negatives(
        NegativeRules(hard=5, router=3),
        routes=model.fusion.routes(model.channels, model.present).detach(),
    )
    watch = HalfPrecision()
    real = SentenceEncoder.upper

    def upper(self, *arguments, **options):
        watch.aside = True
        embeddings = real(self, *arguments, **options)
        watch.aside = False
        assert embeddings.dtype == torch.float32
        return embeddings

    monkeypatch.setattr(SentenceEncoder, 'upper', upper)
    with watch, torch.autocast('cpu', dtype=torch.bfloat16):
        torch.ones(2, 2) @ torch.ones(2, 2)
        assert watch.found, 'it is seen where it happens'
        watch.found.clear()
        terms = module.terms(batch, 0.5)
    assert watch.found == []
    assert {'distillation', 'dcl', 'retrieval', 'placement', 'balance'} <= set(terms.values)
    assert 'dcl_router' in terms.metrics


@pytest.mark.parametrize(
    ('overrides', 'words'),
    [
        ((on('cone'), 'model.geometry=euclidean'), 'Lorentz geometry only'),
        ((on('anchor'), 'model.mode=frozen'), 'near the frozen ones'),
        (
            ('model.fusion.kind=attention', 'objective.placement.weight=0'),
            'both are off',
        ),
        (('curriculum.enabled=true',), 'both are off'),
        (
            ('curriculum.enabled=true', 'curriculum.retrieval=true', 'curriculum.router=2'),
            r'curriculum\.router needs',
        ),
    ],
)
def test_terms_that_cannot_act_are_refused(settings_with, overrides, words):
    settings_with()
    with pytest.raises(ConfigError, match=words):
        settings_with(*overrides)


BARE = ('objective.stress.weight=0', 'objective.placement.weight=0')
LATE = (
    *BARE,
    'training.head_only.epochs=2',
    'training.head_only.validate_every=1',
    'training.epochs=2',
)


@pytest.mark.parametrize(
    ('overrides', 'gap'),
    [
        (BARE, None),
        ((*BARE, 'objective.retrieval.ramp=0.1'), '0'),
        ((*BARE, 'objective.retrieval.end=0.9'), '0.9'),
        (
            (
                'objective.retrieval.start=0.5',
                'objective.stress.weight=0',
                'objective.placement.end=0.4',
            ),
            '0.4',
        ),
        # Half of the run are head-only epochs, on frozen embeddings.
        ((*LATE, 'objective.retrieval.start=0.5', on('anchor')), '0'),
        ((*LATE, 'objective.retrieval.start=0.75', on('distillation')), '0'),
        ((*LATE, 'objective.retrieval.start=0.5', 'training.head_only.distillation=1'), None),
        ((*LATE, 'objective.retrieval.start=0.75', 'training.head_only.distillation=1'), '0.5'),
        ((*LATE, 'objective.retrieval.end=0.6', on('anchor')), None),
        (
            (
                *LATE,
                'objective.retrieval.start=0.75',
                'training.head_only.distillation=1',
                'training.head_only.only_below=100000',
            ),
            None,
        ),
    ],
)
def test_every_part_of_the_run_has_a_term(settings_with, make_inputs, tmp_path, overrides, gap):
    inputs = make_inputs()
    if gap is not None:
        with pytest.raises(ConfigError, match=rf'no term of the objective acts at {gap} of the'):
            check_training(inputs, settings_with(*overrides))
        return
    trained = train_text(inputs, settings_with(*overrides), tmp_path)
    assert all(epoch['train/loss'] > 0 for epoch in trained.history)


def test_distillation_needs_queries_of_leaves(settings_with, make_inputs):
    inputs = make_inputs()
    above = inputs.taxonomy.level[inputs.train.targets] < 6
    assert not above.any()
    sectors = replace(
        inputs.train, targets=inputs.taxonomy.sector[inputs.train.targets].astype(int)
    )
    inputs = replace(inputs, train=sectors)
    with pytest.raises(ConfigError, match='needs training queries of six-digit codes'):
        check_training(inputs, settings_with(on('distillation')))
    check_training(inputs, settings_with('training.head_only.distillation=1'))


def test_forced_negatives_need_redirected_queries(settings_with, make_inputs):
    settings, inputs = settings_with('objective.retrieval.forced_negatives=4'), make_inputs()
    with pytest.raises(ConfigError, match=r'forced_negatives needs .*redirections=true'):
        check_training(inputs, settings)
    nowhere = np.full((len(inputs.train), 1), -1)
    with pytest.raises(ConfigError, match=r'forced_negatives needs'):
        check_training(replace(inputs, train=replace(inputs.train, against=nowhere)), settings)
    nowhere[0] = inputs.train.targets[1]
    check_training(replace(inputs, train=replace(inputs.train, against=nowhere)), settings)


def test_near_pairs_of_a_step_are_drawn_where_there_are_more_than_wanted(step):
    module, batch = step('objective.stress.near_pairs=4')
    every, _ = step('objective.stress.near_pairs=null')
    drawn = {float(module.terms(batch).values['near'].detach()) for _ in range(4)}
    assert module.objective.tree.near.shape[1] > 4
    assert len(drawn) > 1
    assert len({float(every.terms(batch).values['near'].detach()) for _ in range(4)}) == 1
