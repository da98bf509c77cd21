"""Commands that run the pipeline, or its stages up to one."""

import enum
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, Overrides, Profile, Quiet, Refresh
from flows.cli.running import run_target, summary_of


class DataTarget(enum.StrEnum):
    """What ``naics-embed data`` builds."""

    ALL = 'all'
    CODEBOOK = 'codebook'
    REDIRECTIONS = 'redirections'
    INDEX_ROLES = 'index-roles'
    RELATIONS = 'relations'
    DISTANCES = 'distances'
    TRIPLETS = 'triplets'


def up_to(target: str, description: str) -> Callable[..., None]:
    """Return a command that runs the pipeline up to a target.

    Args:
        target: of `flows.pipeline.pipeline`.
        description: what the command does.
    """

    def command(
        overrides: Overrides = None,
        profile: Profile = 'cpu',
        refresh: Refresh = None,
        as_json: AsJson = False,
        quiet: Quiet = False,
    ) -> None:
        run_target(target, profile, overrides, refresh, as_json=as_json, quiet=quiet)

    command.__doc__ = description
    return command


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
    run_target(name, profile, overrides, refresh, as_json=as_json, quiet=quiet)


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
    run_target('text_training', profile, overrides, refresh, resume, as_json=as_json, quiet=quiet)


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
    summary = summary_of('regression', profile, given, None, 'auto', quiet=quiet or as_json)
    metrics = json.loads(
        Path(summary['stages']['regression']['files']['regression']).read_text(encoding='utf-8')
    )
    if as_json:
        sys.stdout.write(json.dumps(metrics, indent=2) + '\n')
        return
    from rich.console import Console

    from flows.cli.summary import print_regression

    print_regression(metrics, Console(highlight=False))
