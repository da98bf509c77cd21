"""The command ``metrics``."""

import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from naics_embed.cli.search import AsJson, BundleOption, _load, _print_json
from naics_embed.errors import UserError

UNDEFINED = 'undefined'
MAIN = {
    'test/hybrid_top1': 'index entries: right first',
    'test/hybrid_mrr': 'index entries: MRR',
    'test/hybrid_hit_at_10': 'index entries: right among ten',
    'test/hybrid_plain_top1': 'plain language: right first',
    'test/hybrid_plain_mrr': 'plain language: MRR',
    'test/hybrid_panel_top1': 'panel of everyday businesses: right first',
    'test/hybrid_business_top1': 'business texts: right first',
    'test/hybrid_business_hit_at_10': 'business texts: right among ten',
    'test/hybrid_ece': 'index entries: calibration error',
    'test/hybrid_plain_ece': 'plain language: calibration error',
    'test/hybrid_business_ece': 'business texts: calibration error',
    'test/mrr': 'nearest code by distance alone: MRR',
    'tree/spearman': 'distances and tree distances: rank correlation',
    'tree/map_neighbours': 'neighbours in the tree: MAP',
    'test/holdout_parent_at_1': 'hidden codes: parent is nearest',
}
"""The metrics that are shown by default → what they are."""


def metrics(
    every: Annotated[bool, typer.Option('--all', help='Show every metric.')] = False,
    pattern: Annotated[
        str | None, typer.Option('--filter', help='Show metrics that match a regular expression.')
    ] = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Print the main metrics of a bundle, each with its baseline or ceiling; --all for every one.

    JSON has every metric, or those that match.
    """
    expression = _expression(pattern)
    found = _load(bundle).metrics()
    kept = {name: one for name, one in sorted(found.items()) if expression.search(name)}
    if as_json:
        _print_json(kept)
        return
    shown = {name: name for name in kept}
    if not every and pattern is None:
        named = {name: said for name, said in MAIN.items() if name in found}
        # A bundle of another kind may have none of them.
        shown = named or shown
    if not shown:
        what = 'the bundle holds no metric' if not found else f'no metric matches {pattern!r}'
        raise UserError(f'{what}; `naics-embed metrics --all` lists all names')
    _show(shown, found)
    if len(shown) < len(found):
        sys.stdout.flush()
        typer.echo(f'{len(shown)} of {len(found):,} metrics; --all shows every one', err=True)


def _expression(pattern: str | None) -> re.Pattern[str]:
    try:
        return re.compile(pattern or '')
    except re.error as error:
        raise UserError(f'--filter {pattern!r} is no regular expression: {error}') from error


def _show(shown: Mapping[str, str], found: Mapping[str, Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column('metric', overflow='fold')
    table.add_column('value', justify='right')
    table.add_column('reference', justify='right')
    table.add_column('')
    for name, said in shown.items():
        metric = found[name]
        table.add_row(
            said,
            _number(metric['value']),
            '' if metric['reference'] is None else _number(metric['reference']),
            (metric['reference_name'] or '').replace('_', ' '),
        )
    Console(highlight=False, markup=False).print(table)


def _number(value: float | None) -> str:
    if value is None:
        return UNDEFINED
    return f'{value:,.0f}' if float(value).is_integer() and abs(value) > 1 else f'{value:.4f}'
