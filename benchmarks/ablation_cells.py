"""The flow of the ablations: a cell is one training of the text model with one row's overrides."""

import math
import os
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from benchmarks.ablation_files import cell_file
from benchmarks.text_inputs import settings_of
from flows.inputs import inputs_of
from flows.pipeline import PIPELINE
from flows.runtime import CHECKOUT
from naics_embed.artifacts import content_key, read_json, write_json
from naics_embed.config.load import load_config
from naics_embed.config.schema import Config
from naics_embed.evaluation.evaluate import Table, holdout_metrics, tree_metrics
from naics_embed.fingerprint import source_fingerprint
from naics_embed.metrics.tree import Tree
from tasks.engine.declaration import content_of
from tasks.engine.execution import Execution
from tasks.engine.stage import PACKAGES, Run
from tasks.engine.tracking import pipeline_run
from tasks.frames import splits_of, taxonomy_of
from tasks.source import acquire_source
from tasks.text_training import TrainingFiles, prepare_inputs

CONFIGS = CHECKOUT / 'configs'
SOURCES = ('naics_embed.training.fit', 'naics_embed.evaluation.evaluate')


@task(task_run_name='{row}, seed {seed}', cache_policy=NO_CACHE)
def cell(
    row: str,
    seed: int,
    overrides: list[str],
    config: Config,
    files: TrainingFiles,
    checkpoints: Path,
    file: Path,
) -> dict[str, Any]:
    """Train one cell, or read its metrics where nothing that they depend on has changed."""
    key = content_key(
        {
            'settings': asdict(settings_of(config)),
            'shrink': config.construction.shrink,
            'norm_weights': list(config.evaluation.norm_weights),
            'inputs': {name: content_of(given) for name, given in vars(files).items()},
            'source': source_fingerprint(SOURCES, PACKAGES),
        }
    )
    if file.is_file():
        kept = read_json(file)
        if kept['key'] == key:
            return kept
    from naics_embed.training.fit import train_text

    start = time.perf_counter()
    prepared = prepare_inputs(
        files, config.model, config.training, config.construction.shrink, seed
    )
    trained = train_text(prepared, settings_of(config), checkpoints / key)
    seconds = time.perf_counter() - start
    metrics = {
        name: value
        for name, value in trained.history[trained.best_epoch].items()
        if name.startswith('validation/')
    }
    if config.model.geometry == 'lorentz':
        taxonomy = taxonomy_of(files.codebook)
        table = Table(
            trained.tangents,
            trained.curvature,
            config.model.r_max,
            tuple(splits_of(files.structure_holdout, taxonomy)),
        )
        tree = Tree.of(taxonomy)
        chunk = config.evaluation.chunk
        found = tree_metrics(
            table, tree, norm_weights=config.evaluation.norm_weights, chunk=chunk
        ) | holdout_metrics(table, tree, chunk=chunk)
        metrics |= {
            name: metric.value for name, metric in found.items() if not name.startswith('test/')
        }
    result = {
        'row': row,
        'seed': seed,
        'key': key,
        'metrics': {k: v for k, v in metrics.items() if math.isfinite(v)}
        | {'seconds': seconds, 'best_epoch': trained.best_epoch},
        'epochs': len(trained.history),
        'queries': len(prepared.train),
        'threads': torch.get_num_threads(),
        'overrides': overrides,
        'model': asdict(config.model),
    }
    write_json(file, result)
    return read_json(file)


def training_files(execution: Execution) -> TrainingFiles:
    """Return the files that text training reads, after computing the stages that write them."""
    return TrainingFiles(**{one.name: execution.value(one.name) for one in fields(TrainingFiles)})


@flow(name='ablation')
def ablation(
    rows: dict[str, list[str]],
    seeds: list[int],
    overrides: list[str],
    profile: str,
    folder: str,
) -> list[dict[str, Any]]:
    """Train every cell that is not there yet, and return the metrics of all.

    Args:
        rows: name of a row → its overrides.
        seeds: seeds of each row.
        overrides: overrides of all rows.
        profile: a file in ``configs/profiles``.
        folder: where the metrics of cells are kept, in a folder for each profile.
    """
    results = []
    first = load_config(CONFIGS, profile, overrides).config
    torch.set_num_threads(first.runtime.threads or os.cpu_count() or 1)
    root = Path(first.runtime.root).expanduser().resolve()
    root.mkdir(parents=True, exist_ok=True)
    uri = first.tracking.uri or f'sqlite:///{root / "mlflow.db"}'
    experiment = first.tracking.experiment
    with pipeline_run(uri, experiment, root / 'mlartifacts', {'profile': profile}, {}) as tracker:
        run = Run(root, tracker, experiment=experiment)
        checkpoints = root / 'checkpoints' / experiment
        for row, own_overrides in rows.items():
            for seed in seeds:
                own = [*overrides, *own_overrides, f'runtime.seed={seed}']
                config = load_config(CONFIGS, profile, own).config
                file = cell_file(Path(folder), profile, row, seed)
                # Not inside the task: it would hold the stages' locks until its end.
                given = inputs_of(config, acquire_source(config.data))
                files = training_files(Execution(PIPELINE, config, run, given))
                results.append(cell(row, seed, own_overrides, config, files, checkpoints, file))
    return results
