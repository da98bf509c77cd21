"""Command that codes a file of descriptions."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from naics_embed.cli.search import BundleOption
from naics_embed.text.inference.precisions import FLOAT32


def code(
    source: Annotated[Path, typer.Argument(help='A csv or parquet file.', metavar='FILE')],
    text_column: Annotated[str, typer.Option(help='The column of descriptions.')],
    out: Annotated[Path, typer.Option('-o', '--out', help='A csv or parquet file to write.')],
    level: Annotated[int, typer.Option(help='Digits of the best code, 2 to 6.')] = 6,
    confidence: Annotated[
        float, typer.Option(help='Least probability of the code that is given as the answer.')
    ] = 0.8,
    part_rows: Annotated[int, typer.Option(help='Rows coded and kept at a time.')] = 2048,
    precision: Annotated[
        str,
        typer.Option(
            help='Number format of the encoder: float32, or bfloat16, which is faster where the '
            'processor computes in it and gives other answers to a few texts.'
        ),
    ] = FLOAT32,
    restart: Annotated[
        bool, typer.Option('--restart', help='Forget the parts of an earlier run.')
    ] = False,
    bundle: BundleOption = None,
) -> None:
    """Code every row of a file; a run that was stopped goes on where it was."""
    from naics_embed.bundle.promotion import promoted_bundle

    path = bundle or promoted_bundle()
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from naics_embed.search.bulk import FileJob, code_file
    from naics_embed.search.coder import Coder

    job = FileJob(source, text_column, out, level, confidence, part_rows)
    columns = (SpinnerColumn(), TextColumn('{task.completed:,.0f} rows'), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task('coding', total=None)
        report = code_file(
            Coder.load(path, precision=precision),
            job,
            restart=restart,
            report=lambda rows: bar.update(task, completed=rows),
        )
    resumed = f', {report.resumed:,} of them by an earlier run' if report.resumed else ''
    typer.echo(
        f'{report.rows:,} rows written to {out}{resumed}; {report.bad:,} could not be coded '
        '(see naics_error)',
        err=True,
    )
