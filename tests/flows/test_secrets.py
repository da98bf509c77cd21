"""Secrets planted wherever a user may have one, and looked for in all that a run leaves behind."""

import base64
import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

from flows.local_platform import mlflow_auth
from flows.runtime import CHECKOUT
from tests.flows.test_pipeline import SMALL

pytestmark = pytest.mark.slow

COMMAND = 'from naics_embed.cli.main import main; main()'
PATIENCE_S = 1800
USER = 'Pl4nted-user'
PLANTED = {
    name: f'Pl4nted-{name}-9c1f'
    for name in ('mlflow', 'aws', 'prefect', 'prefect-server', 'fsspec', 'address', 'variable')
}
AUTH = f'{USER}:{PLANTED["prefect"]}'


def forms(secret: str) -> set[bytes]:
    """How a secret may be written: as it is, and as HTTP's sign-in sends it."""
    pairs = (f'{USER}:{secret}', f':{secret}')
    return {secret.encode(), *(base64.b64encode(pair.encode()).rstrip(b'=') for pair in pairs)}


@pytest.fixture(scope='module')
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('secrets')


@pytest.fixture(scope='module')
def server(home) -> Iterator[str]:
    """The address of an MLflow server that asks for a password."""
    with socket.create_server(('127.0.0.1', 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(mlflow_auth.NAME, USER)
        patch.setenv(mlflow_auth.PASSWORD, PLANTED['mlflow'])
        settings = mlflow_auth.server_environment(home / 'mlflow' / 'auth')
    command = f'{sys.executable} -m mlflow server --host 127.0.0.1 --port {port} --workers 1'
    log = home / 'mlflow' / 'log'
    with log.open('w') as written:
        process = subprocess.Popen(
            [*command.split(), *mlflow_auth.APP],
            cwd=home / 'mlflow',
            env={
                **os.environ,
                **settings,
                'MLFLOW_BACKEND_STORE_URI': f'sqlite:///{home}/mlflow/mlflow.db',
                'MLFLOW_ARTIFACTS_DESTINATION': str(home / 'mlflow' / 'artifacts'),
                'MLFLOW_SERVER_ENABLE_JOB_EXECUTION': 'false',
            },
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    address = f'http://127.0.0.1:{port}'
    end = time.monotonic() + PATIENCE_S
    try:
        while True:
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < end, log.read_text()[-4000:]
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f'{address}/health', timeout=10).status_code == 200:
                    break
            time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope='module')
def environment(home, server) -> dict[str, str]:
    return {
        **os.environ,
        'PYTHONPATH': str(CHECKOUT),
        'PREFECT_HOME': str(home / 'prefect'),
        'PREFECT_LOGGING_LEVEL': 'DEBUG',
        'PREFECT_SERVER_API_AUTH_STRING': AUTH,
        'PREFECT_API_AUTH_STRING': AUTH,
        'MLFLOW_TRACKING_URI': server,
        mlflow_auth.NAME: USER,
        mlflow_auth.PASSWORD: PLANTED['mlflow'],
        'AWS_ACCESS_KEY_ID': USER,
        'AWS_SECRET_ACCESS_KEY': PLANTED['aws'],
        'FSSPEC_S3_SECRET': PLANTED['fsspec'],
    }


@pytest.fixture(scope='module')
def run(home, environment, miniature, tiny_backbone):
    """Run the pipeline as a user does; returns the process that has ended."""
    source = miniature.write(home / 'source')
    settings = [
        *SMALL,
        'training.epochs=1',
        'data.source=folder',
        f'data.folder={source}',
        f'backbone.name={tiny_backbone}',
        f'runtime.root={home / "artifacts"}',
    ]

    def run(*overrides: str, **variables: str) -> subprocess.CompletedProcess[str]:
        arguments = ['run', '--profile', 'smoke', '--json', *settings, *overrides]
        done = subprocess.run(
            [sys.executable, '-c', COMMAND, *arguments],
            cwd=home,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        said = home / 'said'
        said.mkdir(exist_ok=True)
        text = done.stdout + done.stderr
        (said / f'{len(list(said.iterdir()))}.txt').write_text(text, encoding='utf-8')
        return done

    return run


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file with its bytes, and every database once more with all its values."""
    for path in sorted(folder.rglob('*')):
        if path.is_file():
            content = path.read_bytes()
            yield path, content
            if content.startswith(b'SQLite format 3'):
                with contextlib.closing(sqlite3.connect(path)) as connection:
                    yield path, '\n'.join(connection.iterdump()).encode()


def test_no_secret_is_in_a_file_a_database_or_a_page(home, server, run, monkeypatch):
    refused = run(f'tracking.uri=http://{USER}:{PLANTED["address"]}@127.0.0.1:1')
    assert refused.returncode == 2, refused.stderr
    assert 'tracking.uri has a user, a password or a token in an address' in refused.stderr
    refused = run(MLFLOW_TRACKING_URI=f'http://{USER}:{PLANTED["variable"]}@127.0.0.1:1')
    assert refused.returncode == 2, refused.stderr
    assert 'MLFLOW_TRACKING_URI in the environment has a user' in refused.stderr

    done = run(f'platform.remote_cache=file://{home}/remote_cache')
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary['promoted']
    assert summary['tracking_uri'] == server
    monkeypatch.setenv(mlflow_auth.NAME, USER)
    monkeypatch.setenv(mlflow_auth.PASSWORD, PLANTED['mlflow'])
    logged = MlflowClient(server).get_run(summary['run_id'])
    assert logged.info.status == 'FINISHED', 'the planted password was used'

    looked_at = {path for path, _ in contents(home)}
    names = {path.name for path in looked_at}
    assert {'prefect.db', 'mlflow.db', 'users.db', 'promoted.json', 'manifest.json'} <= names
    assert {'report.html', 'atlas.html', 'config.yaml', 'MLmodel', 'log', '2.txt'} <= names
    assert any(path.is_relative_to(home / 'remote_cache') for path in looked_at)
    found = {
        (str(path.relative_to(home)), name)
        for path, content in contents(home)
        for name, secret in PLANTED.items()
        if any(form in content for form in forms(secret))
    }
    assert found == set()
    assert any(b'model.dim=8' in content for path, content in contents(home / 'prefect'))
