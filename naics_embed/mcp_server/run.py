"""Running of the MCP server, over standard input and output or over HTTP."""

import logging
import sys
from pathlib import Path

from naics_embed.config.service import ServiceConfig
from naics_embed.mcp_server.tools import make_server
from naics_embed.service.engine import Engine
from naics_embed.service.listening import is_loopback

log = logging.getLogger(__name__)

LOG_FORMAT = '%(asctime)s %(levelname)s %(name)s: %(message)s'


def run_stdio(bundle: Path) -> None:
    """Serve a bundle to the program that started this one, until it closes standard input.

    Standard output carries the protocol, so everything else goes to standard error.

    Args:
        bundle: directory of the bundle.
    """
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT, stream=sys.stderr)
    make_server(Engine.load(bundle, ServiceConfig.map_stretch)).run('stdio')


def run_http(bundle: Path, host: str, port: int) -> None:
    """Serve a bundle over streamable HTTP, at ``/mcp``.

    Args:
        bundle: directory of the bundle.
        host: address; the SDK refuses foreign ``Host`` and ``Origin`` on loopback.
        port: port.
    """
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    if not is_loopback(host):
        log.warning(
            'listening on %s, where other machines can reach it: put a proxy with TLS and a '
            'sign-in before it, see docs/how-to/mcp.md',
            host,
        )
    server = make_server(Engine.load(bundle, ServiceConfig.map_stretch))
    log.info('listening on http://%s:%d/mcp', host, port)
    server.run('streamable-http', host=host, port=port, json_response=True, stateless_http=True)
