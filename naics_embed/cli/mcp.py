"""The command ``mcp``: codes for assistants, by the Model Context Protocol."""

import enum
import importlib.util
from typing import Annotated

import typer

from naics_embed.cli.search import BundleOption
from naics_embed.errors import UserError

REQUIRED = ('mcp', 'fastapi', 'uvicorn', 'prometheus_client', 'rapidfuzz')


class Transport(enum.StrEnum):
    """How an assistant talks to the server."""

    STDIO = 'stdio'
    HTTP = 'http'


def mcp(
    transport: Annotated[
        Transport, typer.Option(help='stdio, or http: streamable HTTP at /mcp.')
    ] = Transport.STDIO,
    host: Annotated[str, typer.Option(help='Address, for http.')] = '127.0.0.1',
    port: Annotated[int, typer.Option(help='Port, for http.')] = 8724,
    bundle: BundleOption = None,
) -> None:
    """Serve search, coding, codes and concordances to assistants (Model Context Protocol)."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)} is missing: pip install 'naics-embed[mcp]'")
    from naics_embed.cli.in_use import bundle_or_starter
    from naics_embed.cli.serve import check_bundle

    path = bundle_or_starter(bundle)
    check_bundle(path)
    from naics_embed.mcp_server.run import run_http, run_stdio

    if transport is Transport.STDIO:
        run_stdio(path)
    else:
        run_http(path, host, port)
