"""The command ``code-batch``."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, Overrides, Profile, Quiet
from flows.cli.running import orchestrated
from naics_embed.classifications.names import NAICS2022
from naics_embed.cli.coding_options import (
    Columns,
    Delimiter,
    Encoding,
    Level,
    Prefix,
    PriorColumnOption,
    PriorVintage,
    ProvenanceColumns,
    Sheet,
    Top,
    Weight,
    names_of,
)
from naics_embed.cli.search import ClassificationOption
from naics_embed.errors import UserError


def code_batch(
    source: Annotated[str, typer.Argument(help='A folder, a pattern or a file.', metavar='IN')],
    out: Annotated[Path, typer.Argument(help='Folder for a parquet file a partition.')],
    text_column: Annotated[
        list[str],
        typer.Option(
            help='The column of descriptions. Several are read together, and one of names of '
            'companies weighs less.'
        ),
    ],
    overrides: Overrides = None,
    weight: Weight = None,
    prior_column: PriorColumnOption = None,
    prior_vintage: PriorVintage = 'auto',
    classification: ClassificationOption = NAICS2022,
    level: Level = None,
    confidence: Annotated[
        float | None, typer.Option(help='Least probability of the confident code.')
    ] = None,
    top: Top = 1,
    columns: Columns = None,
    prefix: Prefix = None,
    provenance: ProvenanceColumns = False,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    workers: Annotated[
        int | None, typer.Option(help='Processes on this machine; one a core by default.')
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help='Address of a Dask scheduler, instead of workers on this machine.'),
    ] = None,
    table: Annotated[
        Path | None, typer.Option('--bundle', help='A bundle; the promoted one by default.')
    ] = None,
    profile: Profile = 'cpu',
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Code a partitioned data set on many workers, each partition once."""
    given = list(overrides or ())
    given += [f'batch.workers={workers}'] if workers is not None else []
    given += [f'batch.scheduler={json.dumps(scheduler)}'] if scheduler is not None else []
    if importlib.util.find_spec('prefect_dask') is None:
        raise UserError("code-batch needs the extra 'dask': pip install -e '.[train,dask]'")
    with orchestrated(quiet=quiet or as_json) as ready:
        from flows.code_batch import code_batch as flow

        ready()
        summary = flow(
            source,
            str(out),
            text_column,
            None if table is None else str(table),
            level,
            confidence,
            profile,
            given,
            weights=weight,
            top=top,
            columns=names_of(columns),
            prefix=prefix,
            provenance=provenance,
            delimiter=delimiter,
            encoding=encoding,
            sheet=sheet,
            classification=classification or NAICS2022,
            prior_column=prior_column,
            prior_vintage=prior_vintage,
        )
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=2) + '\n')
        return
    typer.echo(
        f'{summary["rows"]:,} rows in {summary["partitions"]} partitions in {out}, '
        f'{summary["kept"]} of them kept; {summary["rows_per_s"]:.0f} rows a second; '
        f'{summary["bad"]:,} rows could not be coded (the column of errors says why)',
        err=True,
    )
