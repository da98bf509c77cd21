"""Finished runs are found by id, name and role, and their histories by stage."""

import pytest
from mlflow import MlflowClient

from naics_embed.artifacts import write_json
from naics_embed.errors import TrackingError
from tasks.engine.tracking import PARENT
from tasks.registry.runs import RunStore
from tests.tiny_bundle import METRICS, write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    uri = f'sqlite:///{folder / "mlflow.db"}'
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment('runs', artifact_location=(folder / 'a').as_uri())

    def run(name, tags, params, metrics, history=()):
        made = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        for key, value in params.items():
            client.log_param(made, key, value)
        for key, value in metrics.items():
            client.log_metric(made, key, value)
        for key, step, value in history:
            client.log_metric(made, key, value, step=step)
        client.set_terminated(made)
        return made

    old = run('first', {}, {'model.dim': 8, 'same': 1}, {'test/mrr': 0.5})
    steps = [('train/loss', 0, 4.0), ('train/loss', 1, 3.0), ('train/loss', 1, 2.5), ('once', 0, 1)]
    trained = run('text_training', {PARENT: old, 'stage': 'text_training'}, {}, {}, steps)
    new = run('second', {}, {'model.dim': 16, 'same': 1}, {'test/mrr': 0.6})
    again = {PARENT: new, 'stage': 'text_training', 'computed_by': trained}
    run('text_training', again, {}, {'best': 1.0})
    run('code-batch', {}, {'text_column': 'what', 'level': 6}, {'rows_per_s': 500.0})
    run('controls', {}, {'model.dim': 16}, {'controls/shuffled': 0.1})
    return folder, uri, {'old': old, 'new': new, 'trained': trained}


@pytest.fixture
def store(place) -> RunStore:
    folder, uri, _ = place
    return RunStore(uri, folder)


def test_a_run_has_many_names(store, place):
    folder, _, ids = place
    assert store.find(ids['old']).info.run_id == ids['old']
    assert store.find(ids['old'][:10]).info.run_id == ids['old']
    assert store.find('first').info.run_id == ids['old']
    assert store.find('latest').info.run_id == ids['new']
    with pytest.raises(TrackingError, match='no promoted run'):
        store.find('promoted')
    write_json(folder / 'promoted.json', {'bundle': 'b', 'run': ids['old']})
    assert store.find('promoted').info.run_id == ids['old']
    (folder / 'promoted.json').unlink()


def test_the_latest_run_is_the_latest_pipeline_not_a_coding_or_controls(store, place):
    _, _, ids = place
    assert store.find('latest').info.run_id == ids['new']
    assert store.find('code-batch').info.run_name == 'code-batch'
    assert store.facts('latest').identity == store.facts('second').identity == ids['new']


def test_what_is_not_found_is_said(store, place, tmp_path):
    with pytest.raises(TrackingError, match=r"no run 'third'.*second"):
        store.find('third')
    with pytest.raises(TrackingError, match="2 runs are called 'text_training'"):
        store.find('text_training')
    with pytest.raises(TrackingError, match='no tracking database'):
        RunStore(f'sqlite:///{tmp_path / "mlflow.db"}', tmp_path)
    assert not (tmp_path / 'mlflow.db').exists()


def test_facts_of_a_run_and_of_a_bundle(store, tmp_path):
    facts = store.facts('second')
    assert facts.settings == {'model.dim': '16', 'same': '1'}
    assert facts.metrics == {'test/mrr': 0.6}
    write_tiny_bundle(tmp_path / 'bundle', write_tiny_encoder(tmp_path / 'encoder'))
    facts = store.facts(str(tmp_path / 'bundle'))
    assert facts.settings == {'model.dim': '8'}
    assert facts.metrics == {name: metric['value'] for name, metric in METRICS.items()}


@pytest.mark.parametrize('name', ['first', 'second'])
def test_the_history_is_that_of_the_run_that_computed_the_stage(store, name):
    shown, history = store.history(name, 'text_training')
    assert shown.startswith(f'{name} ')
    assert history == {'train/loss': [(0, 4.0), (1, 2.5)]}


def test_a_run_without_the_stage_has_its_own_history(store):
    assert store.history('first', 'refinement')[1] == {}
