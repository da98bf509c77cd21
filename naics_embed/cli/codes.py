"""Commands that take codes: similar, compare, concord, cluster."""

import enum
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naics_embed.cli.search import AsJson, BundleOption
from naics_embed.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from naics_embed.search.code_table import Code, CodeTable, Comparison
    from naics_embed.search.concordance import Likelihood


class Fractions(enum.StrEnum):
    """How the parts of a code that was split are estimated."""

    EQUAL = 'equal'
    TEXT = 'text'


class Method(enum.StrEnum):
    """How codes are clustered."""

    KMEANS = 'kmeans'
    AGGLOMERATIVE = 'agglomerative'


def similar(
    code: Annotated[str, typer.Argument(help='A code.')],
    k: Annotated[int, typer.Option('-k', help='How many codes.')] = 10,
    level: Annotated[
        int | None, typer.Option(help='Digits of the codes shown; those of CODE by default.')
    ] = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Show the codes nearest to a code."""
    rows = [asdict(near) for near in _table(bundle).similar(code, k, level)]
    columns = ('official', 'title', 'distance', 'tree_distance', 'shared')
    _show(rows, columns, as_json=as_json)


def compare(
    first: Annotated[str, typer.Argument(help='A code.')],
    second: Annotated[str, typer.Argument(help='Another code.')],
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Compare two codes: common ancestor, distances, cross references between them."""
    codes = _table(bundle)
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


def concord(
    codes: Annotated[
        list[str] | None, typer.Argument(help='Six-digit codes; all where none is given.')
    ] = None,
    source: Annotated[int, typer.Option('--from', help='Vintage of the codes.')] = 2017,
    target: Annotated[int, typer.Option('--to', help='Vintage of the result.')] = 2022,
    fractions: Annotated[
        Fractions, typer.Option(help='How the parts of a code that was split are estimated.')
    ] = Fractions.EQUAL,
    out: Annotated[
        Path | None, typer.Option('-o', '--out', help='A csv or parquet file to write.')
    ] = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Translate codes between 2017 and 2022; fractions of codes that were split are estimates."""
    import polars as pl

    from naics_embed.search.concordance import Concordance

    concordance = Concordance(source, target)
    likelihood = _text_likelihood(bundle) if fractions is Fractions.TEXT else None
    links = [
        asdict(link)
        for code in (codes or concordance.codes)
        for link in concordance.links(code, likelihood)
    ]
    if out is not None:
        _write(pl.DataFrame(links), out)
        return
    columns = ('source', 'source_title', 'target', 'target_title', 'fraction', 'fraction_method')
    _show(links, columns, as_json=as_json)


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
        _write(clusters, out)
        return
    _show(clusters.to_dicts(), ('code', 'title', 'cluster'), as_json=as_json)


def _both_ways(comparison: 'Comparison') -> tuple[tuple['Code', 'Code'], ...]:
    first, second = comparison.first, comparison.second
    return (first, second), (second, first)


def _text_likelihood(bundle: Path | None) -> 'Likelihood':
    """Weigh targets by the geodesic distance of their titles from the title of the source."""
    import numpy as np
    import torch

    from naics_embed.geometry.lorentz import pairwise_distance
    from naics_embed.search.searcher import Searcher

    searcher = Searcher.load(bundle)

    def likelihood(title: str, names: list[str]) -> np.ndarray:
        points = searcher.encode([title, *names])
        far = pairwise_distance(points[:1], points[1:], c=searcher.space.curvature)[0]
        return torch.softmax(-far, dim=0).numpy()

    return likelihood


def _table(bundle: Path | None) -> 'CodeTable':
    from naics_embed.bundle.promotion import promoted_bundle

    path = bundle or promoted_bundle()
    from naics_embed.search.code_table import CodeTable

    return CodeTable.load(path)


def _write(frame: 'pl.DataFrame', out: Path) -> None:
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


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
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
