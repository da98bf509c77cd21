"""The server process: one uvicorn, one event loop, one model."""

import ipaddress
import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from naics_embed.config.service import ServiceConfig
from naics_embed.errors import UserError
from naics_embed.service.accepting import Server
from naics_embed.service.app import create_app
from naics_embed.service.connections import Connections
from naics_embed.service.engine import Engine
from naics_embed.service.guard import Guard
from naics_embed.service.open_files import connection_limit
from naics_embed.service.rare import RareWarnings

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
    say: Callable[[str], None] = log.info,
    on_open: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a bundle until a signal stops the process.

    Args:
        config: address and limits.
        bundle: directory of the bundle.
        root_path: path prefix under which a proxy serves it.
        mounts: path → another app to serve there.
        on_ready: called with the engine when it is loaded.
        say: told in a line each what goes on.
        on_open: called with the address once it answers.

    Raises:
        UserError: the address is not free or not of this machine, or the bundle is damaged.
    """
    if not is_loopback(config.host):
        log.warning(
            'listening on %s, where other machines can reach it: the service has no '
            'authentication and no TLS. Put a proxy with both before it, see docs/serving.md',
            config.host,
        )
    for name in CHATTY:
        logging.getLogger(name).addFilter(RareWarnings())
    limit = connection_limit(config.max_connections)
    failures: list[BaseException] = []

    def stop(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    def load() -> Engine:
        engine = Engine.load(bundle, config.map_stretch)
        if on_ready is not None:
            on_ready(engine)
        return engine

    with listen(config.host, config.port) as listening:
        host = f'[{config.host}]' if ':' in config.host else config.host
        address = f'http://{host}:{listening.getsockname()[1]}'

        def ready(seconds: float) -> None:
            say(f'ready after {seconds:.0f} s: open {address}')
            on_open(address)

        say(f'listening on {address}')
        say(f'loading {bundle} …')
        app = create_app(config, load, stop, mounts, ready)
        server = make_server(app, config, listening, limit, root_path)
        server.run()
    if failures:
        raise failures[0]


def make_server(
    app: Guard, config: ServiceConfig, listening: socket.socket, limit: int, root_path: str = ''
) -> Server:
    """Return the server of an app, to be run.

    Args:
        app: what answers.
        config: how long clients may take.
        listening: the socket.
        limit: most connections.
        root_path: path prefix under which a proxy serves it.
    """
    settings = uvicorn.Config(
        app,
        # Those that `Connection` and `Acceptor` are made for, whatever else is installed.
        loop='asyncio',
        http='h11',
        ws='none',
        root_path=root_path,
        log_config=None,
        # Addresses of /v1/search contain queries, which may be private.
        access_log=False,
        server_header=False,
        # Anybody on this machine could send X-Forwarded-For, and the review counts by address.
        proxy_headers=False,
        timeout_keep_alive=config.keep_alive_s,  # type: ignore[arg-type]  # a float will do
        timeout_graceful_shutdown=config.shutdown_s,
    )
    connections = Connections(limit, config.header_timeout_s, config.write_timeout_s, app.metrics)
    return Server(settings, listening, connections)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises UserError where it cannot."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f'{host}:{port} cannot be listened on ({error.strerror}); name another with --host or '
            '--port'
        ) from error
    # Connections inherit it. asyncio sets it only where a socket says that its protocol is TCP, and
    # these do not: an answer's second segment would wait 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; of names, only localhost counts."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
