"""Running of flows from commands: Prefect's server, the terminal, the summary."""

import contextlib
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from naics_embed.errors import UserError

STARTING = 'starting: libraries and a Prefect server take up to a minute to load'


def run_target(
    target: str,
    profile: str,
    overrides: Sequence[str] | None,
    refresh: Sequence[str] | None,
    resume: str = 'auto',
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the pipeline up to a target, and print its summary."""
    summary = summary_of(target, profile, overrides, refresh, resume, quiet=quiet or as_json)
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=2) + '\n')
        return
    from rich.console import Console

    from flows.cli.summary import print_summary

    print_summary(summary, Console(highlight=False))


def summary_of(
    target: str,
    profile: str,
    overrides: Sequence[str] | None,
    refresh: Sequence[str] | None,
    resume: str,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Run the pipeline up to a target, and return its summary."""
    names = [name.replace('-', '_') for name in refresh or ()]
    with orchestrated(quiet=quiet) as ready:
        from flows.pipeline import pipeline

        ready()
        return pipeline(profile, list(overrides or ()), target=target, refresh=names, resume=resume)


@contextlib.contextmanager
def orchestrated(*, quiet: bool) -> Iterator[Callable[[], None]]:
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

    console = Console(stderr=True)
    handler: logging.Handler = RichHandler(
        console=console, show_path=False, show_level=False, log_time_format='%H:%M:%S'
    )
    if not console.is_terminal:
        # In a file a line is a line: Rich would break it after 80 characters, paths too.
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
    logging.getLogger('mlflow').setLevel(logging.WARNING)
    logger = logging.getLogger('naics_embed')
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
