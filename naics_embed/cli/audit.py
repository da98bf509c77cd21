"""The command ``audit``: codes that exist already."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from naics_embed.cli.labelled_files import (
    AsJson,
    CodeColumn,
    GroupColumn,
    MaxUnknown,
    Sheet,
    TextColumn,
    Vintage,
    WeightColumn,
    read_labels,
)
from naics_embed.cli.progress import rows_done
from naics_embed.cli.search import BundleOption

SHOWN, LISTED = 5, 20
"""Rows shown on a terminal, and in JSON."""


def audit(
    source: Annotated[
        Path, typer.Argument(help='A table with texts and their codes.', metavar='FILE')
    ],
    text_column: TextColumn = 'text',
    code_column: CodeColumn = 'code',
    group_column: GroupColumn = None,
    weight_column: WeightColumn = None,
    exposure_column: Annotated[
        str | None,
        typer.Option(help='A column of what depends on the code, such as the premium.'),
    ] = None,
    vintage: Vintage = 'auto',
    out: Annotated[
        Path | None,
        typer.Option(
            '-o',
            '--out',
            help='Write the rows to read again, a sheet for people: xlsx, csv, tsv, parquet, '
            'feather or jsonl.',
        ),
    ] = None,
    max_unknown: MaxUnknown = 0.1,
    sheet: Sheet = None,
    force: Annotated[bool, typer.Option('--force', help='Replace an output that is there.')] = (
        False
    ),
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Find codes that should be read again, and estimate how many are wrong.

    It takes the coder's probabilities at their word, so `assess` on a checked sample first.
    """
    from naics_embed.assessment.amounts import read_amounts
    from naics_embed.assessment.audit import audit as examine
    from naics_embed.assessment.audit_sheet import write_sheet
    from naics_embed.bundle.promotion import promoted_bundle
    from naics_embed.search.coder import Coder
    from naics_embed.tabular.open import ReadOptions
    from naics_embed.tabular.write import check_output

    path = bundle or promoted_bundle()
    if out is not None:
        check_output(out, force=force)
    columns = (text_column, code_column, group_column, weight_column)
    labelled = read_labels(source, columns, vintage, max_unknown, sheet, path)
    exposure = None
    if exposure_column is not None:
        rows = labelled.rows.tolist()
        exposure = read_amounts(source, exposure_column, rows, ReadOptions(sheet=sheet))
    coder = Coder.load(path)
    with rows_done(len(labelled)) as report:
        result = examine(coder, labelled, exposure=exposure, report=report)
    if out is not None:
        write_sheet(result, out)
    if as_json:
        typer.echo(json.dumps(result.to_dict(LISTED), indent=2))
        return
    for line in audit_lines(result, exposure_column):
        typer.echo(line)
    if out is not None:
        typer.echo(f'sheet: {out}')
    elif len(result.contradicted) > SHOWN:
        typer.echo('-o sheet.xlsx writes all of them')


def audit_lines(result: Any, exposure_column: str | None) -> list[str]:
    """Return an audit as lines for a terminal."""
    lines = [
        f'{result.texts:,} texts in {result.groups:,} groups',
        f'expected fraction of wrong codes: {_interval(result.wrong)}',
    ]
    if exposure_column is not None:
        lines.append(
            f'by {exposure_column}: {_interval(result.wrong_exposure)}, '
            f'{result.expected_loss:,.0f} of {result.exposure:,.0f}'
        )
    lines.append(
        'These numbers are as good as the probabilities: assess on a sample that people have '
        'checked'
    )
    if not result.contradicted:
        return [*lines, 'no other code is more probable than a stated one']
    lines.append(f'{len(result.contradicted):,} rows for which another code is more probable')
    for row in result.contradicted[:SHOWN]:
        loss = f', expected loss {row.expected_loss:,.2f}' if exposure_column else ''
        lines.append(
            f'  row {row.row}: {row.text[:60]!r}: {row.stated} ({row.probability:.1%}), or rather '
            f'{row.proposed} {row.proposed_title} ({row.proposed_probability:.1%})?{loss}'
        )
    return lines


def _interval(value: Any) -> str:
    return f'{value.value:.1%} (95%: {value.low:.1%} to {value.high:.1%})'
