"""The command ``code``: a file of descriptions."""

from functools import partial
from typing import Annotated

import typer

from naics_embed.classifications.names import NAICS2022
from naics_embed.cli.coding_options import (
    Columns,
    Delimiter,
    Encoding,
    Level,
    Prefix,
    Prior,
    PriorColumnOption,
    PriorVintage,
    ProvenanceColumns,
    Sheet,
    Top,
    Weight,
    names_of,
)
from naics_embed.cli.in_use import bundle_or_starter, classification_of, say_starter
from naics_embed.cli.progress import EVERY_S, rows_done
from naics_embed.cli.search import BundleOption, ClassificationOption
from naics_embed.cli.user_tables import copy_of, table_read, table_written
from naics_embed.text.inference.precisions import FLOAT32

DEFAULT_COLUMN = 'text'


def code(
    out: Annotated[
        str,
        typer.Option(
            '-o',
            '--out',
            help='A file to write: csv, tsv, xlsx, parquet, feather or jsonl; or an address.',
        ),
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            help='A table: csv, tsv, txt, xlsx, xls, ods, parquet, feather or jsonl; text may be '
            'compressed (.gz, .zst, .zip). - reads a csv file from standard input; addresses such '
            'as s3://bucket/in.csv are fetched.',
            metavar='FILE',
        ),
    ] = None,
    text_column: Annotated[
        list[str] | None,
        typer.Option(
            help='The column of descriptions; text by default. Several are read together, and one '
            'of names of companies weighs less.'
        ),
    ] = None,
    weight: Weight = None,
    prior_column: PriorColumnOption = None,
    prior_vintage: PriorVintage = 'auto',
    prior: Prior = None,
    query: Annotated[
        str | None, typer.Option(help='A SQL query whose rows are coded, in place of FILE.')
    ] = None,
    connection: Annotated[
        str | None,
        typer.Option(
            help='Address of its database, as SQLAlchemy reads it: sqlite:///firms.db.',
            envvar='NAICS_EMBED_CONNECTION',
        ),
    ] = None,
    classification: ClassificationOption = None,
    level: Level = None,
    confidence: Annotated[
        float, typer.Option(help='Least probability of the confident code.')
    ] = 0.8,
    top: Top = 1,
    columns: Columns = None,
    prefix: Prefix = None,
    provenance: ProvenanceColumns = False,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    quote: Annotated[str | None, typer.Option(help='Of a text file; empty for none.')] = None,
    skip_rows: Annotated[int | None, typer.Option(help='Lines before the header.')] = None,
    header: Annotated[
        bool, typer.Option(help='Whether the first row of a text file has names.')
    ] = True,
    sheet: Sheet = None,
    log_every: Annotated[
        float, typer.Option(help='Seconds between lines of progress in a log; 0 for none.')
    ] = EVERY_S,
    part_rows: Annotated[int, typer.Option(help='Rows coded and saved at a time.')] = 2048,
    precision: Annotated[
        str,
        typer.Option(
            help='Number format of the encoder: float32; bfloat16, which is faster where the '
            'processor supports it and changes the answers to a few texts; or auto, the faster.'
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
    from naics_embed.cli.checkout import section
    from naics_embed.cli.prior import prior_options
    from naics_embed.evidence.prior_settings import PriorCodeSettings
    from naics_embed.search.bulk import FileJob, code_file, open_job
    from naics_embed.search.coding_options import coding_options
    from naics_embed.search.status import in_a_line
    from naics_embed.search.text_columns import describe, text_columns
    from naics_embed.tabular.counting import rows_about
    from naics_embed.tabular.dialect import DialectOptions
    from naics_embed.tabular.open import ReadOptions

    named = prior_column is not None
    chosen = partial(
        coding_options,
        level=level,
        confidence=confidence,
        top=top,
        columns=names_of(columns),
        prefix=prefix,
        provenance=provenance,
        prior_column=prior_column,
        prior_vintage=prior_vintage,
        prior_settings=section('prior_codes', PriorCodeSettings) if named else None,
    )
    # Before a starter is built, which takes a minute: what is wrong is said at once.
    options = chosen(classification=classification or NAICS2022)
    loading = prior_options(prior)
    path = bundle_or_starter(bundle)
    own = classification_of(path)
    if own != NAICS2022:
        options = chosen(classification=classification or own, own=own)
    dialect = DialectOptions(encoding, delimiter, quote, skip_rows, header)
    texts = text_columns(text_column or [DEFAULT_COLUMN], weight or [])
    if connection is not None and query is None and source is not None:
        # It comes from the environment, for other commands.
        connection = None
    with (
        table_read(source, query, connection) as file,
        table_written(out, force=force) as target,
    ):
        job = FileJob(
            file,
            texts,
            target,
            options.level,
            options.confidence,
            part_rows,
            ReadOptions(dialect.checked(), sheet),
            options.columns,
            options.prior,
            copy_of(file, source, query),
        )
        # Before the model is loaded: what is wrong with the file is said at once.
        table = open_job(job, force=force)
        called = source or 'the query'
        for note in table.notes:
            typer.echo(f'{called}: {note}', err=True)
        if len(texts) > 1:
            typer.echo(f'{called}: texts are {describe(texts)}', err=True)
        from naics_embed.search.coder import Coder

        coder = Coder.load(path, precision=precision, **loading)
        with rows_done(rows_about(table), log_every) as report:
            done = code_file(
                coder,
                job,
                restart=restart,
                force=force,
                report=report,
                table=table,
                note=lambda line: typer.echo(f'{called}: {line}', err=True),
            )
    resumed = f', {done.resumed:,} of them by an earlier run' if done.resumed else ''
    reasons = f' (see {options.columns.prefix}error)' if done.bad else ''
    typer.echo(
        f'{done.rows:,} rows written to {out}{resumed}; {done.bad:,} could not be read{reasons}',
        err=True,
    )
    if done.rows:
        typer.echo(in_a_line(done.statuses), err=True)
    say_starter(path)
