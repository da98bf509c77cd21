"""The controls flow: does the graph stage add anything that simpler things do not?

Six tables a seed, on one division of the data: A the text table as it is, B the text stage trained
longer by at least what refinement took, C smoothed between parent and child, D refined by the
graph network, E the same network on a table whose rows were shuffled, F the construction alone.
"""

import logging
import math
import os
from dataclasses import asdict, replace
from typing import Any

import torch
from prefect.artifacts import create_table_artifact

from flows.checked import Text, checked_flow
from flows.configuration import artifact_root, configured
from flows.inputs import inputs_of
from flows.pipeline import DATA, PIPELINE, STAGES, TEXTS, check_names
from flows.runtime import show_progress
from flows.tracked_run import remote_cache, tracked_run
from naics_embed.artifacts import read_json, write_json
from naics_embed.config.sections import flat
from naics_embed.errors import ConfigError
from naics_embed.evaluation.candidates import METRICS
from naics_embed.evaluation.controls import CONTROLS, Cell, sentence, summarise
from tasks.engine.execution import Execution
from tasks.engine.record import Record
from tasks.engine.stage import Run, Stage
from tasks.source import acquire_source

log = logging.getLogger('naics_embed.pipeline')

ARTIFACT = 'refinement-controls'
RESULT = 'refinement_controls.json'
TABLES = {
    'A': 'text',
    'C': 'smoothing',
    'D': 'hgcn',
    'E': 'hgcn_shuffled',
    'F': 'construction',
}
"""Control → candidate table; B is the text table of a longer run."""
SHARED = tuple(stage.name for stage in (*DATA, *TEXTS))
"""Stages that no seed of a training changes: data, texts, frozen encodings."""
ERRORS = 2.0
"""Standard errors over seeds that count as a difference in the sentences."""


def _candidates(tables: str) -> Stage:
    """Return the stage of candidate tables with other tables to read."""
    stage = PIPELINE['candidates']
    reads = tuple(name for name in stage.reads if name != 'refined')
    return replace(stage, reads=(*reads, *tables.split()))


WITH_CONTROLS = PIPELINE.replaced(
    replace(PIPELINE['refinement'], constants={'shuffle': True}),
    _candidates('refined construction'),
)
"""The pipeline whose refinement also runs on shuffled rows, and whose tables are all compared."""
TEXT_ALONE = PIPELINE.replaced(_candidates(''))
"""The pipeline whose only candidate is the text table."""


@checked_flow(name='controls', flow_run_name='controls-{profile}', retries=0)
def controls(
    profile: str = 'cpu',
    overrides: list[Text] | None = None,
    seeds: list[int] | None = None,
    extra_epochs: int | None = None,
    refresh: list[str] | None = None,
    config_folder: str | None = None,
) -> dict[str, Any]:
    """Run the six controls over seeds, and return their table.

    Args:
        profile: a file in ``configs/profiles``.
        overrides: dotted assignments.
        seeds: of the training stages; the division of the data stays that of ``runtime.seed``.
        extra_epochs: epochs that control B trains longer; where None, at least the time that
            refinement took in the first seed.
        refresh: stages to compute again although they are cached.
        config_folder: directory with ``base.yaml``; the checkout's ``configs`` where None.
    """
    distinct_seeds = list(dict.fromkeys(seeds if seeds is not None else (0, 1, 2)))
    if not distinct_seeds:
        raise ConfigError('controls need at least one seed')
    check_names('refresh', refresh or [], STAGES)
    show_progress()
    config = configured(config_folder, profile, overrides)
    torch.set_num_threads(config.runtime.threads or os.cpu_count() or 1)
    root = artifact_root(config)
    with tracked_run(config, profile, flat(config), name='controls') as tracker:
        run = Run(
            root,
            tracker,
            frozenset(refresh or ()),
            experiment=config.tracking.experiment,
            remote_cache=remote_cache(config),
            timeout_s=config.platform.stage_timeout_s,
        )
        shared = Execution(PIPELINE, config, run, inputs_of(config, acquire_source(config.data)))
        runs: dict[str, dict[int, dict[str, float | None]]] = {name: {} for name in CONTROLS}
        seconds: dict[str, dict[int, float]] = {'text': {}, 'refinement': {}, 'longer': {}}
        for seed in distinct_seeds:
            seeded = replace(config, runtime=replace(config.runtime, seed=seed))
            controlled = shared.derived(WITH_CONTROLS, seeded, keep=SHARED)
            trained = controlled.record('text_training')
            refined = controlled.record('refinement')
            if extra_epochs is None:
                extra_epochs = _extra(trained, refined, config.training.epochs)
            metrics = read_json(controlled.record('candidates').path('candidates'))
            for control, candidate in TABLES.items():
                runs[control][seed] = metrics[candidate]
            epochs = config.training.epochs + extra_epochs
            longer = controlled.derived(
                TEXT_ALONE,
                replace(seeded, training=replace(config.training, epochs=epochs)),
                keep=(*SHARED, 'construction'),
            )
            text = longer.record('candidates')
            runs['B'][seed] = read_json(text.path('candidates'))['text']
            seconds['text'][seed] = trained.seconds
            seconds['refinement'][seed] = refined.seconds
            seconds['longer'][seed] = longer.record('text_training').seconds
            log.info('controls: seed %d done', seed)
        table = summarise(runs, list(METRICS.values()))
        sentences = [sentence(table, 'D', against, ERRORS) for against in 'ABC']
        result: dict[str, Any] = {
            'profile': profile,
            'overrides': list(overrides or ()),
            'seeds': distinct_seeds,
            'extra_epochs': extra_epochs,
            'seconds': {name: list(by_seed.values()) for name, by_seed in seconds.items()},
            'runs': {
                name: {str(seed): metrics for seed, metrics in by_seed.items()}
                for name, by_seed in runs.items()
            },
            'table': [_plain(cell) for row in table.values() for cell in row.values()],
            'sentences': sentences,
        }
        rows = [_row(name, cells) for name, cells in table.items()]
        create_table_artifact(rows, key=ARTIFACT, description=' '.join(sentences))
        tracker.pipeline().table(
            {name: [row[name] for row in rows] for name in rows[0]}, f'{ARTIFACT}.json'
        )
        tracker.pipeline().content(result, RESULT)
        write_json(root / RESULT, result)
    return result


def _extra(text: Record, refinement: Record, epochs: int) -> int:
    """Epochs that take at least as long as refinement did."""
    return max(1, math.ceil(refinement.seconds / (text.seconds / epochs)))


def _plain(cell: Cell) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(cell).items()
    }


def _row(control: str, cells: dict[str, Cell]) -> dict[str, str]:
    """One line of the table that people read."""
    return {
        'control': f'{control}: {CONTROLS[control]}',
        **{name: written(cells[metric]) for name, metric in METRICS.items()},
    }


def written(cell: Cell) -> str:
    """Return ``.812 ± .003``; without the deviation where one seed was run."""
    if not cell.seeds:
        return ''
    mean = f'{cell.mean:.4f}'
    return mean if math.isnan(cell.deviation) else f'{mean} ± {cell.deviation:.4f}'
