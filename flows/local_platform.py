"""The whole platform on this machine: both servers, two workers, pools and deployments.

``make platform`` runs it. honcho keeps the processes; where one ends, or at Ctrl-C, all end.
"""

import enum
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from flows import mlflow_auth
from flows.postgres import Server, own_server
from flows.runtime import CHECKOUT, prepare
from naics_embed.errors import UserError
from naics_embed.search.promotion import ROOT_VARIABLE

HOST = '127.0.0.1'
DEPLOYMENTS = CHECKOUT / 'deployments'
POOLS = ('cpu', 'gpu')
WAIT_S = 300.0
INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    folder.mkdir(parents=True, exist_ok=True)
    for port in (prefect_port, mlflow_port):
        _check_free(port)
    prepare(quiet=False)
    with _database(db, folder, postgres_port) as server:
        if server is not None:
            server.make_databases()
        os.environ |= environment(folder, prefect_port, mlflow_port, server)
        os.environ[ROOT_VARIABLE] = str(root.resolve())
        sys.exit(_keep(prefect_port, mlflow_port))


@app.command()
def worker(pool: Annotated[str, typer.Argument(help='cpu or gpu.')]) -> None:
    """Wait for the server, make what the pool needs, and become its worker."""
    _wait_for_server()
    if pool == POOLS[0]:
        setup()
        typer.echo(f'Prefect UI {os.environ["PREFECT_API_URL"].removesuffix("/api")}')
        typer.echo(f'MLflow UI  {os.environ["MLFLOW_TRACKING_URI"]}')
        typer.echo("then: prefect deployment run 'pipeline/cpu' --watch")
    command = [sys.executable, '-m', 'prefect', 'worker', 'start', '--pool', pool]
    os.execv(sys.executable, [*command, '--type', 'process', '--name', f'{pool}-1'])


@app.command()
def setup(
    kind: Annotated[str, typer.Option('--type', help='process, docker or kubernetes.')] = 'process',
) -> None:
    """Make pools, automations and deployments on a running server, or bring them up to date."""
    make_pools(kind)
    make_automations()
    deploy()


