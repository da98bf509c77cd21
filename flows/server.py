"""A temporary Prefect server, for a run that was given none.

Prefect would start one by itself, but only once the flow begins, and would load the whole server
into this process too. Here it starts first, and the run's libraries load meanwhile.
"""

import fcntl
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.local_platform.credentials import ASKED, USER
from flows.prefect_api import check_server, clear_server_errors, server_error

HOST = '127.0.0.1'
SERVER_ENV = {
    'PREFECT_UI_ENABLED': '0',
    'PREFECT__SERVER_EPHEMERAL': '1',
    # It writes into a file that is read where it fails, not on the terminal.
    'PREFECT_SERVER_LOGGING_LEVEL': 'ERROR',
}
STOP_S = 10.0
HAND_IN_S = 10.0
LAST_WORDS_S = 3.0


@contextmanager
def prefect_server() -> Iterator[Callable[[], None]]:
    """Make sure that there is a Prefect server; import this after `flows.runtime.prepare`.

    Raises OrchestrationError where none can be had, or DiskError for the disk of Prefect's home.
    Yields a function that returns when the server answers, to be called before the first flow.
    Where Prefect's settings name a server already, that one is used and nothing is started. One
    that was started here ends with the block, or with this process however that ends; it has a
    password that only this run knows, where the settings have none.
    """
    import httpx
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        get_current_settings,
        temporary_settings,
    )

    settings = get_current_settings()
    if settings.api.url:
        check_server(settings)
        with clear_server_errors(settings.api.url):
            yield lambda: None
        return
    with tempfile.TemporaryFile() as complaints, _one_start_at_a_time(settings.home) as started:
        configured = settings.server.api.auth_string
        auth = (
            configured.get_secret_value() if configured else f'{USER}:{secrets.token_urlsafe(24)}'
        )
        known = {**settings.to_environment_variables(), ASKED: auth}
        process, port = _start(complaints.fileno(), known)
        url = f'http://{HOST}:{port}/api'

        def ready() -> None:
            _wait(f'{url}/health', settings.server.ephemeral.startup_timeout_seconds)
            started()

        try:
            with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: auth}):
                try:
                    yield ready
                finally:
                    _hand_in()
        except (ServerStartError, httpx.HTTPStatusError) as error:
            if isinstance(error, ServerStartError):
                _let_end(process)
            complaints.seek(0)
            said = complaints.read().decode(errors='replace').strip()
            explained = server_error(said, settings.home)
            if explained is not None:
                raise explained from error
            if isinstance(error, ServerStartError):
                raise ServerStartError(f'{error}\n{said[-2000:]}') from error
            raise
        finally:
            _stop(process)


class ServerStartError(RuntimeError):
    """The temporary Prefect server did not start."""


def serve(descriptor: int) -> None:
    """Run the server on a socket that listens already, until standard input ends."""
    import uvicorn
    from prefect.server.api.server import create_app

    from flows.local_platform.guard import LOOPBACK, guarded

    # Its UI is off: no page has business with it.
    app = guarded(create_app(), LOOPBACK, origins=())
    config = uvicorn.Config(app, fd=descriptor, log_level='error', lifespan='on')
    server = uvicorn.Server(config)

    def stop_with_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=stop_with_parent, daemon=True).start()
    server.run()


def _start(errors: int, settings: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server; its standard input is a pipe that ends when this process does."""
    with socket.create_server((HOST, 0)) as listening:
        descriptor = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, '-m', 'flows.server', str(descriptor)],
            cwd=Path(__file__).resolve().parent.parent,
            env={**os.environ, **settings, **SERVER_ENV},
            stdin=subprocess.PIPE,
            stdout=errors,
            stderr=errors,
            pass_fds=(descriptor,),
        )
        return process, listening.getsockname()[1]


def _wait(address: str, timeout_s: float) -> None:
    """Ask once: the connection waits in the socket's queue until the server takes it."""
    import httpx

    try:
        httpx.get(address, timeout=timeout_s, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise ServerStartError(
            f'the temporary Prefect server gave no answer at {address}: {error!r}'
        ) from error


def _hand_in() -> None:
    """Have Prefect send the events and logs that it holds; without the server, this process would
    try for minutes when it ends.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=HAND_IN_S, at_exit=False)


def _let_end(process: subprocess.Popen[bytes]) -> None:
    """Give a server that fails the time to say why."""
    try:
        process.wait(LAST_WORDS_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _one_start_at_a_time(home: Path) -> Iterator[Callable[[], None]]:
    """Hold a lock on Prefect's home until the yielded function is called, or the block ends.

    Two servers that make the database of one home at the same time break each other.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / 'server-start.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(lock, fcntl.LOCK_UN)


if __name__ == '__main__':
    serve(int(sys.argv[1]))
