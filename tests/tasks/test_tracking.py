"""Runs that go on where a killed process left them, and a tracking server that is not there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from naics_embed.errors import ConfigError, TrackingError
from naics_embed.sqlite_address import sqlite_address
from tasks.engine import tracking_errors
from tasks.engine.tracking import FLOW_RUN, PARENT, URI_VARIABLE, Tracker, pipeline_run
from tasks.registry.runs import RunStore


@pytest.fixture
def open_run(mlflow_uri, tmp_path):
    def run(**tags):
        return pipeline_run(mlflow_uri, 'tracking', tmp_path, tags, {'model.dim': 8})

    return run


def killed_stage(tracker: Tracker, attempt: dict[str, str]) -> str:
    """Leave a run behind as a killed process does: running."""
    tags = {PARENT: tracker.parent_run_id, 'cached': 'false', **attempt}
    return tracker.client.create_run(tracker.experiment_id, tags=tags).info.run_id


def test_a_retried_flow_run_goes_on_in_its_mlflow_run(open_run, mlflow_uri):
    with pytest.raises(ConnectionError), open_run(**{FLOW_RUN: 'one'}) as first:
        raise ConnectionError
    with open_run(**{FLOW_RUN: 'one'}) as again:
        assert again.parent_run_id == first.parent_run_id
        assert MlflowClient(mlflow_uri).get_run(again.parent_run_id).info.status == 'RUNNING'
    assert MlflowClient(mlflow_uri).get_run(again.parent_run_id).info.status == 'FINISHED'
    with open_run(**{FLOW_RUN: 'two'}) as other:
        assert other.parent_run_id != first.parent_run_id


def test_a_retry_with_other_settings_gets_a_run_of_its_own(mlflow_uri, tmp_path):
    def opened(dim: int):
        return pipeline_run(
            mlflow_uri, 'tracking', tmp_path, {FLOW_RUN: 'repaired'}, {'model.dim': dim}
        )

    with pytest.raises(ConnectionError), opened(8) as first:
        raise ConnectionError
    with opened(16) as second:
        assert second.parent_run_id != first.parent_run_id
    with opened(16) as third:
        assert third.parent_run_id == second.parent_run_id


def test_runs_without_a_flow_run_are_never_joined(open_run):
    with open_run(**{FLOW_RUN: 'none'}) as one, open_run(**{FLOW_RUN: 'none'}) as other:
        assert one.parent_run_id != other.parent_run_id


def test_a_killed_stage_goes_on_in_its_run_under_the_pipeline_that_finishes_it(
    open_run, mlflow_uri
):
    client = MlflowClient(mlflow_uri)
    attempt = {'stage': 'words', 'key': 'k1', 'root': '/here'}
    with open_run() as first:
        killed = killed_stage(first, attempt)
        client.log_metric(killed, 'train/loss', 2.0, step=0)
    with open_run() as second, second.stage('words', {}, resume=attempt) as stage:
        assert stage.run_id == killed
        stage.metrics({'train/loss': 1.0}, step=1)
    run = client.get_run(killed)
    assert run.info.status == 'FINISHED'
    assert run.data.tags[PARENT] == second.parent_run_id
    assert [m.value for m in client.get_metric_history(killed, 'train/loss')] == [2.0, 1.0]
    with open_run() as third, third.stage('words', {}, resume=attempt) as stage:
        assert stage.run_id != killed, 'it has ended'


@pytest.mark.parametrize('other', [{'key': 'k2'}, {'root': '/there'}, {'stage': 'letters'}])
def test_another_stage_key_or_root_is_another_run(open_run, other):
    attempt = {'stage': 'words', 'key': f'k-{other}'.replace("'", ''), 'root': '/here'}
    with open_run() as tracker:
        killed = killed_stage(tracker, attempt)
        with tracker.stage('words', {}, resume=attempt | other) as stage:
            assert stage.run_id != killed


def test_a_server_that_never_answers_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking_errors, 'ANSWER_PAUSE_S', 0.0)
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        uri = f'http://127.0.0.1:{taken.getsockname()[1]}'
        with (
            pytest.raises(TrackingError, match=rf'the MLflow server {uri} gives no answer'),
            pipeline_run(uri, 'tracking', tmp_path, {}, {}),
        ):
            pytest.fail('it must not begin')


TOGETHER = """
import multiprocessing
import sys
from pathlib import Path

