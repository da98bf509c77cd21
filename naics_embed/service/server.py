"""The server process: one uvicorn, one event loop, one model."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.types import ASGIApp

from naics_embed.config.service import ServiceConfig
from naics_embed.service.app import create_app
from naics_embed.service.engine import Engine
from naics_embed.service.json_log import log_as_json
from naics_embed.service.listening import is_loopback, listen, make_server
from naics_embed.service.open_files import connection_limit
from naics_embed.service.rare import RareWarnings
from naics_embed.service.reload import Source

log = logging.getLogger(__name__)

CHATTY = ('asyncio', 'uvicorn.error', 'naics_embed.service.accepting')
"""Loggers whose warnings any client can cause."""


def run_server(
    config: ServiceConfig,
    bundle: Path,
    root_path: str = '',
    mounts: Mapping[str, ASGIApp] | None = None,
    on_ready: Callable[[Engine], None] | None = None,
    *,
    watched: bool = False,
    say: Callable[[str], None] = log.info,
    on_open: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a bundle until a signal stops the process.

    Args:
        config: address and limits.
        bundle: directory of the bundle.
        root_path: path prefix under which a proxy serves it.
        mounts: path → another app to serve there.
        on_ready: called with each engine that is going to be used, in the thread that loaded it.
        watched: whether another bundle that is promoted takes its place.
        say: told in a line each what goes on.
        on_open: called with the address once it answers.

    Raises:
        UserError: the address is not free or not of this machine, or the bundle is damaged.
    """
    if not is_loopback(config.host):
        lacking = 'no authentication and no TLS' if config.keys.file is None else 'no TLS'
        log.warning(
            'listening on %s, where other machines can reach it: the service has %s. Put a proxy '
            'with TLS before it, see docs/serving.md',
            *(config.host, lacking),
        )
    for name in CHATTY:
        logging.getLogger(name).addFilter(RareWarnings())
    limit = connection_limit(config.max_connections)
    failures: list[BaseException] = []

    def stop(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    def load(path: Path) -> Engine:
        return Engine.load(path, config.map_stretch, config.questions)

    source = (
        Source.promoted(load, bundle, on_ready) if watched else Source.named(load, bundle, on_ready)
    )
    _let_through(config)
    with listen(config.host, config.port) as listening:
        host = f'[{config.host}]' if ':' in config.host else config.host
        address = f'http://{host}:{listening.getsockname()[1]}'

        def ready(seconds: float) -> None:
            say(f'ready after {seconds:.0f} s: open {address}')
            on_open(address)

        say(f'listening on {address}')
        say(f'loading {bundle} …')
        app = create_app(config, source.first, stop, mounts, ready, source)
        server = make_server(app, config, listening, limit, root_path)
        server.run()
    if failures:
        raise failures[0]


def _let_through(config: ServiceConfig) -> None:
    """Let the log have what the configuration asks for, whatever its level is."""
    said = ['naics_embed.service.reload', 'naics_embed.service.jobs']
    if config.logs.json or config.logs.requests:
        said.append('naics_embed.service')
    for name in said:
        logging.getLogger(name).setLevel(logging.INFO)
    if config.logs.json:
        log_as_json()
