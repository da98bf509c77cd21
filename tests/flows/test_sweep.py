"""Cells of a sweep and their comparison, and one small sweep for real."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from flows import sweep as sweep_module
from flows.pipeline import pipeline
from flows.sweep import Cell, cells_of, comparison, sweep
from naics_embed.errors import ConfigError
from tests.flows.test_pipeline import SMALL


def test_a_grid_is_every_combination_with_every_seed():
    cells = cells_of(
        {'model.dim': [8, 16], 'model.channels': [['title']]}, [['training.epochs=2']], [0, 7]
    )
    assert [cell.settings for cell in cells[::2]] == [
        ('model.dim=8', 'model.channels=["title"]'),
        ('model.dim=16', 'model.channels=["title"]'),
        ('training.epochs=2',),
    ]
    assert [cell.seed for cell in cells] == [0, 7] * 3
    assert 'runtime.promote=false' in cells[0].overrides
    assert 'runtime.seed=7' in cells[1].overrides


def test_a_combination_named_twice_runs_once():
    assert len(cells_of({'a.b': [1, 1]}, [['a.b=1']], [0])) == 1


@pytest.mark.parametrize(
    ('grid', 'listed', 'seeds', 'message'),
    [
        ({}, [], [0], 'give a grid'),
        ({'a.b': []}, [], [0], 'a.b has no values'),
        ({'a.b': [1]}, [], [], 'seed'),
    ],
)
def test_nothing_to_run_is_an_error(grid, listed, seeds, message):
    with pytest.raises(ConfigError, match=message):
        cells_of(grid, listed, seeds)


def test_several_seeds_get_a_mean_and_a_deviation():
    cells = [Cell(('a=1',), 0), Cell(('a=1',), 1), Cell(('a=2',), 0)]
    rows = comparison(cells, [{'m': 0.5}, {'m': 0.7}, {}], ['m'])
    assert [row['settings'] for row in rows] == ['a=1', 'a=1', 'a=1', 'a=2']
    assert rows[2] == {'settings': 'a=1', 'seeds': 'mean of 2, ± deviation', 'm': '0.6000 ± 0.1414'}
    assert rows[3] == {'settings': 'a=2', 'seeds': '0', 'm': None}


def test_parallel_cells_need_a_deployment():
    with pytest.raises(ConfigError, match='parallel must be 1, or more with a deployment'):
        sweep.fn(grid={'model.dim': [8]}, parallel=2)


@pytest.mark.slow
def test_a_cell_that_fails_ends_the_sweep_at_once(
    tmp_path, mlflow_uri, prefect_server, monkeypatch
):
    asked = []

    def broken(**parameters):
        asked.append(parameters['overrides'])
        raise ConnectionError('the power went out')

    monkeypatch.setattr(sweep_module, 'pipeline', broken)
    overrides = [f'runtime.root={tmp_path / "artifacts"}', f'tracking.uri={mlflow_uri}']
    with pytest.raises(ConnectionError, match='the power went out'):
        sweep('smoke', {'model.dim': list(range(3, 23))}, overrides=overrides)
    assert len(asked) < 5


@pytest.mark.slow
def test_an_interrupted_sweep_of_real_trainings_goes_on_where_it_stopped(
    tmp_path, miniature, tiny_backbone, mlflow_uri, prefect_server, monkeypatch
):
    root = tmp_path / 'artifacts'
    wanted = {
        'profile': 'smoke',
        'grid': {'model.dim': [4, 16]},
        'overrides': [
            *SMALL,
            'training.epochs=1',
            'evaluation.compared=[bm25]',
            'tracking.experiment=sweeps',
            'data.source=folder',
            f'data.folder={miniature.write(tmp_path / "source")}',
            f'backbone.name={tiny_backbone}',
            f'runtime.root={root}',
            f'tracking.uri={mlflow_uri}',
        ],
        'target': 'evaluation',
    }

    def until_the_second(**parameters):
        if 'model.dim=16' in parameters['overrides']:
            raise ConnectionError('the power went out')
        return pipeline(**parameters)

    with monkeypatch.context() as patch:
        patch.setattr(sweep_module, 'pipeline', until_the_second)
        with pytest.raises(ConnectionError, match='the power went out'):
            sweep(**wanted)
    rows = sweep(**wanted)
    assert [row['settings'] for row in rows] == ['model.dim=4', 'model.dim=16']
    assert all(0 < row['validation/mrr'] <= 1 for row in rows)
    assert rows[0]['tree/spearman'] != rows[1]['tree/spearman']

    client = MlflowClient(mlflow_uri)
    experiment = client.get_experiment_by_name('sweeps').experiment_id

    def under(run_id):
        """Runs nested under one, the first one first."""
        chosen = f"tags.mlflow.parentRunId = '{run_id}'"
        return client.search_runs([experiment], chosen, order_by=['attributes.start_time ASC'])

    finished, stopped = client.search_runs([experiment], "tags.sweep = 'true'")
    assert (finished.info.status, stopped.info.status) == ('FINISHED', 'FAILED')
    cells = under(finished.info.run_id)
    assert [cell.data.params['model.dim'] for cell in cells] == ['4', '16']
    first, second = (
        {run.data.tags['stage']: run.data.tags['cached'] for run in under(cell.info.run_id)}
        for cell in cells
    )
    assert set(first.values()) == {'true'}, 'the cell that had finished is not computed again'
    assert (second['codebook'], second['text_training']) == ('true', 'false')
    table = client.download_artifacts(finished.info.run_id, 'sweep.json', str(tmp_path))
    shown = json.loads(Path(table).read_text())
    # MLflow's table rounds to ten digits.
    for row, expected in zip(shown['data'], rows, strict=True):
        for name, value in zip(shown['columns'], row, strict=True):
            exact = isinstance(value, str)
            assert value == (expected[name] if exact else pytest.approx(expected[name], abs=1e-9))
