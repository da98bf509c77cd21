"""MLflow's server with its sign-in app: who has no password is refused, our tracking signs in."""

import os
import subprocess
import sys
import time

import httpx
import pytest
from mlflow import MlflowClient

from flows.local_platform import mlflow_auth
from flows.local_platform.environment import environment
from naics_embed.artifacts import MANIFEST
from naics_embed.errors import TrackingError, UserError
from naics_embed.sqlite_address import sqlite_file
from tasks.engine.tracking import pipeline_run
from tasks.registry.models import CHAMPION, alias, register, set_champion
from tests.flows.running_platform import free_port

PATIENCE_S = 300


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    """The address of a server that asks for a password, and the log of what it wrote."""
    folder = tmp_path_factory.mktemp('mlflow-auth')
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(mlflow_auth.NAME, 'someone')
        patch.setenv(mlflow_auth.PASSWORD, 'a long password')
        settings = mlflow_auth.server_environment(folder / 'auth')
    with (folder / 'log').open('w') as log:
        process = subprocess.Popen(
            f'{sys.executable} -m mlflow server --host 127.0.0.1 --port {port} --workers 1'.split()
            + mlflow_auth.APP,
            cwd=folder,
            env={
                **os.environ,
                **settings,
                'MLFLOW_BACKEND_STORE_URI': f'sqlite:///{folder / "mlflow.db"}',
                'MLFLOW_ARTIFACTS_DESTINATION': str(folder / 'artifacts'),
                'MLFLOW_SERVER_ENABLE_JOB_EXECUTION': 'false',
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    uri = f'http://127.0.0.1:{port}'
    end = time.monotonic() + PATIENCE_S
    while True:
        assert process.poll() is None, (folder / 'log').read_text()[-4000:]
        assert time.monotonic() < end, (folder / 'log').read_text()[-4000:]
        try:
            if httpx.get(f'{uri}/health', timeout=10).status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.5)
    yield uri
    process.terminate()
    process.wait(60)


def track(uri, folder):
    with pipeline_run(uri, 'guarded', folder, {}, {'dim': 8}) as tracker:
        with tracker.stage('words', {'cached': 'false'}) as run:
            run.metrics({'letters': 3.0})
            run.content({'a': 1}, 'settings.json')
        return run.run_id


@pytest.mark.slow
@pytest.mark.parametrize('password', [None, 'a wrong password'])
def test_without_the_password_nothing_is_told(server, tmp_path, monkeypatch, password):
    monkeypatch.delenv(mlflow_auth.NAME, raising=False)
    auth = None
    if password is not None:
        monkeypatch.setenv(mlflow_auth.NAME, 'someone')
        monkeypatch.setenv(mlflow_auth.PASSWORD, password)
        auth = ('someone', password)
    search = f'{server}/api/2.0/mlflow/experiments/search?max_results=5'
    assert httpx.get(search, auth=auth, timeout=60).status_code == 401
    with pytest.raises(TrackingError, match='set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PA'):
        track(server, tmp_path)


@pytest.mark.slow
def test_our_tracking_signs_in_with_what_the_environment_has(server, tmp_path, monkeypatch):
    monkeypatch.setenv(mlflow_auth.NAME, 'someone')
    monkeypatch.setenv(mlflow_auth.PASSWORD, 'a long password')
    run_id = track(server, tmp_path)
    run = MlflowClient(server).get_run(run_id)
    assert run.data.metrics == {'letters': 3.0}
    assert run.info.status == 'FINISHED'
    assert [file.path for file in MlflowClient(server).list_artifacts(run_id)] == ['settings.json']


@pytest.mark.slow
def test_a_bundle_is_registered_and_becomes_champion_on_a_server(server, tmp_path, monkeypatch):
    monkeypatch.setenv(mlflow_auth.NAME, 'someone')
    monkeypatch.setenv(mlflow_auth.PASSWORD, 'a long password')
    bundle = tmp_path / 'bundle'
    bundle.mkdir()
    (bundle / MANIFEST).write_text('{}')
    run_id = track(server, tmp_path)
    registered = register(server, run_id, 'codes', bundle, {'table': 'text'})
    assert register(server, run_id, 'codes', bundle, {}) == registered, 'the same bundle again'
    set_champion(registered)
    client = MlflowClient(server)
    assert alias(client, 'codes', CHAMPION) == registered.version
    assert client.get_model_version('codes', registered.version).run_id == run_id


def test_a_sign_in_is_wanted_where_user_and_password_are_given(tmp_path, monkeypatch):
    monkeypatch.delenv(mlflow_auth.NAME, raising=False)
    assert not mlflow_auth.wanted()
    monkeypatch.setenv(mlflow_auth.NAME, 'someone')
    with pytest.raises(UserError, match='set both MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_P'):
        mlflow_auth.wanted()
    monkeypatch.setenv(mlflow_auth.PASSWORD, 'secret')
    with pytest.raises(UserError, match='too short: MLflow wants 12 characters'):
        mlflow_auth.wanted()
    monkeypatch.setenv(mlflow_auth.PASSWORD, 'a longer secret')
    assert mlflow_auth.wanted()
    first = mlflow_auth.server_environment(tmp_path)
    assert mlflow_auth.server_environment(tmp_path) == first, 'sessions outlive a restart'
    assert (tmp_path / 'session_secret').stat().st_mode & 0o077 == 0
    assert 'longer secret' not in (tmp_path / 'basic_auth.ini').read_text()


def test_the_workers_get_the_password_that_prefects_server_asks_for(tmp_path, monkeypatch):
    monkeypatch.setenv('PREFECT_SERVER_API_AUTH_STRING', 'someone:secret')
    monkeypatch.setenv('PREFECT_API_AUTH_STRING', 'someone:outdated')
    assert environment(tmp_path, 1, 2, None)['PREFECT_API_AUTH_STRING'] == 'someone:secret'
    monkeypatch.delenv('PREFECT_SERVER_API_AUTH_STRING')
    made = environment(tmp_path, 1, 2, None)
    assert made['PREFECT_API_AUTH_STRING'] == made['PREFECT_SERVER_API_AUTH_STRING']
    assert len(made['PREFECT_API_AUTH_STRING']) > 30
    assert environment(tmp_path, 1, 2, None) == made, 'a password is made once'


def test_the_database_of_users_lies_in_a_folder_of_any_name(tmp_path, monkeypatch):
    from mlflow.server.auth.config import read_auth_config

    monkeypatch.setenv(mlflow_auth.NAME, 'someone')
    monkeypatch.setenv(mlflow_auth.PASSWORD, 'a long password')
    folder = tmp_path / 'why? a%20b 100 %'
    settings = mlflow_auth.server_environment(folder)
    monkeypatch.setenv(mlflow_auth.SIGN_IN, settings[mlflow_auth.SIGN_IN])
    assert sqlite_file(read_auth_config().database_uri) == folder / 'users.db'
