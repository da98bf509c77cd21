"""Commands that take codes: show, similar, compare, cluster."""

import enum
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naics_embed.cli.card import print_card
from naics_embed.cli.in_use import (
    NO_BUNDLE_NOTE,
    bundle_or_starter,
    bundle_without_building,
    say_starter,
)
from naics_embed.cli.search import AsJson, BundleOption
from naics_embed.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from naics_embed.search.code_table import Code, CodeTable, Comparison


class By(enum.StrEnum):
    """How similar codes are found."""

    TREE = 'tree'
    TEXT = 'text'
    BOTH = 'both'


CURRENT = 'naics2022'
FromOption = Annotated[
    str, typer.Option('--from', help='Classification of the code; see `classifications`.')
]
ToOption = Annotated[
    str | None, typer.Option('--to', help='That of the other codes; the same by default.')
]


class Method(enum.StrEnum):
    """How codes are clustered."""

    KMEANS = 'kmeans'
    AGGLOMERATIVE = 'agglomerative'


def similar(
    code: Annotated[str, typer.Argument(help='A code.')],
    k: Annotated[int, typer.Option('-k', help='How many codes.')] = 10,
    level: Annotated[
        int | None, typer.Option(help='Level of the codes shown; that of CODE by default.')
    ] = None,
    by: Annotated[
        By,
        typer.Option(
            help='tree: the points, which keep the taxonomy; text: what firms of the codes say; '
            'both: the sum of the ranks.'
        ),
    ] = By.TREE,
    source: FromOption = CURRENT,
    target: ToOption = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Show the codes nearest to a code: by the tree, or by what their firms do (--by text)."""
    one, other = _names(source, target)
    if (one, other) != (CURRENT, CURRENT):
        if by is not By.TREE:
            raise UserError(f'--by {by} is for codes of {CURRENT} only')
        from naics_embed.search.across import AcrossTable

        near = AcrossTable(_table(bundle)).similar(code, one, other, k, level)
        across = ('official', 'title', 'distance', 'fraction')
        show_rows([asdict(found) for found in near], across, as_json=as_json)
        return
    rows = [asdict(near) for near in _table(bundle, code).similar(code, k, level, by=by.value)]
    columns: tuple[str, ...] = ('official', 'title', 'distance', 'tree_distance', 'shared')
    if by is not By.TREE:
        columns = ('official', 'title', 'similarity', 'distance', 'tree_distance', 'shared')
    show_rows(rows, columns, as_json=as_json)


def show(
    code: Annotated[str, typer.Argument(help='A code.')],
    k: Annotated[int, typer.Option('-k', help='How many similar codes.')] = 5,
    by: Annotated[By, typer.Option(help='How similar codes are found.')] = By.TREE,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Show a code: title, path, codes below, similar codes, and what its text sends elsewhere."""
    path = bundle_without_building(bundle)
    if path is None:
        from naics_embed.starter.title_card import title_card

        card = title_card(code)
        typer.echo(f'naics-embed: {NO_BUNDLE_NOTE}', err=True)
    else:
        from naics_embed.search.card import card_of

        card = card_of(_table(path, code), code, k, by.value)
    if as_json:
        sys.stdout.write(json.dumps(asdict(card), indent=2) + '\n')
    else:
        print_card(card)


def compare(
    first: Annotated[str, typer.Argument(help='A code.')],
    second: Annotated[str, typer.Argument(help='Another code.')],
    source: FromOption = CURRENT,
    target: ToOption = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Compare two codes: common ancestor, distances, cross references or fractions between them."""
    one, other = _names(source, target)
    if (one, other) != (CURRENT, CURRENT):
        _compare_across(first, second, (one, other), bundle, as_json=as_json)
        return
    codes = _table(bundle, first, second)
    comparison = codes.compare(first, second)
    between = [
        redirection
        for one, other in _both_ways(comparison)
        for redirection in (codes.redirections(one.code) if codes.has_redirections else ())
        if other in redirection.targets
    ]
    if as_json:
        content = {**asdict(comparison), 'redirections': [asdict(item) for item in between]}
        sys.stdout.write(json.dumps(content, indent=2) + '\n')
        return
    common = comparison.common
    lines = [
        f'{comparison.first.official}  {comparison.first.title}',
        f'{comparison.second.official}  {comparison.second.title}',
        f'common ancestor   {f"{common.official} {common.title}" if common else "none"}',
        f'tree distance     {comparison.tree_distance}',
        f'geodesic distance {comparison.distance:.3f}',
        f'nearer to {comparison.first.official}: {comparison.nearer:.1%} of codes of '
        f'{comparison.second.level} digits',
    ]
    for item in between:
        targets = ', '.join(target.official for target in item.targets)
        lines.append(f'{item.source.official} sends "{item.activity}" to {targets}')
    sys.stdout.write('\n'.join(lines) + '\n')


def cluster(
    k: Annotated[int, typer.Option('-k', help='How many clusters.')],
    level: Annotated[int, typer.Option(help='Digits of the codes.')] = 6,
    method: Annotated[Method, typer.Option(help='How.')] = Method.KMEANS,
    seed: Annotated[int, typer.Option(help='Seed of k-means.')] = 0,
    out: Annotated[
        Path | None, typer.Option('-o', '--out', help='A csv or parquet file to write.')
    ] = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Cluster the codes of a level by their geodesic distances."""
    from naics_embed.search.clusters import cluster_codes

    clusters = cluster_codes(_table(bundle), k, level=level, method=method.value, seed=seed)
    if out is not None:
        write_frame(clusters, out)
        return
    show_rows(clusters.to_dicts(), ('code', 'title', 'cluster'), as_json=as_json)


def _names(source: str, target: str | None) -> tuple[str, str]:
    from naics_embed.classifications.names import classification_name

    one = classification_name(source)
    return one, one if target is None else classification_name(target)


def _compare_across(
    first: str, second: str, names: tuple[str, str], bundle: Path | None, *, as_json: bool
) -> None:
    from naics_embed.search.across import AcrossTable

    found = AcrossTable(_table(bundle)).compare(first, second, *names)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=2) + '\n')
        return
    one, other = found.first, found.second
    lines = [
        f'{one.official}  {one.title}  ({one.classification})',
        f'{other.official}  {other.title}  ({other.classification})',
        f'geodesic distance {found.distance:.3f}',
        f'part of {one.official} in {other.official}: {found.fraction:.1%}',
        f'part of {other.official} in {one.official}: {found.fraction_back:.1%}',
        f'nearer to {one.official}: {found.nearer:.1%} of codes of level {other.level} of '
        f'{other.classification}',
    ]
    sys.stdout.write('\n'.join(lines) + '\n')


