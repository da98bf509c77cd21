"""``make platform`` for real: servers, workers, deployments; PostgreSQL where it is installed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from mlflow import MlflowClient
from prefect.automations import AutomationCore
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.settings import PREFECT_API_URL, temporary_settings
from test_pipeline import SMALL

from flows.dag import STAGES
from flows.pipeline import pipeline
from flows.postgres import DEBIAN
from flows.sweep import sweep
from naics_embed.errors import RemoteRunError

pytestmark = pytest.mark.slow

ZOMBIES = """
import time
from threading import Thread

from prefect import flow, tags


@flow(name='ours')
def ours():
    time.sleep(600)


@flow(name='of-somebody-else')
def of_somebody_else():
    time.sleep(600)


Thread(target=of_somebody_else, daemon=True).start()
with tags('naics'):
    ours()
"""

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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefect, self.mlflow = free_port(), free_port()
        self.api = f'http://127.0.0.1:{self.prefect}/api'
        self.log = folder / 'platform.log'
        postgres = shutil.which('pg_ctl') or list(DEBIAN.glob('*/bin/pg_ctl'))
        self.env = {**os.environ, 'PYTHONPATH': str(ROOT)}
        self.env.pop('PREFECT_API_URL', None)
        self.env |= {'PREFECT_HOME': str(folder / 'client'), 'PREFECT_WORKER_QUERY_SECONDS': '1'}
        options = {
            'db': 'postgres' if postgres else 'sqlite',
            'folder': folder / 'servers',
            'prefect-port': self.prefect,
            'mlflow-port': self.mlflow,
            'postgres-port': free_port(),
            'root': folder / 'artifacts',
        }
        with self.log.open('w') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'flows.local_platform', 'up']
                + [part for name, value in options.items() for part in (f'--{name}', str(value))],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_for('MLflow UI')

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
            env={**self.env, 'PREFECT_API_URL': self.api},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    def flow_runs(self) -> dict[str, list]:
        """Flow runs by name of their flow, the latest first."""
        with (
            temporary_settings({PREFECT_API_URL: self.api}),
            get_client(sync_client=True) as client,
        ):
            names = {flow.id: flow.name for flow in client.read_flows()}
            found: dict[str, list] = {}
            for run in sorted(client.read_flow_runs(), key=lambda run: run.created, reverse=True):
                found.setdefault(names[run.flow_id], []).append(run)
            return found

    def artifacts(self, flow_run) -> set[str]:
        with (
            temporary_settings({PREFECT_API_URL: self.api}),
            get_client(sync_client=True) as client,
        ):
            chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
            return {artifact.key for artifact in client.read_artifacts(artifact_filter=chosen)}

    def logs(self, flow_run) -> list[str]:
        with (
            temporary_settings({PREFECT_API_URL: self.api}),
            get_client(sync_client=True) as client,
        ):
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


@pytest.fixture(scope='module')
def platform():
    # PostgreSQL runs as a user of its own where the tests are root's, and each session of pytest
    # closes pytest's folder to other users as it starts.
    with tempfile.TemporaryDirectory(prefix='naics-embed-platform-') as name:
        folder = Path(name)
        folder.chmod(0o755)
        running = Platform(folder)
        yield running
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', running.prefect), 5)


@pytest.fixture(scope='module')
def small(platform, miniature, tiny_backbone) -> list[str]:
    """Settings of a pipeline that trains in seconds."""
    return [
        *SMALL,
        'training.epochs=1',
        'data.source=folder',
        f'data.folder={miniature.write(platform.folder / "source")}',
        f'backbone.name={tiny_backbone}',
    ]


def test_a_deployment_trains_on_the_gpu_pool_and_is_cached_the_second_time(platform, small):
    overrides = [*small, 'platform.text_training=text-training/gpu']
    assert platform.run('pipeline/gpu', overrides) == 0, platform.said
    runs = platform.flow_runs()
    (first,), (training,) = runs['pipeline'], runs['text-training']
    assert training.work_pool_name == 'gpu'
    assert first.work_pool_name == 'cpu'
    assert {'lorentz-metrics', 'mlflow-run'} <= platform.artifacts(first)
    assert any(line.startswith('codebook: computed in') for line in platform.logs(first))
    assert any(line.startswith('epoch 0: ') for line in platform.logs(training))
    parent, stages = platform.nested(first)
    assert parent.info.status == 'FINISHED'
    assert set(stages) == set(STAGES)
    assert {name for name, cached in stages.items() if cached == 'true'} == {'text_training'}
    child, there = platform.nested(training)
    assert child.data.tags['mlflow.parentRunId'] == parent.info.run_id
    assert there['text_training'] == 'false'
    assert (platform.folder / 'artifacts' / 'text-training').is_dir()

    assert platform.run('pipeline/gpu', overrides) == 0, platform.said
    runs = platform.flow_runs()
    assert len(runs['text-training']) == 1, 'nothing is sent where the stage is cached'
    _, stages = platform.nested(runs['pipeline'][0])
    assert stages == dict.fromkeys(STAGES, 'true')


def test_a_data_set_is_coded_by_a_deployment(platform, small):
    assert platform.run('pipeline/cpu', [*small, 'runtime.promote=true']) == 0, platform.said
    texts = ['corn farming', None, 'dental office'] * 20
    source, out = platform.folder / 'firms.parquet', platform.folder / 'coded'
    pl.DataFrame({'id': range(len(texts)), 'what': texts}).write_parquet(source)
    settings = ['batch.workers=1', 'batch.partition_rows=25']
    wanted = {'source': str(source), 'out': str(out), 'text_column': 'what'}
    assert platform.run('code-batch/cpu', settings, **wanted) == 0, platform.said
    coded = pl.concat(pl.read_parquet(part) for part in sorted(out.glob('*.parquet')))
    assert coded['id'].to_list() == list(range(len(texts)))
    assert coded['naics_code'].is_null().to_list() == [text is None for text in texts]
    assert coded.filter(pl.col('what') == 'corn farming')['naics_code'].n_unique() == 1
    assert 'code-batch' in platform.artifacts(platform.flow_runs()['code-batch'][0])


def test_cells_of_a_sweep_run_on_a_work_pool(platform, small):
    settings = [
        *small,
        'evaluation.compared=[bm25]',
        f'runtime.root={platform.folder / "artifacts"}',
        f'tracking.uri=http://127.0.0.1:{platform.mlflow}',
    ]
    before = len(platform.flow_runs()['pipeline'])
    with temporary_settings({PREFECT_API_URL: platform.api}):
        with get_client(sync_client=True) as client:
            deployed = client.read_deployment_by_name('sweep/cpu')
            assert deployed.global_concurrency_limit.limit == 1
            assert client.read_work_pool('cpu').concurrency_limit == 3
        rows = sweep(
            'smoke',
            {'model.dim': [4, 6]},
            overrides=settings,
            deployment='pipeline/cpu',
            parallel=2,
        )
        assert [row['settings'] for row in rows] == ['model.dim=4', 'model.dim=6']
        assert all(0 < row['validation/mrr'] <= 1 for row in rows)
        broken = [['model.geometry=euclidean']]
        with pytest.raises(RemoteRunError, match=r'sweep: pipeline/cpu, flow run .*comparisons'):
            sweep('smoke', listed=broken, overrides=settings, deployment='pipeline/cpu')
    first, second = platform.flow_runs()['pipeline'][:-before][-2:]
    assert {first.work_pool_name, second.work_pool_name} == {'cpu'}
    parents = {platform.nested(run)[0].data.tags['mlflow.parentRunId'] for run in (first, second)}
    assert len(parents) == 1, 'both are nested under the run of the sweep'


def test_two_working_directories_share_only_a_folder_and_the_gpu_pool_trains(
    platform, small, tmp_path
):
    """This process is one host; the platform's worker of the pool `gpu` is the other one."""
    share = tmp_path / 'share'
    overrides = [
        *small,
        'runtime.seed=1',
        f'runtime.root={tmp_path / "artifacts"}',
        f'tracking.uri=http://127.0.0.1:{platform.mlflow}',
        'platform.text_training=text-training/gpu',
        f'platform.share=file://{share}',
    ]
    with temporary_settings({PREFECT_API_URL: platform.api}):
        done = pipeline('smoke', overrides, target='text_training')
        trained = done['stages']['text_training']
        assert trained['cached'], 'it was fetched'
        files = Path(trained['files']['model'])
        assert files.is_relative_to(tmp_path / 'artifacts')
        there = platform.folder / 'artifacts' / 'text-training' / trained['key'] / 'model'
        for name in ('model.safetensors', 'tables.safetensors', 'history.json'):
            assert (files / name).read_bytes() == (there / name).read_bytes(), name
        child, stages = platform.nested(platform.flow_runs()['text-training'][0])
        assert stages.pop('text_training') == 'false'
        assert set(stages.values()) == {'true'}, 'what this host had computed was fetched there'
        assert child.data.tags['mlflow.parentRunId'] == done['run_id']

        with pytest.raises(RemoteRunError, match=r'text-training/gpu, .*Failed.*comparisons'):
            pipeline('smoke', [*overrides, 'model.geometry=euclidean'], target='text_training')


