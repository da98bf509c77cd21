"""Cells of a sweep and their comparison, and one small sweep for real."""

import pytest

from flows.sweep import Cell, cells_of, comparison, sweep
from naics_embed.errors import ConfigError


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
