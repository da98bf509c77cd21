"""Commands that run flows; they join ``naics-embed`` by an entry point (`naics_embed.cli`)."""

import contextlib
import enum
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli import tools
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
from naics_embed.cli.groups import Group
from naics_embed.cli.search import ClassificationOption
from naics_embed.errors import UserError

app = typer.Typer(no_args_is_help=True)
app.command(rich_help_panel=Group.INSPECT)(tools.diff)
app.command(rich_help_panel=Group.INSPECT)(tools.visualize)

STARTING = 'starting: libraries and a Prefect server take up to a minute to load'
Overrides = Annotated[
    list[str] | None, typer.Argument(help='Configuration, as key=value.', metavar='KEY=VALUE')
]
Profile = Annotated[str, typer.Option(help='A file in configs/profiles.')]
Refresh = Annotated[
    list[str] | None, typer.Option(help='Compute this stage again although it is cached.')
]
AsJson = Annotated[bool, typer.Option('--json', help='Print the summary as JSON.')]
Quiet = Annotated[bool, typer.Option('--quiet', '-q', help='No lines while it runs.')]


class DataTarget(enum.StrEnum):
    """What ``naics-embed data`` builds."""

    ALL = 'all'
    CODEBOOK = 'codebook'
    REDIRECTIONS = 'redirections'
    INDEX_ROLES = 'index-roles'
    RELATIONS = 'relations'
    DISTANCES = 'distances'
    TRIPLETS = 'triplets'


