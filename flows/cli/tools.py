"""The commands ``diff`` and ``visualize``, and the tables of ``investigate``."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naics_embed.errors import UserError

if TYPE_CHECKING:
    from tasks.registry.runs import RunStore

Root = Annotated[
    Path | None, typer.Option(help='Artifact root; $NAICS_EMBED_HOME or artifacts by default.')
]
TrackingUri = Annotated[
    str | None,
    typer.Option(help='MLflow; $MLFLOW_TRACKING_URI or the database of the root by default.'),
]
RUN_HELP = (
    'a directory of a bundle, or an MLflow run: id, beginning of an id, name, latest, promoted'
)
MISSING = '–'
METRICS = {
    'training_terms': ('text_training', ('train/',), 'Terms of the objective'),
    'training_validation': ('text_training', ('validation/',), 'Validation'),
    'training_health': ('text_training', ('health/',), 'Health of the space'),
    'training_gradients': ('text_training', ('gradient/',), 'Gradient norms'),
    'training_curriculum': ('text_training', ('curriculum/',), 'Curriculum'),
    'refinement_terms': ('refinement', ('train_', 'weight_'), 'Refinement: terms and weights'),
    'refinement_validation': (
        'refinement',
        ('index_', 'plain_', 'panel_', 'business_', 'selection', 'spearman', 'curvature', 'moved'),
        'Refinement: validation',
    ),
}


def diff(
    first: Annotated[str, typer.Argument(help=RUN_HELP, metavar='RUN')],
    second: Annotated[str, typer.Argument(help=RUN_HELP, metavar='RUN')],
    pattern: Annotated[
        str, typer.Option('--metrics', help='Regular expression of the metrics shown.')
    ] = (
        r'^(test|tree)/(hybrid_)?(plain_|panel_|business_)?'
        r'(top1|mrr|hit_at_10|spearman|map_neighbours|ece)$'
    ),
    root: Root = None,
    tracking_uri: TrackingUri = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Compare two runs: the settings that differ, and their metrics side by side."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f'--metrics {pattern!r} is no regular expression: {error}') from error
    store = _store(root, tracking_uri)
    one, two = store.facts(first), store.facts(second)
    if one.identity == two.identity:
        same = f'{first} and {second} are one: {one.name}'
        if as_json:
            content = {'runs': [one.name, two.name], 'settings': {}, 'metrics': {}, 'note': same}
            sys.stdout.write(json.dumps(content, indent=2) + '\n')
        else:
            typer.echo(f'{same}; there is nothing to compare')
        return
    keys = sorted({*one.settings, *two.settings})
    for facts in (one, two):
        # A bundle says nothing of settings such as service.port: they are no difference.
        keys = [key for key in keys if key in facts.settings] if facts.described else keys
    settings = {
        key: [one.settings.get(key), two.settings.get(key)]
        for key in keys
        if one.settings.get(key) != two.settings.get(key)
    }
    names = sorted(name for name in {*one.metrics, *two.metrics} if expression.search(name))
    metrics = {name: [one.metrics.get(name), two.metrics.get(name)] for name in names}
    if as_json:
        content = {'runs': [one.name, two.name], 'settings': settings, 'metrics': metrics}
        sys.stdout.write(json.dumps(content, indent=2) + '\n')
        return
    rows = [(key, *(MISSING if v is None else v for v in pair)) for key, pair in settings.items()]
    _table(
        ('setting', one.name, two.name),
        rows,
        _counted(len(rows), 'setting differs', 'settings differ'),
    )
    rows = [(name, *map(_number, pair), _change(*pair)) for name, pair in metrics.items()]
    _table(('metric', one.name, two.name, 'change'), rows, _counted(len(rows), 'metric', 'metrics'))


def visualize(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help='MLflow runs: id, beginning of an id, name, latest, promoted.', metavar='[RUN]...'
        ),
    ] = None,
    out: Annotated[Path, typer.Option('-o', '--out', help='Folder to write.')] = Path('metrics'),
    root: Root = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Draw the training metrics of one run, or of several in the same axes."""
    from naics_embed.artifacts import atomic_file
    from naics_embed.report.curves import metric_curves

    store = _store(root, tracking_uri)
    written = []
    for file, (stage, prefixes, title) in METRICS.items():
        histories = dict(store.history(run, stage) for run in runs or ['latest'])
        if not any(name.startswith(prefixes) for h in histories.values() for name in h):
            continue
        named = title if len(histories) > 1 else f'{title}: {next(iter(histories))}'
        path = out / f'{file}.svg'
        # Equal metrics give equal files.
        with atomic_file(path) as temporary:
            temporary.write_text(metric_curves(histories, prefixes, named), encoding='utf-8')
        written.append(path.name)
    if not written:
        raise UserError(f'{", ".join(runs or ["latest"])} logged no metric epoch by epoch')
    typer.echo(f'{", ".join(written)} written to {out}', err=True)


def _store(root: Path | None, tracking_uri: str | None) -> 'RunStore':
    if importlib.util.find_spec('mlflow') is None:
        raise UserError("reading runs needs the extra 'train': pip install -e '.[train]'")
    from flows.runtime import prepare

    prepare(quiet=True)
    from naics_embed.bundle.promotion import artifact_root
    from naics_embed.config.validation import no_secret
    from naics_embed.sqlite_address import sqlite_address
    from tasks.registry.runs import RunStore

    folder = root or artifact_root()
    given = tracking_uri or os.environ.get('MLFLOW_TRACKING_URI')
    no_secret('MLFLOW_TRACKING_URI or --tracking-uri', given, '')
    return RunStore(given or sqlite_address(folder.resolve() / 'mlflow.db'), folder)


def print_ground_truth(content: dict[str, Any]) -> None:
    """Print the tables of `investigate`, and what was found."""
    titles = {
        'levels': 'Levels',
        'distances': 'Tree distance D* of all pairs',
        'relations': 'Relations of all pairs',
        'ceilings': 'Ceilings: the best a table without ties can reach',
        'labels': 'Labelled texts by split',
    }
    for name, title in titles.items():
        rows = content[name]
        if rows:
            columns = tuple(rows[0])
            _table(columns, [tuple(_cell(row[c]) for c in columns) for row in rows], title)
    rows = [
        (
            _verdict(check),
            check['name'],
            f'{check["found"]:,} of {check["of"]:,}',
            '; '.join(check['examples']),
        )
        for check in content['data_checks']
    ]
    _table(('', 'looked for', 'found', 'such as'), rows, 'Data checks')
    sound = 'The ground truth is sound.' if content['sound'] else 'The ground truth is WRONG.'
    sys.stdout.write(sound + '\n')


def _verdict(check: dict[str, Any]) -> str:
    if not check['found']:
        return 'ok'
    return 'fail' if check['wrong'] else 'note'


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify='left', box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace('_', ' '), overflow='fold')
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print()


def _counted(count: int, one: str, several: str) -> str:
    return f'{count:,} {one if count == 1 else several}'


def _cell(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, float):
        return f'{value:.4f}'
    return f'{value:,}' if isinstance(value, int) else str(value)


def _number(value: float | None) -> str:
    return MISSING if value is None else f'{value:.4f}'


def _change(before: float | None, after: float | None) -> str:
    return '' if before is None or after is None else f'{after - before:+.4f}'
