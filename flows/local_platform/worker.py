"""A worker of the platform: it waits for its pool, and ends the runs that it is stopped in."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from uuid import UUID

import psutil

from flows.local_platform.credentials import ASKED
from flows.local_platform.run_processes import run_of

SERVERS_ONLY = (
    ASKED,
    'POSTGRES',
    'PREFECT_API_DATABASE_CONNECTION_URL',
    'MLFLOW_BACKEND_STORE_URI',
    'MLFLOW_AUTH_ADMIN_USERNAME',
    'MLFLOW_AUTH_ADMIN_PASSWORD',
    'MLFLOW_FLASK_SERVER_SECRET_KEY',
)
"""What flows have no use for: passwords of databases and of the servers themselves."""
STOP_S = 25.0
REPORT_S = 5.0
POLL_S = 0.2


def forget_passwords() -> None:
    """Keep from this process and its runs what only the servers need; before Prefect is loaded."""
    for name in SERVERS_ONLY:
        os.environ.pop(name, None)


def run_worker(pool: str, name: str, *, healthcheck: bool) -> None:
    """Be a worker of a pool until a signal stops it.

    Then the processes of its runs are asked to end, while the worker can still report how they
    did; what is open after that is marked Crashed.

    Args:
        pool: the pool, which must exist.
        name: of the worker; a new one replaces an earlier one of the same name.
        healthcheck: serve ``/health`` where Prefect's settings ``worker.webserver`` say.
    """
    asyncio.run(_until_stopped(pool, name, healthcheck))


async def _until_stopped(pool: str, name: str, healthcheck: bool) -> None:
    from prefect.workers.process import ProcessWorker

    worker = ProcessWorker(work_pool_name=pool, name=name, create_pool_if_not_found=False)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    working = asyncio.create_task(worker.start(with_healthcheck=healthcheck))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        stopping.cancel()
        # Its own error, where it has one: the supervisor starts another worker.
        return working.result()
    stopped = await _end_runs()
    working.cancel()
    await asyncio.wait({working})
    _report(stopped)
    return None


async def _end_runs() -> set[UUID]:
    """End the processes of this worker's runs; return these runs.

    Prefect's engine turns SIGTERM into an exception, so that files, locks and MLflow runs are
    closed as after any error.
    """
    signalled: set[psutil.Process] = set()
    runs: set[UUID] = set()
    end = asyncio.get_running_loop().time() + STOP_S
    while (processes := _processes()) and asyncio.get_running_loop().time() < end:
        # The worker may have begun another run meanwhile.
        for process in processes.keys() - signalled:
            _signal(process, signal.SIGTERM)
        signalled |= processes.keys()
        runs |= set(processes.values())
        await asyncio.sleep(POLL_S)
    for process in processes:
        _signal(process, signal.SIGKILL)
    if runs:
        await asyncio.sleep(REPORT_S)
    return runs


def _processes() -> dict[psutil.Process, UUID]:
    """Return the processes of this worker's runs."""
    children = psutil.Process().children(recursive=True)
    runs = {process: run_of(process) for process in children if process.is_running()}
    return {process: run for process, run in runs.items() if run is not None}


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _report(runs: Iterable[UUID]) -> None:
    from prefect.client.orchestration import get_client

    from flows.local_platform.reconcile import STOPPED, mark_crashed, open_runs

    with get_client(sync_client=True) as client:
        left = {run.id for run in open_runs(client)} & set(runs)
        mark_crashed(client, left, STOPPED)
