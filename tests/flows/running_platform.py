"""A platform that tests start, stop and kill, and the command line against it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from mlflow import MlflowClient
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.local_platform.postgres import DEBIAN

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as listening:
        return listening.getsockname()[1]


def wait(ready) -> None:
    end = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.5)


class Platform:
    """A running platform, and the command line against it."""

    def __init__(self, folder: Path, db: str | None = None) -> None:
        self.folder = folder
        self.prefect, self.mlflow = free_port(), free_port()
        self.api = f'http://127.0.0.1:{self.prefect}/api'
        self.ui = f'http://127.0.0.1:{self.mlflow}'
        self.log = folder / 'platform.log'
        postgres = shutil.which('pg_ctl') or list(DEBIAN.glob('*/bin/pg_ctl'))
        self.env = {**os.environ, 'PYTHONPATH': str(ROOT)}
        self.env.pop('PREFECT_API_URL', None)
        self.env |= {'PREFECT_HOME': str(folder / 'client'), 'PREFECT_WORKER_QUERY_SECONDS': '1'}
        self.options = {
            'db': db or ('postgres' if postgres else 'sqlite'),
            'folder': folder / 'servers',
            'prefect-port': self.prefect,
            'mlflow-port': self.mlflow,
            'postgres-port': free_port(),
            'root': folder / 'artifacts',
        }
        self.start()

    def start(self) -> None:
        """Start it, and wait until it says how to begin."""
        options = [part for k, v in self.options.items() for part in (f'--{k}', str(v))]
        with self.log.open('w') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'flows.local_platform', 'up', *options],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_for('MLflow UI')
        self.auth = (self.folder / 'servers' / 'prefect-auth').read_text().strip()

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(120)

    def kill(self) -> None:
        """Kill all its processes at once, as the end of the machine does."""
        everything = [psutil.Process(self.process.pid)]
        everything += everything[0].children(recursive=True)
        for one in everything:
            one.kill()
        psutil.wait_procs(everything, 60)
        self.process.wait(60)

    def process_of(self, name: str) -> psutil.Process:
        """The process of a server."""
        children = psutil.Process(self.process.pid).children()
        (found,) = [one for one in children if name in ' '.join(one.cmdline()[1:5]).split()]
        return found

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        """A client of its Prefect server."""
        with self.settings(), get_client(sync_client=True) as client:
            yield client

    def settings(self):
        """Prefect's settings for this process."""
        return temporary_settings({PREFECT_API_URL: self.api, PREFECT_API_AUTH_STRING: self.auth})

    @property
    def client_env(self) -> dict[str, str]:
        """The environment of a terminal that has read the exports."""
        return {**self.env, 'PREFECT_API_URL': self.api, 'PREFECT_API_AUTH_STRING': self.auth}

    def wait_for(self, words: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while words not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < end, self.log.read_text()[-4000:]
            time.sleep(0.5)

    def run(self, deployment: str, overrides: list[str], **more: object) -> int:
        """Run a deployment from another directory, as a user would, and return the exit status."""
        command = [sys.executable, '-m', 'prefect', 'deployment', 'run', deployment, '--watch']
        wanted = {'profile': 'smoke', 'overrides': overrides, **more}
        parameters = {name: json.dumps(value) for name, value in wanted.items()}
        done = subprocess.run(
            [*command, *(part for k, v in parameters.items() for part in ('-p', f'{k}={v}'))],
            cwd=self.folder,
            env=self.client_env,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    def flow_runs(self) -> dict[str, list]:
        """Flow runs by name of their flow, the latest first."""
        with self.client() as client:
            names = {flow.id: flow.name for flow in client.read_flows()}
            found: dict[str, list] = {}
            for run in sorted(client.read_flow_runs(), key=lambda run: run.created, reverse=True):
                found.setdefault(names[run.flow_id], []).append(run)
            return found

    def artifacts(self, flow_run) -> set[str]:
        with self.client() as client:
            chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
            return {artifact.key for artifact in client.read_artifacts(artifact_filter=chosen)}

    def logs(self, flow_run) -> list[str]:
        with self.client() as client:
            chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run.id]))
            return [line.message for line in client.read_logs(chosen)]

    def nested(self, flow_run) -> tuple[dict, dict[str, str]]:
        """The MLflow run of a flow run, and stage → cached of those under it."""
        client = MlflowClient(f'http://127.0.0.1:{self.mlflow}')
        (experiment,) = [e for e in client.search_experiments() if e.name == 'miniature']
        (run,) = client.search_runs(
            [experiment.experiment_id], f"tags.`prefect.flow_run_id` = '{flow_run.id}'"
        )
        under = client.search_runs(
            [experiment.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
        )
        stages = {
            one.data.tags['stage'].replace('-', '_'): one.data.tags['cached']
            for one in under
            if 'stage' in one.data.tags
        }
        return run, stages