from tasks.engine.tracking import pipeline_run

forked = multiprocessing.get_context('fork')
ready = forked.Barrier(4)


def run(folder):
    ready.wait()
    with pipeline_run(f'sqlite:///{folder}/mlflow.db', 'together', Path(folder), {}, {}):
        pass


runs = [forked.Process(target=run, args=sys.argv[1:]) for _ in range(4)]
for one in runs:
    one.start()
for one in runs:
    one.join()
sys.exit(any(one.exitcode for one in runs))
"""


@pytest.mark.slow
def test_processes_that_begin_at_once_make_one_database(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', TOGETHER, tmp_path],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, 'PYTHONPATH': '.'},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    client = MlflowClient(f'sqlite:///{tmp_path / "mlflow.db"}')
    (experiment,) = [e for e in client.search_experiments() if e.name == 'together']
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ['FINISHED'] * 4


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start an MLflow server and wait until it answers."""
    options = ['--host', '127.0.0.1', '--port', str(port), '--workers', '1']
    server = subprocess.Popen(
        [sys.executable, '-m', 'mlflow', 'server', *options],
        cwd=folder,
        env={
            **os.environ,
            'MLFLOW_BACKEND_STORE_URI': f'sqlite:///{folder / "mlflow.db"}',
            'MLFLOW_SERVER_ENABLE_JOB_EXECUTION': 'false',
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 600
    while True:
        try:
            if requests.get(f'http://127.0.0.1:{port}/health', timeout=60).ok:
                return server
        except requests.ConnectionError:
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.mark.slow
def test_metrics_logged_while_the_server_restarts_are_not_lost(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    uri = f'http://127.0.0.1:{port}'
    servers = [start_server(tmp_path, port)]
    try:
        with (
            pipeline_run(uri, 'outage', tmp_path, {}, {}) as tracker,
            tracker.stage('words', {}) as stage,
        ):
            stage.metrics({'loss': 3.0}, step=0)
            os.killpg(servers[0].pid, signal.SIGKILL)
            servers[0].wait()
            again = threading.Timer(2.0, lambda: servers.append(start_server(tmp_path, port)))
            again.start()
            stage.metrics({'loss': 2.0}, step=1)
            again.join()
            stage.metrics({'loss': 1.0}, step=2)
        history = tracker.client.get_metric_history(stage.run_id, 'loss')
        assert [(metric.step, metric.value) for metric in history] == [(0, 3), (1, 2), (2, 1)]
        assert tracker.client.get_run(stage.run_id).info.status == 'FINISHED'
    finally:
        for server in servers:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def test_the_address_of_a_run_does_not_pass_for_the_users(open_run, tmp_path, monkeypatch):
    monkeypatch.delenv(URI_VARIABLE, raising=False)
    with pipeline_run(f'sqlite:///{tmp_path}/own.db', 'tracking', tmp_path, {}, {}):
        assert URI_VARIABLE not in os.environ
    monkeypatch.setenv(URI_VARIABLE, 'http://of-the-user:5000')
    with open_run():
        assert os.environ[URI_VARIABLE] == 'http://of-the-user:5000'


def test_an_address_with_a_password_is_refused_before_anything_is_asked(tmp_path):
    with (
        pytest.raises(ConfigError, match='MLFLOW_TRACKING_PASSWORD') as caught,
        pipeline_run('http://someone:Pl4nted@127.0.0.1:1', 'tracking', tmp_path, {}, {}),
    ):
        raise AssertionError
    assert 'Pl4nted' not in str(caught.value)


def test_runs_are_kept_in_a_root_of_any_name(tmp_path):
    root = tmp_path / 'what? 100 % of a%20b'
    root.mkdir()
    (root / 'note.txt').write_text('kept', encoding='utf-8')
    uri = sqlite_address(root / 'mlflow.db')
    with pipeline_run(uri, 'tracking', root / 'mlartifacts', {}, {'model.dim': 8}) as tracker:
        tracker.pipeline().artifact(root / 'note.txt')
    assert [path.name for path in tmp_path.iterdir()] == [root.name]
    assert (root / 'mlflow.db').is_file()
    [kept] = (root / 'mlartifacts').rglob('note.txt')
    assert kept.read_text(encoding='utf-8') == 'kept'
    assert RunStore(uri, root).find(tracker.parent_run_id).info.status == 'FINISHED'