def make_pools(kind: str) -> None:
    """Make the pools of ``deployments/pools.yaml``; existing ones are brought up to date.

    Raises:
        UserError: there is no such kind of pool.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    content = yaml.safe_load((DEPLOYMENTS / 'pools.yaml').read_text(encoding='utf-8'))
    kinds = content.pop('types')
    if kind not in kinds:
        raise UserError(f'there is no pool type {kind!r}; choose from {", ".join(kinds)}')
    with get_client(sync_client=True) as client:
        for name, pool in content.items():
            template = job_template(kind, kinds[kind].get(name, {}))
            client.create_work_pool(
                WorkPoolCreate(name=name, type=kind, base_job_template=template, **pool),
                overwrite=True,
            )


def job_template(kind: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """Return Prefect's own job template of a pool type with other defaults.

    Raises:
        UserError: a default names no variable of the template.
    """
    import prefect.server.api.collections_data as collections

    views = Path(next(iter(collections.__path__))) / 'views' / 'aggregate-worker-metadata.json'
    found = json.loads(views.read_text(encoding='utf-8'))
    workers = {name: entry for group in found.values() for name, entry in group.items()}
    template = workers[kind]['default_base_job_configuration']
    variables = template['variables']['properties']
    for name, value in defaults.items():
        if name not in variables:
            raise UserError(f'pools.yaml: a {kind} pool has no variable {name!r}')
        variables[name]['default'] = value
    return template


def make_automations() -> None:
    """Make the automations of ``deployments/automations.yaml``, replacing those of their names."""
    from prefect.automations import AutomationCore
    from prefect.client.orchestration import get_client

    content = yaml.safe_load((DEPLOYMENTS / 'automations.yaml').read_text(encoding='utf-8'))
    with get_client(sync_client=True) as client:
        for values in content:
            automation = AutomationCore.model_validate(values)
            there = client.read_automations_by_name(automation.name)
            if there:
                client.update_automation(there[0].id, automation)
            else:
                client.create_automation(automation)


def deploy() -> None:
    """Deploy all of ``deployments/prefect.yaml`` from this checkout."""
    command = [sys.executable, '-m', 'prefect', '--no-prompt', 'deploy', '--all']
    done = subprocess.run(
        [*command, '--prefect-file', str(DEPLOYMENTS / 'prefect.yaml')],
        cwd=CHECKOUT,
        env={**os.environ, 'NAICS_HOME': str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f'prefect deploy failed: {done.stdout}{done.stderr}')


def environment(
    folder: Path, prefect_port: int, mlflow_port: int, server: Server | None
) -> dict[str, str]:
    """Return what both servers, their clients and the workers read.

    Args:
        folder: where the servers keep everything.
        prefect_port: port of Prefect's server.
        mlflow_port: port of MLflow's server.
        server: the PostgreSQL server of both; SQLite files in ``folder`` where None.
    """
    databases = (
        {'MLFLOW_BACKEND_STORE_URI': f'sqlite:///{folder / "mlflow.db"}'}
        if server is None
        else server.environment()
    )
    asked = os.environ.get('PREFECT_SERVER_API_AUTH_STRING')
    return {
        **({'PREFECT_API_AUTH_STRING': asked} if asked else {}),
        'PREFECT_HOME': str(folder / 'prefect'),
        'PREFECT_API_URL': f'http://{HOST}:{prefect_port}/api',
        'PREFECT_FLOWS_HEARTBEAT_FREQUENCY': '30',
        'MLFLOW_TRACKING_URI': f'http://{HOST}:{mlflow_port}',
        'MLFLOW_ARTIFACTS_DESTINATION': str(folder / 'mlartifacts'),
        'MLFLOW_SERVER_ENABLE_JOB_EXECUTION': 'false',
        'PYTHONUNBUFFERED': '1',
        **databases,
        **(mlflow_auth.server_environment(folder / 'mlflow-auth') if mlflow_auth.wanted() else {}),
    }


def commands(prefect_port: int, mlflow_port: int) -> dict[str, list[str]]:
    """Return the command of each process of the platform; they share an environment."""
    sign_in = ' '.join(mlflow_auth.APP) if mlflow_auth.wanted() else ''
    modules = {
        'prefect': f'prefect server start --host {HOST} --port {prefect_port} --analytics-off',
        'mlflow': f'mlflow server --host {HOST} --port {mlflow_port} --workers 1 {sign_in}',
        'cpu': 'flows.local_platform worker cpu',
        'gpu': 'flows.local_platform worker gpu',
    }
    return {name: [sys.executable, '-m', *line.split()] for name, line in modules.items()}


def _keep(prefect_port: int, mlflow_port: int) -> int:
    """Run the four processes until one of them ends or Ctrl-C; return the exit status."""
    from honcho.manager import Manager

    manager = Manager()
    for name, command in commands(prefect_port, mlflow_port).items():
        manager.add_process(name, f'exec {shlex.join(command)}', cwd=str(CHECKOUT), env=os.environ)
    manager.loop()
    return 0 if manager.returncode == INTERRUPTED else int(manager.returncode or 0)


@contextmanager
def _database(db: Database, folder: Path, port: int) -> Iterator[Server | None]:
    if db is Database.SQLITE:
        yield None
        return
    given = os.environ.get('POSTGRES')
    with nullcontext(Server(given)) if given else own_server(folder / 'postgres', port) as server:
        yield server


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise UserError(
                f'port {port} is taken: stop what listens there, or choose another port'
            )


def _wait_for_server() -> None:
    import httpx

    health = f'{os.environ["PREFECT_API_URL"]}/health'
    end = time.monotonic() + WAIT_S
    while True:
        try:
            if httpx.get(health, timeout=WAIT_S).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            if time.monotonic() > end:
                raise
        time.sleep(0.5)


def main() -> None:
    """Run the command; a user's error is one paragraph on stderr and exit status 2."""
    try:
        app()
    except UserError as error:
        sys.stderr.write(f'platform: {error}\n')
        sys.exit(2)


if __name__ == '__main__':
    main()
