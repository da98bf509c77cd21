"""The summary of a run on the terminal."""

import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

HEADLINES = (
    ('test/mrr', 'index entries, test: MRR'),
    ('test/strict_mrr', 'index entries, test, strict: MRR'),
    ('test/top1', 'index entries, test: top-1'),
    ('test/hit_at_10', 'index entries, test: hit@10'),
    ('test/plain_mrr', 'plain language, test: MRR'),
    ('test/plain_top1', 'plain language, test: top-1'),
    ('test/panel_mrr', 'panel, test: MRR'),
    ('test/panel_top1', 'panel, test: top-1'),
    ('test/business_top1', 'business texts, test: top-1'),
    ('test/hybrid_top1', 'coder, index entries, test: top-1'),
    ('test/hybrid_strict_top1', 'coder, index entries, test, strict: top-1'),
    ('test/hybrid_mrr', 'coder, index entries, test: MRR'),
    ('test/hybrid_hit_at_10', 'coder, index entries, test: hit@10'),
    ('test/hybrid_plain_top1', 'coder, plain language, test: top-1'),
    ('test/hybrid_panel_top1', 'coder, panel, test: top-1'),
    ('test/hybrid_panel_hit_at_5', 'coder, panel, test: hit@5'),
    ('test/hybrid_business_top1', 'coder, business texts, test: top-1'),
    ('test/hybrid_business_hit_at_10', 'coder, business texts, test: hit@10'),
    ('tree/spearman', 'tree: Spearman with D*'),
    ('tree/map_neighbours', 'tree: MAP over neighbours'),
    ('tree/parent_at_1', 'tree: parent@1'),
    ('tree/level_radius_spearman', 'tree: level and radius'),
    ('test/holdout_parent_at_1', 'hidden codes, test: parent@1'),
)


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """Print source, metrics, files and the next commands."""
    for warning in summary['warnings']:
        # A path is neither markup nor broken at the width of the terminal.
        console.print(Text.assemble(('warning', 'bold yellow'), f' {warning}'), soft_wrap=True)
    stages = summary['stages']
    cached = sum(stage['cached'] for stage in stages.values())
    console.print(
        f'\n[bold]{len(stages)} stages[/], {cached} cached, in {summary["seconds"]:.0f} s; '
        f'source [bold]{summary["source"]}[/]'
    )
    metrics = summary['metrics']
    if metrics:
        console.print(_metrics_table(metrics))
    console.print(f'files    {_short(summary["root"])}', markup=False, soft_wrap=True)
    if summary['bundle']:
        state = 'promoted' if summary['promoted'] else 'not promoted'
        reason = f': {summary["promotion"]}' if summary['promotion'] else ''
        console.print(f'table    {summary["table"]}')
        console.print(
            f'bundle   {_short(summary["bundle"])} ({state}{reason})', markup=False, soft_wrap=True
        )
    if summary['report']:
        console.print(
            f'report   {_short(summary["report"])} ({summary["verdict"]})',
            markup=False,
            soft_wrap=True,
        )
    console.print('\n[bold]next[/]')
    table = (
        '' if summary['promoted'] else f' --bundle {shlex.quote(_short(summary["bundle"] or ""))}'
    )
    if summary['bundle']:
        search = f'  .venv/bin/naics-embed search "dog grooming salon"{table}'
        console.print(search, soft_wrap=True, markup=False)
    uri = summary['tracking_uri']
    if uri.startswith('sqlite:'):
        # Neither broken at the width of the terminal nor read as markup: it is to be copied.
        console.print(
            f'  .venv/bin/mlflow server --backend-store-uri {shlex.quote(uri)} '
            '--host 127.0.0.1 --port 5000',
            soft_wrap=True,
            markup=False,
        )
    else:
        console.print(f'  MLflow: {uri}', soft_wrap=True, markup=False)
    console.print(
        '  PREFECT_HOME=$PWD/.prefect PREFECT_SERVER_API_AUTH_STRING=user:password'
        ' .venv/bin/python -m flows.local_platform prefect',
        soft_wrap=True,
    )


PANEL = {'held_out_r2': 'R², held out', 'held_out_r2_se': '± s.e.', 'seen_r2': 'R², seen'}


def print_regression(metrics: dict[str, dict[str, Any]], console: Console) -> None:
    """Print the regressor panel: one line a set of regressors."""
    if not metrics:
        console.print('too few families of codes for the folds, or outcomes that do not vary')
        return
    keys = [key for key in PANEL if any(name.endswith(f'/{key}') for name in metrics)]
    table = Table(box=None, pad_edge=False)
    table.add_column('regressors')
    for key in keys:
        table.add_column(PANEL[key], justify='right')
    for name in dict.fromkeys(name.partition('/')[0] for name in metrics):
        cells = (metrics[f'{name}/{key}']['value'] for key in keys)
        table.add_row(name, *('' if cell is None else f'{cell:.3f}' for cell in cells))
    ceilings = [
        metric['reference'] for metric in metrics.values() if metric['reference'] is not None
    ]
    console.print(table)
    if ceilings:
        console.print(f'ceiling of R², codes known exactly: {ceilings[0]:.3f}')


def _metrics_table(metrics: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column('metric')
    table.add_column('value', justify='right')
    table.add_column('reference', justify='right')
    table.add_column('')
    for key, label in HEADLINES:
        if key in metrics:
            metric = metrics[key]
            reference = metric['reference']
            table.add_row(
                label,
                'undefined' if metric['value'] is None else f'{metric["value"]:.3f}',
                '' if reference is None else f'{reference:.3f}',
                '' if reference is None else str(metric['reference_name']),
            )
    return table


def _short(path: str) -> str:
    here = Path.cwd()
    full = Path(path)
    return str(full.relative_to(here)) if full.is_relative_to(here) else path
