"""The commands ``concord`` and ``classifications``: codes of one classification as of another."""

import enum
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naics_embed.cli.codes import show_rows, write_frame
from naics_embed.cli.search import AsJson, BundleOption
from naics_embed.errors import CodeError, UserError

if TYPE_CHECKING:
    from naics_embed.classifications.concordance import Concordance
    from naics_embed.classifications.fraction_rules import FractionRule
    from naics_embed.classifications.links import Link


SHOWN = 5


class Fractions(enum.StrEnum):
    """How the parts of a code with several counterparts are estimated."""

    EQUAL = 'equal'
    TEXT = 'text'


class Split(enum.StrEnum):
    """What becomes of a row whose code has several counterparts."""

    LIST = 'list'
    ROWS = 'rows'


def classifications(as_json: AsJson = False) -> None:
    """List the classifications, with the names that every command reads."""
    from naics_embed.classifications.classification import Classification
    from naics_embed.classifications.names import EDITIONS

    rows = []
    for edition in EDITIONS.values():
        tree = Classification.load(edition.name)
        rows.append(
            {
                'name': edition.name,
                'label': edition.label,
                'aliases': ', '.join(edition.aliases),
                'codes': len(tree),
                'deepest': len(tree.leaves),
                'levels': f'{tree.levels[0]}-{tree.levels[-1]}',
            }
        )
    show_rows(rows, ('name', 'label', 'aliases', 'codes', 'deepest', 'levels'), as_json=as_json)


