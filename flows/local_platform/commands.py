"""The whole platform on this machine: both servers, two workers, pools and deployments.

``make platform`` runs it. supervisord keeps the processes until Ctrl-C.
"""

import enum
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.local_platform import mlflow_auth
from flows.local_platform.credentials import (
    ASKED,
    ENV_FILE,
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    write_exports,
)
from flows.local_platform.deployments import deploy, make_automations
from flows.local_platform.environment import CLIENT, HOST, environment
from flows.local_platform.guard import LOOPBACK, own_origins
from flows.local_platform.pools import POOLS, make_pools
from flows.local_platform.postgres import OwnServer, Server
from flows.local_platform.processes import processes, supervise
from flows.local_platform.readiness import wait_for_pool, wait_for_server, wait_for_worker
from flows.local_platform.worker import forget_passwords, run_worker
from flows.runtime import CHECKOUT, prepare
from naics_embed.bundle.promotion import ROOT_VARIABLE
from naics_embed.errors import UserError

POSTGRES = 'POSTGRES'
"""Variable that names a PostgreSQL server, as user:password@host:port."""
EXPORTS = 'NAICS_EMBED_EXPORTS'
"""Variable that names the file with the exports of a terminal."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class Database(enum.StrEnum):
    """Where the servers keep their data."""

    SQLITE = 'sqlite'
    POSTGRES = 'postgres'


@app.command()
def up(
    db: Annotated[Database, typer.Option(help='sqlite, or postgres.')] = Database.SQLITE,
    folder: Annotated[Path, typer.Option(help='Where the servers keep everything.')] = CHECKOUT
    / '.platform',
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's server.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's server.")] = 5000,
    postgres_port: Annotated[int, typer.Option(help='Port of a PostgreSQL of our own.')] = 5433,
    root: Annotated[Path, typer.Option(help='Artifact root of the workers.')] = CHECKOUT
    / 'artifacts',
) -> None:
    """Run servers and workers on loopback until Ctrl-C."""
    folder = folder.resolve()
    starts_postgres = db is Database.POSTGRES and POSTGRES not in os.environ
    for port in (prefect_port, mlflow_port, *([postgres_port] if starts_postgres else [])):
        _check_free(port)
    prepare(quiet=False)
    make_folders(folder)
    postgres = OwnServer(folder / 'postgres', postgres_port) if starts_postgres else None
    server = None
    if db is Database.POSTGRES:
        server = Server(os.environ[POSTGRES]) if postgres is None else postgres.prepare()
    os.environ |= environment(folder, prefect_port, mlflow_port, server)
    os.environ[ROOT_VARIABLE] = str(root.resolve())
    os.environ.pop(POSTGRES, None)
    if server is not None:
        os.environ[POSTGRES] = server.authority
    kept = (*CLIENT, mlflow_auth.NAME, mlflow_auth.PASSWORD)
    exports = {name: os.environ[name] for name in kept if name in os.environ}
    write_exports(folder / ENV_FILE, exports)
    os.environ[EXPORTS] = str(folder / ENV_FILE)
    supervise(processes(prefect_port, mlflow_port, postgres), folder)


@app.command()
def prefect(
    host: Annotated[str, typer.Option(help='Where to listen.')] = HOST,
    port: Annotated[int, typer.Option(help='Where to listen.')] = 4200,
    allowed_hosts: Annotated[
        str, typer.Option(help='Names in the Host header of requests, separated by commas.')
    ] = ','.join(LOOPBACK),
    allowed_origins: Annotated[
        str | None,
        typer.Option(help='Origins of pages, separated by commas; its own by default.'),
    ] = None,
) -> None:
    """Run Prefect's server, behind checks of Host and Origin, with a password."""
    if not os.environ.get(ASKED):
        raise UserError(
            f'{ASKED} is not set: without, whoever reaches this server runs code on its workers. '
            'Set it to user:password, here and (as PREFECT_API_AUTH_STRING) for workers and clients'
        )
    _make_database('prefect')
    origins = own_origins(port) if allowed_origins is None else allowed_origins.split(',')
    from flows.local_platform.prefect_server import serve_prefect

    serve_prefect(allowed_hosts.split(','), origins, host=host, port=port)


@app.command(context_settings={'allow_extra_args': True, 'ignore_unknown_options': True})
def mlflow(context: typer.Context) -> None:
    """Run MLflow's server, with the options of ``mlflow server``."""
    _make_database('mlflow')
    arguments = [sys.executable, '-m', 'mlflow', 'server', *context.args]
    os.execv(sys.executable, arguments)


@app.command()
def worker(
    pool: Annotated[str, typer.Argument(help='cpu or gpu.')],
    name: Annotated[
        str | None, typer.Option(help='Name of the worker; pool and host by default.')
    ] = None,
    healthcheck: Annotated[
        bool, typer.Option('--healthcheck', help='Answer /health on port 8080.')
    ] = False,
) -> None:
    """Wait for the pool, and be its worker until a signal stops it."""
    forget_passwords()
    wait_for_server()
    wait_for_pool(pool)
    run_worker(pool, name or f'{pool}-{socket.gethostname()}', healthcheck=healthcheck)


@app.command()
def setup(
    kind: Annotated[str, typer.Option('--type', help='process, docker or kubernetes.')] = 'process',
    announce: Annotated[
        bool, typer.Option('--announce', help='Wait for the cpu worker, and say how to begin.')
    ] = False,
) -> None:
    """Make pools, automations and deployments on a running server, or bring them up to date."""
    wait_for_server()
    make_pools(kind)
    make_automations()
    deploy()
    if announce:
        wait_for_worker(POOLS[0])
        typer.echo(f'Prefect UI {os.environ["PREFECT_API_URL"].removesuffix("/api")}')
        typer.echo(f'MLflow UI  {os.environ["MLFLOW_TRACKING_URI"]}')
        exports = os.environ.get(EXPORTS)
        if exports:
            typer.echo(f'the password of the Prefect UI is in {exports}; in another terminal:')
            typer.echo(f'    source {shlex.quote(exports)}')
        typer.echo("    prefect deployment run 'pipeline/cpu' --watch")


@app.command()
def reconcile() -> None:
    """Mark the runs Crashed that an earlier platform left behind; takes some 90 s."""
    wait_for_server()
    from flows.local_platform.reconcile import reconcile as marked

    count = marked()
    if count:
        typer.echo(f'{count} runs were in progress when the platform ended; marked Crashed')


def make_folders(folder: Path) -> None:
    """Make the folders of the servers, closed to other users; PostgreSQL's user passes through."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ('prefect', 'mlartifacts', 'mlflow-auth'):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(PRIVATE_FOLDER)
    database = folder / 'mlflow.db'
    # SQLite gives its journals the permissions of the file.
    database.touch()
    database.chmod(PRIVATE_FILE)


def _make_database(name: str) -> None:
    authority = os.environ.get(POSTGRES)
    if authority:
        Server(authority).make_database(name)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise UserError(
                f'port {port} is taken: stop what listens there, or choose another port'
            )


def main() -> None:
    """Run the command; a user's error is one paragraph on stderr and exit status 2."""
    try:
        app()
    except UserError as error:
        sys.stderr.write(f'platform: {error}\n')
        sys.exit(2)


if __name__ == '__main__':
    main()
