"""Promotion between runs, in the pointer and in a real MLflow registry."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from naics_embed.bundle.promotion import promoted_bundle, promotion_record
from naics_embed.errors import ArtifactError
from naics_embed.evaluation.promotion_rule import Criterion, PromotionRule
from tasks.engine.tracking import pipeline_run
from tasks.registry import promotion
from tasks.registry.models import alias, register
from tasks.registry.promotion import Contender, promote_bundle, promote_run, roll_back

RULE = PromotionRule((Criterion('mrr', 0.01), Criterion('plain', 0.02)), 1.0, 2.0)


@pytest.fixture
def uri(tmp_path) -> str:
    return f'sqlite:///{tmp_path / "mlflow.db"}'


@pytest.fixture
def tracker(tmp_path, uri):
    with pipeline_run(uri, 'registry', tmp_path / 'mlartifacts', {}, {}) as opened:
        yield opened


@pytest.fixture
def contender(tmp_path):
    """Contenders with bundles of their own: what lies in them does not matter here."""

    def build(name: str, mrr: float, plain: float = 0.6, data: str = 'census') -> Contender:
        bundle: Path = tmp_path / 'root' / name
        bundle.mkdir(parents=True, exist_ok=True)
        (bundle / 'manifest.json').write_text(f'{{"name": "{name}"}}')
        return Contender(bundle, 'text', {'mrr': mrr, 'plain': plain}, data, 'folder')

    return build


@pytest.fixture
def put(tmp_path, tracker):
    def run(contender: Contender, *, force: bool = False):
        return promote_run(tmp_path / 'root', tracker, contender, RULE, model='table', force=force)

    return run


def aliases(uri: str) -> tuple[str | None, str | None]:
    client = MlflowClient(uri)
    return alias(client, 'table', 'champion'), alias(client, 'table', 'previous')


def test_of_two_runs_that_end_at_once_the_better_one_is_in_use(
    tmp_path, put, contender, monkeypatch
):
    inside, most = [], []
    original = promotion.register

    def slow(*given):
        inside.append(given)
        most.append(len(inside))
        time.sleep(0.3)
        found = original(*given)
        inside.remove(given)
        return found

    monkeypatch.setattr(promotion, 'register', slow)
    contenders = [contender('worse', 0.80), contender('better', 0.90)]
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(put, contenders))
    assert max(most) == 1, 'one after the other'
    assert outcomes[1].promoted
    assert promoted_bundle(tmp_path / 'root').name == 'better'


@pytest.mark.slow
def test_better_tables_take_over_and_worse_ones_do_not(tmp_path, uri, put, contender):
    root = tmp_path / 'root'
    first = contender('first', 0.80)
    assert put(first).reason == 'nothing was in use before'
    assert aliases(uri) == ('1', None)
    assert put(first).reason == 'it is in use already'

    worse = put(contender('worse', 0.9, plain=0.5))
    assert not worse.promoted
    assert worse.reason.startswith('worse: plain by -5.0 deviations; to use it anyway: ')
    assert len(worse.rows) == 2
    tie = put(contender('tie', 0.81))
    assert not tie.promoted
    foreign = put(contender('foreign', 0.99, data='package'))
    assert 'validated on other data' in foreign.reason
    assert promoted_bundle(root) == first.bundle
    assert aliases(uri) == ('1', None)

    better = contender('better', 0.83)
    assert put(better).promoted
    assert promoted_bundle(root) == better.bundle
    assert aliases(uri) == ('2', '1')
    forced = put(contender('worse', 0.9, plain=0.5), force=True)
    assert forced.reason.startswith('forced (promotion.force), although worse: plain')
    assert aliases(uri) == ('3', '2')

    assert roll_back(root)['registry']['version'] == '2'
    assert promoted_bundle(root) == better.bundle
    assert aliases(uri) == ('2', '3')
    roll_back(root)
    assert aliases(uri) == ('3', '2')

    promote_bundle(root, first.bundle)
    assert promoted_bundle(root) == first.bundle
    assert aliases(uri) == ('1', '3')
    assert promotion_record(root)['previous']['registry']['version'] == '3'


@pytest.mark.slow
def test_a_bundle_is_registered_once(tmp_path, uri, tracker, contender):
    bundle = contender('first', 0.8).bundle
    MlflowClient(uri).log_metric(tracker.parent_run_id, 'test/mrr', 0.8)
    versions = {
        register(uri, tracker.parent_run_id, 'table', bundle, {'table': 'text'}).version
        for _ in range(2)
    }
    assert versions == {'1'}
    found = MlflowClient(uri).get_model_version('table', '1')
    assert found.run_id == tracker.parent_run_id
    assert found.tags['table'] == 'text'
    run = MlflowClient(uri).get_run(tracker.parent_run_id)
    (output,) = run.outputs.model_outputs
    logged = MlflowClient(uri).get_logged_model(output.model_id)
    assert logged.source_run_id == tracker.parent_run_id
    assert logged.status == 'READY'
    assert {metric.key: metric.value for metric in logged.metrics} == {'test/mrr': 0.8}


def test_a_table_whose_bundle_is_gone_stands_in_no_ones_way(tmp_path, put, contender, monkeypatch):
    made = []

    def noted(uri, run_id, model, bundle, tags):
        made.append(bundle)
        return promotion.Registered(uri, model, str(len(made)))

    monkeypatch.setattr(promotion, 'register', noted)
    monkeypatch.setattr(promotion, 'set_champion', lambda registered: None)
    good = contender('good', 0.9)
    put(good)
    (good.bundle / 'manifest.json').unlink()
    poor = contender('poor', 0.1)
    assert put(poor).reason == 'nothing was in use before'
    assert made == [good.bundle, poor.bundle]
    unmeasured = replace(contender('other', 0.9), metrics={})
    assert not put(unmeasured).promoted


def test_what_a_registry_that_was_away_left_undone_is_done_the_next_time(
    tmp_path, put, contender, monkeypatch
):
    root = tmp_path / 'root'
    champion: list[str] = []
    away = [False]

    def noted(uri, run_id, model, bundle, tags):
        return promotion.Registered(uri, model, bundle.name)

    def set_champion(registered):
        if away[0]:
            raise ConnectionError('the registry is away')
        champion.append(registered.version)

    monkeypatch.setattr(promotion, 'register', noted)
    monkeypatch.setattr(promotion, 'set_champion', set_champion)
    first, better = contender('first', 0.8), contender('better', 0.9)
    put(first)
    away[0] = True
    with pytest.raises(ConnectionError):
        put(better)
    away[0] = False
    assert put(better).reason == 'it is in use already'
    assert champion == ['first', 'better']

    away[0] = True
    with pytest.raises(ConnectionError):
        roll_back(root)
    assert promoted_bundle(root) == better.bundle, 'the pointer waits for the registry'
    away[0] = False
    roll_back(root)
    assert (promoted_bundle(root), champion[-1]) == (first.bundle, 'first')


@pytest.mark.parametrize('by_hand', ['promote', 'roll back'])
def test_a_user_waits_for_a_run_that_is_promoting(tmp_path, put, contender, monkeypatch, by_hand):
    root = tmp_path / 'root'
    first, second, third = (contender(name, 0.5) for name in ('first', 'second', 'third'))
    promote_bundle(root, first.bundle)
    promote_bundle(root, second.bundle)
    begun, go = threading.Event(), threading.Event()

    def slow(uri, run_id, model, bundle, tags):
        begun.set()
        assert go.wait(60)
        return promotion.Registered(uri, model, bundle.name)

    monkeypatch.setattr(promotion, 'register', slow)
    monkeypatch.setattr(promotion, 'set_champion', lambda registered: None)
    change = {
        'promote': lambda: promote_bundle(root, first.bundle),
        'roll back': lambda: roll_back(root),
    }[by_hand]
    with ThreadPoolExecutor(2) as pool:
        run = pool.submit(put, third, force=True)
        assert begun.wait(60)
        user = pool.submit(change)
        with pytest.raises(TimeoutError):
            user.result(0.3)
        go.set()
        run.result()
        user.result()
    wanted = first if by_hand == 'promote' else second
    assert promoted_bundle(root) == wanted.bundle
    assert promotion_record(root)['previous']['bundle'] == 'third'


def test_a_bundle_from_elsewhere_needs_no_registry(tmp_path, contender):
    root = tmp_path / 'root'
    record = promote_bundle(root, contender('hand', 0.5).bundle)
    assert record == {'bundle': 'hand'}
    with pytest.raises(ArtifactError, match='is no bundle'):
        promote_bundle(root, tmp_path)
