"""The command ``code``: a file of descriptions."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from naics_embed.cli.search import BundleOption
from naics_embed.errors import UserError
from naics_embed.text.inference.precisions import FLOAT32

STANDARD_INPUT = '-'


def code(
    source: Annotated[
        str,
        typer.Argument(
            help='A table: csv, tsv, txt, xlsx, xls, ods, parquet, feather or jsonl; text may be '
            'compressed (.gz, .zst, .zip). - reads a csv file from standard input.',
            metavar='FILE',
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            '-o', '--out', help='A file to write: csv, tsv, xlsx, parquet, feather or jsonl.'
        ),
    ],
    text_column: Annotated[
        str, typer.Option(help='The column of descriptions; text in a file of lines.')
    ] = 'text',
    level: Annotated[int, typer.Option(help='Digits of the best code, 2 to 6.')] = 6,
    confidence: Annotated[
        float, typer.Option(help='Least probability of the confident code.')
    ] = 0.8,
    top: Annotated[int, typer.Option(help='How many ranked codes.')] = 1,
    columns: Annotated[
        str | None,
        typer.Option(help='Columns to add, such as code,probability,status; all by default.'),
    ] = None,
    prefix: Annotated[str, typer.Option(help='What the names of added columns begin with.')] = (
        'naics_'
    ),
    provenance: Annotated[
        bool, typer.Option('--provenance', help='Add columns with bundle, vintage and version.')
    ] = False,
    delimiter: Annotated[
        str | None, typer.Option(help='Of a text file: a character, or tab, comma, semicolon.')
    ] = None,
    encoding: Annotated[str | None, typer.Option(help='Of a text file, such as cp1252.')] = None,
    quote: Annotated[str | None, typer.Option(help='Of a text file; empty for none.')] = None,
    skip_rows: Annotated[int | None, typer.Option(help='Lines before the header.')] = None,
    header: Annotated[
        bool, typer.Option(help='Whether the first row of a text file has names.')
    ] = True,
    sheet: Annotated[str | None, typer.Option(help='Of a workbook; the first by default.')] = None,
    part_rows: Annotated[int, typer.Option(help='Rows coded and saved at a time.')] = 2048,
    precision: Annotated[
        str,
        typer.Option(
            help='Number format of the encoder: float32, or bfloat16, which is faster where the '
            'processor supports it and changes the answers to a few texts.'
        ),
    ] = FLOAT32,
    restart: Annotated[
        bool, typer.Option('--restart', help='Forget the parts of an earlier run.')
    ] = False,
    force: Annotated[bool, typer.Option('--force', help='Replace an output that is there.')] = (
        False
    ),
    bundle: BundleOption = None,
) -> None:
    """Code every row of a file; a run that was stopped resumes."""
    from naics_embed.bundle.promotion import promoted_bundle
    from naics_embed.search.bulk import FileJob, code_file, open_job
    from naics_embed.search.coded_columns import ColumnOptions
    from naics_embed.search.searcher import check_k_and_level
    from naics_embed.tabular.dialect import DialectOptions
    from naics_embed.tabular.open import ReadOptions

    path = bundle or promoted_bundle()
    check_k_and_level(top, level)
    if not 0 < confidence <= 1:
        raise UserError(f'--confidence must be above 0 and at most 1, not {confidence}')
    chosen = None if columns is None else tuple(name.strip() for name in columns.split(','))
    dialect = DialectOptions(encoding, delimiter, quote, skip_rows, header)
    with _file(source) as file:
        job = FileJob(
            file,
            text_column,
            out,
            level,
            confidence,
            part_rows,
            ReadOptions(dialect.checked(), sheet),
            ColumnOptions(prefix, top, chosen, provenance),
        )
        # Before the model is loaded: what is wrong with the file is said at once.
        for note in open_job(job, force=force).notes:
            typer.echo(f'{source}: {note}', err=True)
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        from naics_embed.search.coder import Coder

        shown = (
            SpinnerColumn(),
            TextColumn('{task.completed:,.0f} rows'),
            TextColumn('{task.fields[rate]}'),
            TimeElapsedColumn(),
        )
        with Progress(
            *shown, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
        ) as bar:
            task = bar.add_task('coding', total=None, rate='')

            def report(rows: int) -> None:
                speed = bar.tasks[0].speed
                bar.update(task, completed=rows, rate=f'{speed:,.0f} a second' if speed else '')

            done = code_file(
                Coder.load(path, precision=precision),
                job,
                restart=restart,
                force=force,
                report=report,
            )
    resumed = f', {done.resumed:,} of them by an earlier run' if done.resumed else ''
    reasons = f' (see {prefix}error)' if done.bad else ''
    typer.echo(
        f'{done.rows:,} rows written to {out}{resumed}; {done.bad:,} could not be read{reasons}',
        err=True,
    )


@contextmanager
def _file(source: str) -> Iterator[Path]:
    """Yield the file, or a copy of standard input."""
    if source != STANDARD_INPUT:
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        copy = Path(folder) / 'standard-input.csv'
        with copy.open('wb') as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield copy
