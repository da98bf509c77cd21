"""The sweep flow: a grid of settings times seeds, one MLflow parent, a table to compare."""

import itertools
import json
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.runtime import flow_run

from flows.checked import Text, Value, checked_flow
from flows.configuration import artifact_root, configured, same_tracker, tracking_uri
from flows.pipeline import pipeline
from naics_embed.errors import ConfigError, RemoteRunError
from tasks.engine.tracking import FLOW_RUN, NO_FLOW_RUN, Tracker, pipeline_run, run_of_flow

METRICS = ('validation/mrr', 'validation/plain_mrr', 'tree/spearman', 'tree/map_neighbours')
TABLE_ARTIFACT = 'sweep'
POLL_S = 2.0


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        settings: its overrides, without the seed.
        seed: its seed.
    """

    settings: tuple[str, ...]
    seed: int

    @property
    def overrides(self) -> list[str]:
        """All overrides of the run. A cell promotes nothing."""
        return [*self.settings, f'runtime.seed={self.seed}', 'runtime.promote=false']


def cells_of(
    grid: Mapping[str, Sequence[Any]], listed: Sequence[Sequence[str]], seeds: Sequence[int]
) -> list[Cell]:
    """Return the product of a grid's values, then the listed settings, each with every seed.

    Raises:
        ConfigError: there is nothing to run, or a key of the grid has no values.
    """
    empty = [key for key, values in grid.items() if not values]
    if empty:
        raise ConfigError(f'sweep: {empty[0]} has no values')
    if not seeds:
        raise ConfigError('sweep: give at least one seed')
    product = [
        tuple(f'{key}={_yaml(value)}' for key, value in zip(grid, values, strict=True))
        for values in itertools.product(*grid.values())
    ]
    chosen = dict.fromkeys([*(product if grid else []), *(tuple(one) for one in listed)])
    if not chosen:
        raise ConfigError('sweep: give a grid, such as {"model.dim": [16, 32]}, or a list')
    return [Cell(settings, seed) for settings in chosen for seed in seeds]


@checked_flow(name='sweep', flow_run_name='sweep-{profile}')
def sweep(
    profile: str = 'cpu',
    grid: dict[str, list[Value]] | None = None,
    listed: list[list[Text]] | None = None,
    seeds: list[int] | None = None,
    overrides: list[Text] | None = None,
    target: str = 'evaluation',
    metrics: list[str] | None = None,
    deployment: str | None = None,
    parallel: int = 1,
) -> list[dict[str, Any]]:
    """Run the pipeline for every combination of settings and seed, and compare their metrics.

    Finished cells are cached: a sweep that was interrupted resumes.

    Args:
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        grid: dotted key to the values that it takes, such as ``{"model.dim": [16, 32]}``.
        listed: further combinations, each a list of dotted assignments.
        seeds: seeds that each combination is run with; 0 alone where empty.
        overrides: assignments for every cell.
        target: how far each cell goes.
        metrics: columns of the table, named ``split/metric``; choose by validation metrics.
        deployment: the deployment that runs a cell, such as ``pipeline/cpu``; in this process
            where empty.
        parallel: cells at a time; more than one needs a deployment.
    """
    if parallel < 1 or (parallel > 1 and deployment is None):
        raise ConfigError(
            'sweep: parallel must be 1, or more with a deployment such as pipeline/cpu that runs '
            'the cells on its work pool'
        )
    cells = cells_of(grid or {}, listed or [], seeds or [0])
    shared = list(overrides or ())
    configs = [configured(None, profile, [*shared, *cell.overrides]) for cell in cells]
    root = artifact_root(configs[0])
    uri = tracking_uri(configs[0], root)
    tracked = same_tracker(configs[0], root)
    tags = {'profile': profile, 'sweep': 'true', FLOW_RUN: str(flow_run.id or NO_FLOW_RUN)}
    experiment = configs[0].tracking.experiment
    with pipeline_run(
        uri, experiment, root / 'mlartifacts', tags, {'cells': len(cells)}, name='sweep'
    ) as tracker:

        def run(cell: Cell) -> dict[str, float]:
            parameters = {
                'profile': profile,
                'overrides': [*shared, *cell.overrides, *tracked],
                'target': target,
                'parent_run': tracker.parent_run_id,
            }
            if deployment is None:
                run_id = str(pipeline(**parameters)['run_id'])
            else:
                run_id = _run_there(deployment, parameters, tracker)
            return tracker.client.get_run(run_id).data.metrics

        pool = ThreadPoolExecutor(parallel)
        try:
            waiting = [pool.submit(copy_context().run, run, cell) for cell in cells]
            for done in as_completed(waiting):
                done.result()
        finally:
            # A cell that failed, or Ctrl-C, ends the sweep: cells that wait are not begun.
            pool.shutdown(wait=True, cancel_futures=True)
        logged = [done.result() for done in waiting]
        rows = comparison(cells, logged, tuple(metrics or METRICS))
        create_table_artifact(rows, key=TABLE_ARTIFACT, description='Metrics of the sweep')
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        tracker.pipeline().table(columns, 'sweep.json')
    return rows


def comparison(
    cells: Sequence[Cell], logged: Sequence[Mapping[str, float]], columns: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row a cell, then one a combination with mean and deviation over several seeds.

    Args:
        cells: the cells, those of one combination side by side.
        logged: metrics of each cell; one that it lacks is null.
        columns: the metrics to show.
    """
    rows = []
    results = zip(cells, logged, strict=True)
    for settings, group in itertools.groupby(results, key=lambda pair: pair[0].settings):
        name = ' '.join(settings) or 'as configured'
        seeds = list(group)
        rows += [
            {'settings': name, 'seeds': str(cell.seed), **{key: values.get(key) for key in columns}}
            for cell, values in seeds
        ]
        if len(seeds) > 1:
            spread = {key: _spread([values.get(key) for _, values in seeds]) for key in columns}
            rows.append({'settings': name, 'seeds': f'mean of {len(seeds)}, ± deviation', **spread})
    return rows


def _spread(values: Sequence[float | None]) -> str | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return f'{statistics.mean(known):.4f} ± {statistics.stdev(known):.4f}'


def _run_there(deployment: str, parameters: dict[str, Any], tracker: Tracker) -> str:
    """Run a deployment to its end and return the MLflow run of its pipeline."""
    done = run_deployment(deployment, parameters=parameters, timeout=None, poll_interval=POLL_S)
    assert isinstance(done, FlowRun)
    if done.state is None or not done.state.is_completed():
        ended = 'without a state' if done.state is None else done.state.message
        raise RemoteRunError(f'sweep: {deployment}, flow run {done.name} ({done.id}): {ended}')
    run_id = run_of_flow(tracker.client, tracker.experiment_id, str(done.id))
    if run_id is None:
        raise RemoteRunError(
            f'sweep: {deployment} completed, but left no run in {tracker.uri}: set '
            'tracking.uri, or the same MLFLOW_TRACKING_URI for this process and its worker'
        )
    return run_id


def _yaml(value: Any) -> str:
    """Write a value as an override takes it."""
    return json.dumps(value)
