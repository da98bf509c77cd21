"""``make platform`` for real: servers, workers, deployments; PostgreSQL where it is installed."""

import socket
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from prefect.automations import AutomationCore
from prefect.client.orchestration import get_client

from flows.pipeline import STAGES, pipeline
from flows.sweep import sweep
from naics_embed.errors import RemoteRunError
from tests.flows.interrupted_runs import check_runs_outlive
from tests.flows.running_platform import Platform, wait
from tests.flows.test_pipeline import SMALL

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


@pytest.fixture(scope='module')
def platform():
    # PostgreSQL runs as a user of its own where the tests are root's, and each session of pytest
    # closes pytest's folder to other users as it starts.
    with tempfile.TemporaryDirectory(prefix='naics-embed-platform-') as name:
        folder = Path(name)
        folder.chmod(0o755)
        running = Platform(folder)
        yield running
        assert running.stop() == 0
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
    overrides = [*small, 'platform.routes={text_training: text-training/gpu}']
    assert platform.run('pipeline/gpu', overrides) == 0, platform.said
    runs = platform.flow_runs()
    (first,), (training,) = runs['pipeline'], runs['text-training']
    assert training.work_pool_name == 'gpu'
    assert first.work_pool_name == 'cpu'
    assert {'lorentz-metrics', 'mlflow-run'} <= platform.artifacts(first)
    assert any('codebook: computed in' in line for line in platform.logs(first))
    assert any(line.startswith('epoch 0: ') for line in platform.logs(training))
    parent, stages = platform.nested(first)
    assert parent.info.status == 'FINISHED'
    assert set(stages) == set(STAGES)
    assert {name for name, cached in stages.items() if cached == 'true'} == {'text_training'}
    child, there = platform.nested(training)
    assert child.data.tags['mlflow.parentRunId'] == parent.info.run_id
    assert there['text_training'] == 'false'
    smoke = platform.folder / 'artifacts' / 'smoke'
    assert (smoke / 'text_training').is_dir()
    assert (smoke / 'report.html').is_file()
    assert not (platform.folder / 'artifacts' / 'report.html').exists(), 'the place of a real one'
    given = training.parameters['overrides']
    settings = ('tracking.uri', 'runtime.root')
    assert not any(one.startswith(settings) for one in given), 'the worker has its own environment'

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
    with platform.settings():
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
    remote_cache = tmp_path / 'remote_cache'
    overrides = [
        *small,
        'runtime.seed=1',
        f'runtime.root={tmp_path / "artifacts"}',
        f'tracking.uri=http://127.0.0.1:{platform.mlflow}',
        'platform.routes={text_training: text-training/gpu}',
        f'platform.remote_cache=file://{remote_cache}',
    ]
    with platform.settings():
        done = pipeline('smoke', overrides, target='text_training')
        trained = done['stages']['text_training']
        assert trained['cached'], 'it was fetched'
        files = Path(trained['files']['text_model'])
        assert files.is_relative_to(tmp_path / 'artifacts')
        smoke = platform.folder / 'artifacts' / 'smoke'
        there = smoke / 'text_training' / trained['key'] / 'model'
        for name in ('model.safetensors', 'tables.safetensors', 'history.json'):
            assert (files / name).read_bytes() == (there / name).read_bytes(), name
        child, stages = platform.nested(platform.flow_runs()['text-training'][0])
        assert stages.pop('text_training') == 'false'
        assert set(stages.values()) == {'true'}, 'what this host had computed was fetched there'
        assert child.data.tags['mlflow.parentRunId'] == done['run_id']

        with pytest.raises(RemoteRunError, match=r'text-training/gpu, .*Failed.*no GPU'):
            pipeline('smoke', [*overrides, 'training.accelerator=gpu'], target='text_training')


def test_a_broken_parameter_fails_with_a_message(platform):
    assert platform.run('pipeline/cpu', ['model.dims=3']) == 1
    broken = platform.flow_runs()['pipeline'][0]
    assert 'did you mean model.dim?' in broken.state.message


def test_a_run_that_died_with_its_worker_is_marked_and_only_ours(platform):
    with platform.client() as client:
        (made,) = client.read_automations_by_name('crash-zombie-flow-runs')
        hasty = AutomationCore.model_validate(made.model_dump(exclude={'id', 'owner_resource'}))
        hasty.trigger.within = timedelta(seconds=10)
        client.update_automation(made.id, hasty)
    process = subprocess.Popen(
        [sys.executable, '-c', ZOMBIES],
        env=platform.client_env,
        cwd=platform.folder,
    )

    def heartbeats() -> int:
        chosen = {'event': {'name': ['prefect.flow-run.heartbeat']}}
        since = {'occurred': {'since': begun}}
        found = httpx.post(
            f'{platform.api}/events/filter',
            json={'filter': {**chosen, **since}},
            auth=tuple(platform.auth.split(':')),
            timeout=60,
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
    with platform.client() as client:
        as_before = made.model_dump(exclude={'id', 'owner_resource'})
        client.update_automation(made.id, AutomationCore.model_validate(as_before))


def test_runs_in_progress_outlive_the_platform(platform):
    check_runs_outlive(platform)
