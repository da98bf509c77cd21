"""The temporary Prefect server: started early, by one process at a time, gone with its run."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from flows.runtime import prepare
from naics_embed.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys
from flows.runtime import prepare

prepare(quiet=True)
from flows.server import prefect_server

with prefect_server() as ready:
    from prefect import flow
    from prefect.settings import PREFECT_API_URL

    @flow
    def double(x: int) -> int:
        return 2 * x

    ready()
    assert double(21) == 42
    assert 'prefect.server.api.server' not in sys.modules, 'the server was loaded here too'
    print(PREFECT_API_URL.value(), flush=True)
    if 'wait' in sys.argv:
        sys.stdin.read()
"""


def start(home: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-c', RUN, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            'PYTHONPATH': str(ROOT),
            'PREFECT_HOME': str(home),
            'PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS': '600',
            **env,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers(url: str) -> bool:
    try:
        return httpx.get(f'{url}/health', timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(ConfigError, match=r'one of 2 \(WORLD_SIZE\).*train_text'):
        prepare(quiet=True)


TRACKED = """
from flows.runtime import prepare

prepare(quiet=True)
import mlflow

mlflow.set_tracking_uri('sqlite:///' + __import__('sys').argv[1])
mlflow.set_experiment('quiet')
with mlflow.start_run():
    mlflow.log_metric('loss', 1.0)
"""


def test_mlflow_says_nothing_of_its_database(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', TRACKED, str(tmp_path / 'mlflow.db')],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    assert (tmp_path / 'mlflow.db').stat().st_size > 0


LAST_WORDS = """
from flows.runtime import prepare

prepare(quiet=True)
from flows.server import prefect_server

with prefect_server() as ready:
    from prefect import flow
    from prefect.events import emit_event
    from prefect.events.worker import EventsWorker

    @flow
    def nothing() -> None:
        pass

    ready()
    nothing()
    worker = EventsWorker.instance()
    for number in range(50):
        emit_event(f'naics.{number}', {'prefect.resource.id': 'naics.test'})
print(worker._queue.qsize(), worker._done_event.is_set())
"""


@pytest.mark.slow
def test_what_prefect_holds_is_sent_before_the_server_is_stopped(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', LAST_WORDS],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PREFECT_HOME': str(tmp_path / 'home')},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ['0', 'True'], 'a worker still waits for a server that is gone'


@pytest.mark.slow
def test_two_first_runs_share_a_home_and_a_killed_one_leaves_no_server(tmp_path):
    # Prefect's own temporary servers both fail when they make one database at the same time.
    runs = [start(tmp_path / 'home', 'wait') for _ in range(2)]
    try:
        urls = [run.stdout.readline().strip() for run in runs]
        assert all(urls), [
            run.communicate()[1] for run, url in zip(runs, urls, strict=True) if not url
        ]
        assert urls[0] != urls[1]
        assert all(answers(url) for url in urls)
        killed, ended = runs
        killed.send_signal(signal.SIGKILL)
        ended.communicate(timeout=300)
        assert ended.returncode == 0
        end = time.monotonic() + 120
        while any(answers(url) for url in urls):
            assert time.monotonic() < end, 'a server outlived its run'
            time.sleep(0.2)
    finally:
        for run in runs:
            run.kill()
            run.wait()


@pytest.mark.slow
def test_a_server_that_cannot_start_is_named_with_its_words(tmp_path):
    run = start(tmp_path, PREFECT_API_DATABASE_CONNECTION_URL='sqlite+aiosqlite:////nowhere/db')
    _, complaints = run.communicate(timeout=600)
    assert run.returncode == 1
    assert 'ServerStartError: the temporary Prefect server gave no answer' in complaints
    assert "OrchestrationError: Prefect's database cannot be opened" in complaints


def test_a_server_in_the_settings_is_used_and_nothing_is_started(monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows import server

    monkeypatch.setattr(server, '_start', lambda *_: pytest.fail('a server was started'))
    with answering(b'"3.8.8"') as url, temporary_settings({PREFECT_API_URL: url}):
        with server.prefect_server() as ready:
            ready()
        assert PREFECT_API_URL.value() == url


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A server that gives every request one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}/api'
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_a_password_on_the_api_is_asked_for_and_given(tmp_path):
    password = {
        'PREFECT_SERVER_API_AUTH_STRING': 'someone:secret',
        'PREFECT_API_AUTH_STRING': 'someone:secret',
    }
    run = start(tmp_path, 'wait', **password)
    try:
        url = run.stdout.readline().strip()
        assert url, run.communicate()[1]
        body = {'limit': 1}
        assert httpx.post(f'{url}/flows/filter', json=body, timeout=60).status_code == 401
        known = httpx.post(f'{url}/flows/filter', json=body, auth=('someone', 'secret'), timeout=60)
        assert [flow['name'] for flow in known.json()] == ['double']
    finally:
        run.kill()
        run.wait()
