"""The command ``concord``: codes of one vintage as codes of another, one by one or by the file."""

import enum
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naics_embed.cli.codes import show_rows, write_frame
from naics_embed.cli.search import AsJson, BundleOption
from naics_embed.errors import CodeError, UserError

if TYPE_CHECKING:
    from naics_embed.search.concordance import Concordance, Likelihood


class Fractions(enum.StrEnum):
    """How the parts of a code that was split are estimated."""

    EQUAL = 'equal'
    TEXT = 'text'


class Split(enum.StrEnum):
    """What becomes of a row whose code was split."""

    LIST = 'list'
    ROWS = 'rows'


def concord(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            help='Codes of 2 to 6 digits, all of six where none is given; with --column a table '
            'in a format that `code` reads.',
            metavar='[CODES | FILE]',
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help='A column of codes; the argument is its file.')
    ] = None,
    source: Annotated[
        int, typer.Option('--from', help='Vintage of the codes: 2012, 2017 or 2022.')
    ] = 2017,
    target: Annotated[int, typer.Option('--to', help='Vintage of the result.')] = 2022,
    fractions: Annotated[
        Fractions, typer.Option(help='How the parts of a code that was split are estimated.')
    ] = Fractions.EQUAL,
    split: Annotated[
        Split,
        typer.Option(
            help='With --column: a split code gets one row with a list, or a row for each target.'
        ),
    ] = Split.LIST,
    out: Annotated[
        Path | None,
        typer.Option(
            '-o',
            '--out',
            help='A csv or parquet file to write; with --column also xlsx, tsv, feather or jsonl.',
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(help='With --column: what the names of added columns begin with.'),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help='Of a text file: a character, or tab, comma, semicolon.')
    ] = None,
    encoding: Annotated[str | None, typer.Option(help='Of a text file, such as cp1252.')] = None,
    sheet: Annotated[str | None, typer.Option(help='Of a workbook; the first by default.')] = None,
    force: Annotated[bool, typer.Option('--force', help='Replace an output that is there.')] = (
        False
    ),
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Translate codes between 2012, 2017 and 2022; fractions of split codes are estimates."""
    from naics_embed.search.concordance import Concordance

    concordance = Concordance(source, target)
    likelihood = _text_likelihood(bundle) if fractions is Fractions.TEXT else None
    if column is None:
        _one_by_one(codes, concordance, likelihood, out, as_json=as_json)
        return
    if out is None or not codes or len(codes) != 1:
        raise UserError('--column needs one file, and -o with the file to write')
    from naics_embed.search.concorded_column import NO_CODE, ConcordJob, concord_column
    from naics_embed.tabular.dialect import DialectOptions
    from naics_embed.tabular.open import ReadOptions

    reading = ReadOptions(DialectOptions(encoding, delimiter).checked(), sheet)
    job = ConcordJob(Path(codes[0]), column, out, reading, prefix, each=split is Split.ROWS)
    report = concord_column(job, concordance, likelihood, force=force)
    for note in report.notes:
        typer.echo(f'{codes[0]}: {note}', err=True)
    counts = ', '.join(f'{count:,} {status}' for status, count in sorted(report.statuses.items()))
    typer.echo(f'{report.written:,} rows written to {out}; of {report.rows:,}: {counts}', err=True)
    if report.statuses.get(NO_CODE):
        shown = ', '.join(map(repr, report.wrong))
        typer.echo(
            f'{report.statuses[NO_CODE]:,} values are no codes of NAICS {source}, such as {shown}; '
            'the column of errors says why',
            err=True,
        )


def _one_by_one(
    codes: list[str] | None,
    concordance: 'Concordance',
    likelihood: 'Likelihood | None',
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    links, wrong = [], []
    for code in codes or concordance.codes:
        try:
            links += [asdict(link) for link in concordance.links(code, likelihood)]
        except CodeError as error:
            wrong.append(error)
    if wrong and not links:
        raise wrong[0]
    for one in wrong:
        typer.echo(f'naics-embed: {one}', err=True)
    if out is not None:
        import polars as pl

        write_frame(pl.DataFrame(links), out)
        return
    columns = ('source', 'source_title', 'target', 'target_title', 'fraction', 'fraction_method')
    show_rows(links, columns, as_json=as_json)


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