def test_a_broken_parameter_fails_with_a_message(platform):
    assert platform.run('pipeline/cpu', ['model.dims=3']) == 1
    broken = platform.flow_runs()['pipeline'][0]
    assert 'did you mean model.dim?' in broken.state.message


def test_a_run_that_died_with_its_worker_is_marked_and_only_ours(platform):
    with (
        temporary_settings({PREFECT_API_URL: platform.api}),
        get_client(sync_client=True) as client,
    ):
        (made,) = client.read_automations_by_name('crash-zombie-flow-runs')
        hasty = AutomationCore.model_validate(made.model_dump(exclude={'id', 'owner_resource'}))
        hasty.trigger.within = timedelta(seconds=10)
        client.update_automation(made.id, hasty)
    process = subprocess.Popen(
        [sys.executable, '-c', ZOMBIES],
        env={**platform.env, 'PREFECT_API_URL': platform.api},
        cwd=platform.folder,
    )

    def heartbeats() -> int:
        chosen = {'event': {'name': ['prefect.flow-run.heartbeat']}}
        since = {'occurred': {'since': begun}}
        found = httpx.post(
            f'{platform.api}/events/filter', json={'filter': {**chosen, **since}}, timeout=60
        ).json()
        return len({event['resource']['prefect.resource.id'] for event in found['events']})

    begun = datetime.now(UTC).isoformat()
    try:
        wait(lambda: heartbeats() == 2)
        (ours,), (other,) = (platform.flow_runs()[name] for name in ('ours', 'of-somebody-else'))
        assert (ours.state.name, other.state.name) == ('Running', 'Running')
    finally:
        process.kill()
        process.wait()
    wait(lambda: platform.flow_runs()['ours'][0].state.name != 'Running')
    assert platform.flow_runs()['ours'][0].state.name == 'Crashed'
    assert platform.flow_runs()['ours'][0].state.message == 'no heartbeat'
    assert platform.flow_runs()['of-somebody-else'][0].state.name == 'Running'
