"""Sockets, and the server of an app with its limits on connections."""

import ipaddress
import socket

import uvicorn

from naics_embed.config.service import ServiceConfig
from naics_embed.errors import UserError
from naics_embed.service.accepting import Server
from naics_embed.service.connections import Connections
from naics_embed.service.guard import Guard
from naics_embed.service.tracing import Tracing, otlp_provider


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
        Tracing(app, otlp_provider()) if config.logs.traces else app,
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
