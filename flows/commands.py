"""Commands that run flows; they join ``naics-embed`` by an entry point (`naics_embed.cli`)."""

import enum
import importlib.util
import json
import logging
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from naics_embed.errors import UserError

app = typer.Typer(no_args_is_help=True)

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


@app.command()
def run(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole pipeline."""
    _run('all', profile, overrides, refresh, as_json=as_json, quiet=quiet)


@app.command()
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


@app.command()
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
    """Train the text model, after what it stands on."""
    _run('text_training', profile, overrides, refresh, resume, as_json=as_json, quiet=quiet)


@app.command()
def evaluate(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate the trained table, after what that stands on."""
    _run('evaluation', profile, overrides, refresh, as_json=as_json, quiet=quiet)


@app.command()
def bundle(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    refresh: Refresh = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Export the trained table with its encoder as a bundle, and promote it."""
    _run('export', profile, overrides, refresh, as_json=as_json, quiet=quiet)


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
    if importlib.util.find_spec('prefect') is None:
        raise UserError("the pipeline needs the extra 'train': pip install -e '.[train]'")
    from flows.runtime import prepare

    prepare(quiet=True)
    _log_to_terminal(logging.WARNING if quiet or as_json else logging.INFO)
    from rich.console import Console

    from flows.server import prefect_server

    names = [name.replace('-', '_') for name in refresh or ()]
    with prefect_server() as ready:
        from flows.pipeline import pipeline
        from flows.summary import print_summary

        ready()
        summary: dict[str, Any] = pipeline(
            profile, list(overrides or ()), target=target, refresh=names, resume=resume
        )
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=2) + '\n')
    else:
        print_summary(summary, Console(highlight=False))


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