def _both_ways(comparison: 'Comparison') -> tuple[tuple['Code', 'Code'], ...]:
    first, second = comparison.first, comparison.second
    return (first, second), (second, first)


def _table(bundle: Path | None, *codes: str) -> 'CodeTable':
    """Load the table of a bundle, after its codes are known to be there."""
    path = bundle_or_starter(bundle)
    from naics_embed.search.code_lookup import check_codes

    # Before torch is loaded: a wrong code is said at once.
    check_codes(path, codes)
    say_starter(path)
    from naics_embed.search.code_table import CodeTable

    return CodeTable.load(path)


def write_frame(frame: 'pl.DataFrame', out: Path) -> None:
    """Write rows to a csv or parquet file. Raises UserError for another format or no folder."""
    from naics_embed.artifacts import atomic_file

    ending = out.suffix.lower()
    if ending not in ('.csv', '.parquet'):
        raise UserError(f'{out} must end in .csv or .parquet')
    if not out.parent.is_dir():
        raise UserError(f'{out.parent} does not exist; name a folder that does')
    with atomic_file(out) as temporary:
        if ending == '.csv':
            frame.write_csv(temporary)
        else:
            frame.write_parquet(temporary)
    typer.echo(f'{len(frame):,} rows written to {out}', err=True)


def show_rows(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    """Print rows as a table of some of their columns, or all of them as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + '\n')
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in columns:
        numeric = bool(rows) and isinstance(rows[0][name], (int, float))
        table.add_column(name.replace('_', ' '), justify='right' if numeric else 'left')
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ''
    return f'{value:.3f}' if isinstance(value, float) else str(value)
