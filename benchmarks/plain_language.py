"""What the plain-language corpus is worth: trained with and without it, over seeds.

Trains once with the corpus' train rows as queries and examples and once without, and scores index
entries and corpus side by side, by distance alone and by the coder, beside the baselines of the
same texts. With titles only the profile ``cpu`` trains heads and codes alone; with the workbooks
the profile ``ablation`` does so in less time. Seeds change the training, not the division of the
data. Every stage is cached, so that a run that was stopped goes on.

    python -m benchmarks.plain_language --profile cpu data.source=package --json titles.json
    python -m benchmarks.plain_language data.source=folder data.folder=PATH --json census.json
"""

import argparse
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich.console import Console

from flows.runtime import prepare

if TYPE_CHECKING:
    from naics_embed.artifacts import Artifact
    from tasks.engine.stage import Result, StageContext

COMPARED = ('title', 'class_mean', 'reduced_class_mean', 'logistic_regression', 'bm25', 'ensemble')
TRAINED = {'': 'trained, distance', 'hybrid_': 'trained, coder'}
USES = {
    'with': (),
    'without': ('data.plain_language.train=false', 'data.plain_language.examples=false'),
}
SETS = {'': 'index entries', 'plain_': 'corpus', 'panel_': 'panel'}
SHOWN = ('top1', 'hit_at_5', 'mrr')
DIGITS = 3


def rows_of(results: dict[str, Any]) -> pl.DataFrame:
    """Return a row for each system and set: mean ± standard deviation over seeds, on test.

    A baseline has no seed; where a system was not fitted the cell is empty.
    """
    lines: list[dict[str, str]] = []
    for use, found in results['uses'].items():
        for prefix, heading in SETS.items():
            if not found['runs'] or f'test/{prefix}mrr' not in found['runs'][0]:
                continue
            keys = [f'test/{prefix}{name}' for name in SHOWN]
            for way, name in TRAINED.items():
                own = [f'test/{way}{prefix}{metric}' for metric in SHOWN]
                ours = np.array([[run[key] for key in own] for run in found['runs']])
                lines.append(_line(use, heading, f'{name} ({len(ours)} seeds)', ours))
            for name, metrics in found['baselines'].items():
                if keys[0] in metrics:
                    lines.append(_line(use, heading, name, np.array([[metrics[k] for k in keys]])))
    return pl.DataFrame(lines)


def _line(use: str, heading: str, system: str, values: np.ndarray) -> dict[str, str]:
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else None
    cells = {}
    for i, metric in enumerate(SHOWN):
        mean = f'{values[:, i].mean():.{DIGITS}f}'
        cells[metric] = mean if spread is None else f'{mean} ± {spread[i]:.{DIGITS}f}'
    return {'corpus in training': use, 'test set': heading, 'system': system, **cells}


def select_text_table(out: Path, context: 'StageContext', *, text_model: 'Artifact') -> 'Result':
    """Take the text table, whatever the promotion rule would pick."""
    from safetensors.torch import save_file

    from naics_embed.artifacts import write_json
    from tasks.engine.stage import Result
    from tasks.tables import TEXT, tables_of

    tangents = tables_of(text_model, None)[TEXT].contiguous()
    save_file({'tangents': tangents}, out / 'table.safetensors')
    write_json(out / 'selection.json', {'champion': TEXT})
    return Result({'table': 'table.safetensors', 'selection': 'selection.json'})


def compare(profile: str, overrides: list[str], seeds: list[int]) -> dict[str, Any]:
    """Train and score all cells in one MLflow run."""
    import torch

    from flows.configuration import tracking_uri
    from flows.inputs import inputs_of
    from flows.pipeline import DATA, PIPELINE, TEXTS
    from flows.runtime import CHECKOUT
    from naics_embed.artifacts import read_json
    from naics_embed.config.load import load_config
    from tasks.engine.execution import Execution
    from tasks.engine.stage import Run, Stage
    from tasks.engine.tracking import pipeline_run
    from tasks.source import acquire_source

    found: dict[str, Any] = {}
    source = None
    for use, switches in USES.items():
        compared = f'evaluation.compared=[{", ".join(COMPARED)}]'
        own = [compared, 'graph.anchor_queries=256', *overrides, *switches]
        config = load_config(CHECKOUT / 'configs', profile, own).config
        torch.set_num_threads(config.runtime.threads or os.cpu_count() or 1)
        root = Path(config.runtime.root).expanduser().resolve()
        root.mkdir(parents=True, exist_ok=True)
        uri = tracking_uri(config, root)
        tags = {'profile': profile, 'corpus': use}
        with pipeline_run(
            uri, config.tracking.experiment, root / 'mlartifacts', tags, {}, name=f'corpus {use}'
        ) as tracker:
            run = Run(root, tracker, experiment=config.tracking.experiment)
            found_source = acquire_source(config.data)
            graph = PIPELINE.replaced(
                Stage('selection', select_text_table, 'text_model', 'table selection')
            )
            shared = Execution(graph, config, run, inputs_of(config, found_source))
            source = found_source.kind
            runs = []
            for seed in seeds:
                seeded = replace(config, runtime=replace(config.runtime, seed=seed))
                kept = (*(stage.name for stage in (*DATA, *TEXTS)), 'baselines')
                execution = shared.derived(graph, seeded, keep=kept)
                metrics = read_json(execution.record('coder').path('metrics'))
                runs.append({key: metric['value'] for key, metric in metrics.items()})
            baselines = read_json(shared.record('baselines').path('baselines'))
        found[use] = {'runs': runs, 'baselines': baselines}
    return {'profile': profile, 'source': source, 'seeds': seeds, 'uses': found}


def markdown(table: pl.DataFrame) -> str:
    """Return the table as markdown."""
    lines = ['| ' + ' | '.join(table.columns) + ' |', '|' + '---|' * len(table.columns)]
    return '\n'.join([*lines, *('| ' + ' | '.join(row) + ' |' for row in table.iter_rows())])


def main() -> None:
    """Run all cells and print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('overrides', nargs='*', metavar='KEY=VALUE', help='configuration')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--profile', default='ablation')
    parser.add_argument('--json', type=Path, help='write all metrics as JSON')
    options = parser.parse_args()
    prepare(quiet=True)
    logging.getLogger('naics_embed').setLevel(logging.INFO)
    from prefect import flow

    results = flow(compare, name='corpus-benchmark')(
        options.profile, options.overrides, options.seeds
    )
    table = rows_of(results)
    Console(width=120, highlight=False).print(
        f'source {results["source"]}, profile {results["profile"]}, seeds {results["seeds"]}'
    )
    Console(width=160, highlight=False).print(markdown(table), markup=False)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding='utf-8')


if __name__ == '__main__':
    main()