def concord(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            help='Codes, all of the deepest level where none is given; with --column a table in a '
            'format that `code` reads.',
            metavar='[CODES | FILE]',
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help='A column of codes; the argument is its file.')
    ] = None,
    source: Annotated[
        str,
        typer.Option('--from', help='Classification of the codes; see `classifications`.'),
    ] = 'naics2017',
    target: Annotated[str, typer.Option('--to', help='That of the result.')] = 'naics2022',
    fractions: Annotated[
        Fractions,
        typer.Option(help='How the parts of a code with several counterparts are estimated.'),
    ] = Fractions.EQUAL,
    weights: Annotated[
        Path | None,
        typer.Option(
            help='A table of counts, which come before estimates: source, target, weight; or the '
            'sizes of codes of the target: code, weight.'
        ),
    ] = None,
    totals: Annotated[
        Path | None,
        typer.Option(
            help='A table of totals of both sides, to which fractions are fitted: classification, '
            'code, weight.'
        ),
    ] = None,
    level: Annotated[
        int | None, typer.Option(help='Level of the result; that which matches by default.')
    ] = None,
    steps: Annotated[
        bool, typer.Option('--steps', help='Show every step of the chain of tables.')
    ] = False,
    split: Annotated[
        Split,
        typer.Option(
            help='With --column: a code with several counterparts gets one row with a list, or a '
            'row for each.'
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
    """Translate codes between classifications; each fraction says where it comes from."""
    if column is not None and (out is None or not codes or len(codes) != 1):
        raise UserError('--column needs one file, and -o with the file to write')
    concordance = _concordance(source, target, fractions, weights, totals, bundle)
    if column is None:
        _one_by_one(codes, concordance, level, out, steps=steps, as_json=as_json)
        return
    assert out is not None
    assert codes is not None
    from naics_embed.search.concorded_column import (
        NO_CODE,
        NO_COUNTERPART,
        ConcordJob,
        concord_column,
    )
    from naics_embed.tabular.dialect import DialectOptions
    from naics_embed.tabular.open import ReadOptions

    reading = ReadOptions(DialectOptions(encoding, delimiter).checked(), sheet)
    job = ConcordJob(Path(codes[0]), column, out, reading, prefix, split is Split.ROWS, level)
    report = concord_column(job, concordance, force=force)
    for note in report.notes:
        typer.echo(f'{codes[0]}: {note}', err=True)
    counts = ', '.join(f'{count:,} {status}' for status, count in sorted(report.statuses.items()))
    typer.echo(f'{report.written:,} rows written to {out}; of {report.rows:,}: {counts}', err=True)
    labels = (concordance.sources.label, concordance.targets_of.label)
    for status, what in (
        (NO_CODE, f'are not codes of {labels[0]}'),
        (NO_COUNTERPART, f'have no counterpart in {labels[1]}'),
    ):
        if report.statuses.get(status):
            shown = ', '.join(map(repr, report.examples[status]))
            typer.echo(
                f'{report.statuses[status]:,} values {what}, such as {shown}; the column of errors '
                'says why',
                err=True,
            )


def _concordance(
    source: str,
    target: str,
    fractions: Fractions,
    weights: Path | None,
    totals: Path | None,
    bundle: Path | None,
) -> 'Concordance':
    """Return the concordance, with fractions as the options say, and tell what was left out."""
    from naics_embed.classifications.concordance import Concordance

    rule = _text_rule(bundle) if fractions is Fractions.TEXT else None
    if weights is None:
        result = Concordance(source, target, rule)
    else:
        from naics_embed.classifications.counts import given_concordance, read_counts

        counts = read_counts(weights, source, target)
        for line in counts.left_out:
            typer.echo(f'{weights}: {line}', err=True)
        result = given_concordance(source, target, counts, rule)
    if totals is not None:
        from naics_embed.classifications.counts import read_totals
        from naics_embed.classifications.fitting import fit_fractions

        of_source, of_target, left_out = read_totals(totals, source, target)
        for line in left_out:
            typer.echo(f'{totals}: {line}', err=True)
        fit = fit_fractions(result, of_source, of_target)
        typer.echo(
            f'{totals}: fitted in {fit.iterations} iterations; totals of {result.target} are met '
            f'to {fit.gap:.2%}, after scaling by up to {fit.scaled:.2%}',
            err=True,
        )
        if fit.without_total:
            shown = ', '.join(fit.without_total[:SHOWN])
            typer.echo(
                f'{totals}: {len(fit.without_total):,} codes with several counterparts have no '
                f'total, such as {shown}; their fractions stay as they were',
                err=True,
            )
    return result


def _one_by_one(
    codes: list[str] | None,
    concordance: 'Concordance',
    level: int | None,
    out: Path | None,
    *,
    steps: bool,
    as_json: bool,
) -> None:
    links: list[Link] = []
    wrong = []
    for code in codes or [code for code in concordance.codes if code not in concordance.without]:
        try:
            links += concordance.steps(code) if steps else concordance.links(code, level)
        except CodeError as error:
            wrong.append(error)
    if wrong and not links:
        raise wrong[0]
    for one in wrong:
        typer.echo(f'naics-embed: {one}', err=True)
    if not codes and concordance.without:
        shown = ', '.join(concordance.without[:SHOWN])
        typer.echo(
            f'{len(concordance.without)} codes have no counterpart in '
            f'{concordance.targets_of.label}: {shown}',
            err=True,
        )
    rows: list[dict[str, Any]] = [asdict(link) for link in links]
    if out is not None:
        import polars as pl

        write_frame(pl.DataFrame(rows, infer_schema_length=None), out)
        return
    ends = ('source_classification', 'target_classification') if steps else ()
    columns = ('source', 'source_title', 'official', 'target_title', 'fraction', 'fraction_method')
    show_rows(rows, (*ends, *columns), as_json=as_json)


def _text_rule(bundle: Path | None) -> 'FractionRule':
    """Return the rule by the texts of both sides: by the coder of a bundle, or its encoder."""
    from naics_embed.bundle.promotion import promoted_bundle
    from naics_embed.bundle.storage import CODER

    path = bundle or promoted_bundle()
    from naics_embed.search.text_fractions import TextParts

    if (path / CODER).is_dir():
        from naics_embed.search.coder import Coder

        return TextParts.of_coder(Coder.load(path))
    from naics_embed.search.searcher import Searcher

    return TextParts.of_searcher(Searcher.load(path))
