"""The command ``serve``: search and coding over HTTP."""

import importlib.util
import json
import logging
import webbrowser
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naics_embed.cli.checkout import configs_folder
from naics_embed.cli.in_use import bundle_or_starter, say_starter
from naics_embed.errors import UserError

if TYPE_CHECKING:
    from naics_embed.config.review import ReviewConfig
    from naics_embed.config.service import ServiceConfig

REQUIRED = ('fastapi', 'uvicorn', 'prometheus_client', 'rapidfuzz')
PREFIX = 'service.'
REVIEW_PREFIX = 'review.'
LOG_FORMAT = '%(asctime)s %(levelname)s %(name)s: %(message)s'


def serve(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help='Limits, as service.key=value.', metavar='KEY=VALUE'),
    ] = None,
    host: Annotated[str | None, typer.Option(help='Address; loopback by default.')] = None,
    port: Annotated[int | None, typer.Option(help='Port; 0 for any that is free.')] = None,
    bundle: Annotated[
        Path | None, typer.Option('--bundle', help='A bundle; the promoted one by default.')
    ] = None,
    open_page: Annotated[
        bool, typer.Option('--open', help='Open the page in a browser once it answers.')
    ] = False,
    keys: Annotated[
        Path | None, typer.Option(help='File of API keys (naics-embed keys); none by default.')
    ] = None,
    jobs: Annotated[
        Path | None, typer.Option(help='Folder for files of jobs (/v1/jobs); no jobs by default.')
    ] = None,
    shadow: Annotated[
        Path | None, typer.Option(help='A candidate bundle that answers too and is compared.')
    ] = None,
    root_path: Annotated[str, typer.Option(help='Path prefix under which a proxy serves it.')] = '',
    config_folder: Annotated[
        Path | None, typer.Option(help='Folder with base.yaml; configs of the checkout by default.')
    ] = None,
) -> None:
    """Serve search and coding over HTTP, with a page to search with."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)} is missing: pip install 'naics-embed[serve]'")
    given = {'host': host, 'port': port, 'keys.file': keys, 'jobs.folder': jobs}
    config = _config(config_folder, overrides or [], given | {'shadow.bundle': shadow})
    review = _review_config(config_folder, overrides or [])
    # Checked before torch is loaded, so that a user without a bundle sees the error at once.
    path = bundle_or_starter(bundle)
    for one in (path, config.shadow.bundle):
        if one is not None:
            check_bundle(Path(one).expanduser())
    say_starter(path)
    watched = bundle is None
    from naics_embed.service.server import run_server

    # What goes on is said in plain lines; the log has warnings and faults.
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)

    def show(address: str) -> None:
        if open_page and not webbrowser.open(address):
            typer.echo(f'no browser could be opened; open {address}', err=True)

    say = partial(typer.echo, err=True)
    if review is None:
        run_server(config, path, root_path, watched=watched, say=say, on_open=show)
        return
    from naics_embed.cli.review_options import open_store

    store = open_store(None, review)
    from naics_embed.review.serving import MOUNTED, review_app, review_desk, use_coder

    desk = review_desk(store, review)
    run_server(
        config,
        path,
        root_path,
        {MOUNTED: review_app(desk)},
        lambda engine: use_coder(desk, engine.coder),
        watched=watched,
        say=say,
        on_open=show,
    )


def _review_config(folder: Path | None, overrides: list[str]) -> 'ReviewConfig | None':
    """Return the section ``review`` where the service is to have the review, or None."""
    from naics_embed.config.load import load_config

    default = configs_folder()
    folder = folder or (default if default.is_dir() else None)
    if folder is None:
        return None
    review = load_config(folder, None, overrides).config.review
    return review if review.under_serve else None


def _config(
    folder: Path | None, overrides: list[str], options: Mapping[str, object]
) -> 'ServiceConfig':
    """Return the section ``service``: of the files, or the defaults where there are none."""
    from naics_embed.config.load import load_config
    from naics_embed.config.service import ServiceConfig

    named = {name: value for name, value in options.items() if value is not None}
    given = [f'{PREFIX}{name}={json.dumps(value, default=str)}' for name, value in named.items()]
    foreign = [item for item in overrides if not item.startswith((PREFIX, REVIEW_PREFIX))]
    if foreign:
        raise UserError(f'{foreign[0]!r} is no setting of the service: give {PREFIX}key=value')
    default_folder = configs_folder()
    folder = folder or (default_folder if default_folder.is_dir() else None)
    if folder is not None:
        return load_config(folder, None, [*overrides, *given]).config.service
    if overrides:
        raise UserError('settings need --config-folder, a folder with base.yaml')
    config = ServiceConfig()
    for name, value in named.items():
        section, dot, key = name.rpartition('.')
        plain = str(value) if isinstance(value, Path) else value
        inner: Any = replace(getattr(config, section), **{key: plain}) if dot else plain
        changed: dict[str, Any] = {section if dot else name: inner}
        config = replace(config, **changed)
    return config


def check_bundle(path: Path) -> None:
    """Raise ArtifactError where there is no bundle with a coder; nothing large is read."""
    from naics_embed.bundle.storage import CODER, Bundle
    from naics_embed.errors import ArtifactError

    bundle = Bundle.load(path, verify=False)
    if not any(name.startswith(f'{CODER}/') for name in bundle.manifest['files']):
        raise ArtifactError(
            f'bundle {path} was exported without {CODER}/, so it gives no probabilities; '
            'export it again'
        )