@app.command(rich_help_panel=Group.TRAIN)
def run(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole pipeline."""
    _run('all', profile, overrides, refresh, as_json=as_json, quiet=quiet)


@app.command(rich_help_panel=Group.TRAIN)
def data(
    target: Annotated[DataTarget, typer.Argument(help='What to build.')],
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build the data: codebook, redirections, roles, relations, distances, triplets."""
    name = 'data' if target is DataTarget.ALL else target.value.replace('-', '_')
    _run(name, profile, overrides, refresh, as_json=as_json, quiet=quiet)


@app.command(rich_help_panel=Group.TRAIN)
def train(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    resume: Annotated[
        str, typer.Option(help='auto, last, never, or the path of a checkpoint.')
    ] = 'auto',
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train the text model, after the stages it depends on."""
    _run('text_training', profile, overrides, refresh, resume, as_json=as_json, quiet=quiet)


@app.command(rich_help_panel=Group.TRAIN)
def evaluate(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate the trained table, after the stages it depends on."""
    _run('evaluation', profile, overrides, refresh, as_json=as_json, quiet=quiet)


@app.command(rich_help_panel=Group.TRAIN)
def bundle(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Export the trained table with its encoder as a bundle, and promote it."""
    _run('export', profile, overrides, refresh, as_json=as_json, quiet=quiet)


@app.command(rich_help_panel=Group.TRAIN)
def refine(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Refine the trained table over the taxonomy graph, after the stages it depends on."""
    _run('refinement', profile, overrides, refresh, as_json=as_json, quiet=quiet)


class GraphFormat(enum.StrEnum):
    """Formats of ``naics-embed graph``."""

    MERMAID = 'mermaid'
    JSON = 'json'


@app.command(rich_help_panel=Group.INSPECT)
def graph(
    graph_format: Annotated[
        GraphFormat, typer.Option('--format', help='Of the graph.')
    ] = GraphFormat.MERMAID,
) -> None:
    """Print the graph of the pipeline's stages, from what they declare."""
    from flows.runtime import prepare

    prepare(quiet=True)
    from flows.pipeline import PIPELINE

    if graph_format is GraphFormat.JSON:
        sys.stdout.write(json.dumps(PIPELINE.to_dict(), indent=2) + '\n')
    else:
        sys.stdout.write(PIPELINE.mermaid())


@app.command(rich_help_panel=Group.TRAIN)
def regress(
    outcomes: Annotated[
        Path | None,
        typer.Argument(help='Parquet with the columns code and value; an example by default.'),
    ] = None,
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare the table as regressors with one-hot columns, ancestors and frozen texts."""
    given = list(overrides or ())
    if outcomes is not None:
        given.append(f'regression.outcomes={json.dumps(str(outcomes.resolve()))}')
    summary = _summary('regression', profile, given, None, 'auto', quiet=quiet or as_json)
    metrics = json.loads(
        Path(summary['stages']['regression']['files']['regression']).read_text(encoding='utf-8')
    )
    if as_json:
        sys.stdout.write(json.dumps(metrics, indent=2) + '\n')
        return
    from rich.console import Console

    from flows.cli.summary import print_regression

    print_regression(metrics, Console(highlight=False))


@app.command(rich_help_panel=Group.USE)
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
    classification: ClassificationOption = 'naics2022',
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
    with _orchestrated(quiet=quiet or as_json) as ready:
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
            classification=classification,
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


@app.command(rich_help_panel=Group.INSPECT)
def investigate(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    sample: Annotated[
        int, typer.Option(help='Quadruples of codes that test whether D* is a tree metric.')
    ] = 100_000,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
    quiet: Quiet = False,
) -> None:
    """Build the data, describe it, and check that the ground truth is sound."""
    summary = _summary('ground_truth', profile, overrides, None, 'auto', quiet=quiet or as_json)
    from naics_embed.audit.data_files import DataFiles
    from naics_embed.audit.ground_truth import investigate as checked

    files = [stage['files'] for stage in summary['stages'].values()]
    paths = {name: Path(path) for stage in files for name, path in stage.items()}
    content = checked(DataFiles.read(paths), sample=sample, seed=0).to_dict()
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + '\n')
    else:
        tools.print_ground_truth(content)
    if not content['sound']:
        raise typer.Exit(1)


@app.command(rich_help_panel=Group.OPERATE)
def promote(
    bundle: Annotated[Path | None, typer.Argument(help='Directory of a bundle.')] = None,
    back: Annotated[
        bool, typer.Option('--rollback', help='Go back to the previous bundle.')
    ] = False,
    root: Annotated[
        Path | None, typer.Option(help='Artifact root; $NAICS_EMBED_HOME or artifacts by default.')
    ] = None,
) -> None:
    """Use this bundle from now on, whatever its metrics; or with --rollback the previous one."""
    if back == (bundle is not None):
        raise UserError('give either the directory of a bundle, or --rollback')
    from flows.runtime import prepare

    prepare(quiet=True)
    from naics_embed.bundle.promotion import artifact_root
    from tasks.registry.promotion import promote_bundle, roll_back

    folder = root or artifact_root()
    record = roll_back(folder) if bundle is None else promote_bundle(folder, bundle)
    registry = record.get('registry')
    where = f'; in MLflow, {registry["model"]} version {registry["version"]}' if registry else ''
    typer.echo(f'in use: {folder / record["bundle"]}{where}', err=True)


def _run(
    target: str,
    profile: str,
    overrides: Sequence[str] | None,
    refresh: Sequence[str] | None,
    resume: str = 'auto',
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    summary = _summary(target, profile, overrides, refresh, resume, quiet=quiet or as_json)
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=2) + '\n')
        return
    from rich.console import Console

    from flows.cli.summary import print_summary

    print_summary(summary, Console(highlight=False))


def _summary(
    target: str,
    profile: str,
    overrides: Sequence[str] | None,
    refresh: Sequence[str] | None,
    resume: str,
    *,
    quiet: bool,
) -> dict[str, Any]:
    names = [name.replace('-', '_') for name in refresh or ()]
    with _orchestrated(quiet=quiet) as ready:
        from flows.pipeline import pipeline

        ready()
        return pipeline(profile, list(overrides or ()), target=target, refresh=names, resume=resume)


@contextlib.contextmanager
def _orchestrated(*, quiet: bool) -> Iterator[Callable[[], None]]:
    """Prepare this process for a flow; yields a function that waits for Prefect's server."""
    if importlib.util.find_spec('prefect') is None:
        raise UserError("the pipeline needs the extra 'train': pip install -e '.[train]'")
    from flows.prefect_api import check_named_server
    from flows.runtime import prepare

    check_named_server()
    if not quiet:
        # Libraries and Prefect's server take up to a minute before the first stage.
        typer.echo(STARTING, err=True)
    prepare(quiet=True)
    # Prefect would only warn, and fail later.
    Path(os.environ['PREFECT_HOME']).expanduser().mkdir(parents=True, exist_ok=True)
    _log_to_terminal(logging.WARNING if quiet else logging.INFO)
    from flows.server import prefect_server

    with prefect_server() as ready:
        yield ready


def _log_to_terminal(level: int) -> None:
    from rich.console import Console
    from rich.logging import RichHandler

    handler = RichHandler(
        console=Console(stderr=True), show_path=False, show_level=False, log_time_format='%H:%M:%S'
    )
    logging.getLogger('mlflow').setLevel(logging.WARNING)
    logger = logging.getLogger('naics_embed')
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
