"""The flow of the ablations: a cell is one training of the text model with one row's overrides."""

import math
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from benchmarks.ablation import cell_file
from benchmarks.text_inputs import settings_of
from flows.dag import Dag
from flows.runtime import CHECKOUT
from naics_embed.artifacts import Artifact, content_key, read_json, source_fingerprint, write_json
from naics_embed.config.load import load_config
from naics_embed.config.schema import Config
from naics_embed.evaluation.evaluate import Table, holdout_figures, tree_figures
from naics_embed.metrics.tree import Tree
from tasks.frames import splits_of, taxonomy_of
from tasks.stage import Run
from tasks.text_training import prepare_inputs
from tasks.tracking import pipeline_run

CONFIGS = CHECKOUT / 'configs'
SOURCES = ('naics_embed.training.fit', 'naics_embed.evaluation.evaluate')


@task(task_run_name='{row}, seed {seed}', cache_policy=NO_CACHE)
def cell(
    row: str,
    seed: int,
    overrides: list[str],
    config: Config,
    inputs: dict[str, Artifact],
    checkpoints: Path,
    file: Path,
) -> dict[str, Any]:
    """Train one cell, or read its figures where nothing that they depend on has changed."""
    key = content_key(
        {
            'settings': asdict(settings_of(config)),
            'shrink': config.construction.shrink,
            'norm_weights': list(config.evaluation.norm_weights),
            'inputs': {name: artifact.sha256 for name, artifact in inputs.items()},
            'source': source_fingerprint(SOURCES),
        }
    )
    if file.is_file():
        kept = read_json(file)
        if kept['key'] == key:
            return kept
    from naics_embed.training.fit import train_text

    start = time.perf_counter()
    prepared = prepare_inputs(
        inputs, config.model, config.training, config.construction.shrink, seed
    )
    trained = train_text(prepared, settings_of(config), checkpoints / key)
    seconds = time.perf_counter() - start
    figures = {
        name: value
        for name, value in trained.history[trained.best_epoch].items()
        if name.startswith('validation/')
    }
    if config.model.geometry == 'lorentz':
        taxonomy = taxonomy_of(inputs['codebook'])
        table = Table(
            trained.tangents,
            trained.curvature,
            config.model.r_max,
            tuple(splits_of(inputs['structure_holdout'], taxonomy)),
        )
        tree = Tree.of(taxonomy)
        chunk = config.evaluation.chunk
        found = tree_figures(
            table, tree, norm_weights=config.evaluation.norm_weights, chunk=chunk
        ) | holdout_figures(table, tree, chunk=chunk)
        figures |= {
            name: figure.value for name, figure in found.items() if not name.startswith('test/')
        }
    result = {
        'row': row,
        'seed': seed,
        'key': key,
        'figures': {k: v for k, v in figures.items() if math.isfinite(v)}
        | {'seconds': seconds, 'best_epoch': trained.best_epoch},
        'epochs': len(trained.history),
        'queries': len(prepared.train),
        'threads': torch.get_num_threads(),
        'overrides': overrides,
        'model': asdict(config.model),
    }
    write_json(file, result)
    return read_json(file)


@flow(name='ablation')
def ablation(
    rows: dict[str, list[str]],
    seeds: list[int],
    overrides: list[str],
    profile: str,
    folder: str,
) -> list[dict[str, Any]]:
    """Train every cell that is not there yet, and return the figures of all.

    Args:
        rows: name of a row → its overrides.
        seeds: seeds of each row.
        overrides: overrides of all rows.
        profile: a file in ``configs/profiles``.
        folder: where the figures of cells are kept, in a folder for each profile.
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
                inputs = Dag(config, run).training_inputs
                results.append(cell(row, seed, own_overrides, config, inputs, checkpoints, file))
    return results
