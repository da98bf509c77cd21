"""A platform whose processes die, or that is stopped, or killed, with runs in progress."""

import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from running_platform import PATIENCE_S, Platform, wait

from flows.platform.postgres import DEBIAN
from flows.platform.processes import Process, supervisor_configuration
from flows.platform.reconcile import LOST, STOPPED

SLEEPER = """
import time
from pathlib import Path

from prefect import flow


@flow(name='sleeper')
def sleeper(asleep: str):
    if not Path(asleep).exists():
        Path(asleep).touch()
        time.sleep(600)
"""
DEPLOY = """
from prefect import flow

flow.from_source(source={source!r}, entrypoint='sleeper.py:sleeper').deploy(
    name='cpu',
    work_pool_name='cpu',
    tags=['naics'],
    build=False,
    push=False,
    print_next_steps=False,
)
"""
POSTGRES = bool(list(DEBIAN.glob('*/bin/pg_ctl')))


@pytest.fixture(
    params=[
        'sqlite',
        pytest.param(
            'postgres',
            marks=pytest.mark.skipif(not POSTGRES, reason='PostgreSQL is not installed'),
        ),
    ]
)
def platform(request):
    with tempfile.TemporaryDirectory(prefix='naics-embed-restart-') as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / 'sleeper.py').write_text(SLEEPER)
        running = Platform(folder, db=request.param)
        yield running
        if running.process.poll() is None:
            assert running.stop() == 0


def begin(platform: Platform, name: str) -> FlowRun:
    """Start a run that sleeps, on the platform's worker, and wait until it does."""
    from prefect.deployments import run_deployment

    asleep = platform.folder / name
    with platform.settings():
        run = run_deployment('sleeper/cpu', parameters={'asleep': str(asleep)}, timeout=0)
    wait(asleep.exists)
    return run


def state(platform: Platform, run: FlowRun):
    with platform.client() as client:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        return client.read_flow_runs(flow_run_filter=chosen)[0].state


def retry(platform: Platform, run: FlowRun) -> None:
    """Retry a run by the command that its state names."""
    subprocess.run(
        [sys.executable, '-m', 'prefect', 'flow-run', 'retry', str(run.id)],
        env=platform.client_env,
        cwd=platform.folder,
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    wait(lambda: state(platform, run).is_final())
    assert state(platform, run).is_completed()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_runs_in_progress_survive_the_end_of_the_platform(platform):
    subprocess.run(
        [sys.executable, '-c', DEPLOY.format(source=str(platform.folder))],
        env=platform.client_env,
        cwd=platform.folder,
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    with platform.client() as client:
        (made,) = client.read_automations_by_name('crash-zombie-flow-runs')

    stopped = begin(platform, 'stopped')
    assert platform.stop() == 0
    platform.start()
    after = state(platform, stopped)
    assert after.is_crashed(), after
    assert STOPPED in after.message or 'termination signal' in after.message, after.message
    with platform.client() as client:
        (kept,) = client.read_automations_by_name('crash-zombie-flow-runs')
    assert (kept.id, kept.model_dump()) == (made.id, made.model_dump())
    retry(platform, stopped)

    killed = begin(platform, 'killed')
    platform.kill()
    platform.start()
    wait(lambda: not state(platform, killed).is_running())
    after = state(platform, killed)
    assert after.is_crashed()
    assert LOST in after.message or after.message == 'no heartbeat'
    retry(platform, killed)


@pytest.mark.slow
def test_a_server_that_is_killed_is_started_again_and_nothing_else(tmp_path_factory):
    platform = Platform(tmp_path_factory.mktemp('killed'), db='sqlite')
    try:
        names = ('prefect', 'cpu', 'gpu')
        others = {name: platform.process_of(name).pid for name in names}
        client = MlflowClient(platform.ui)
        experiment = client.create_experiment('kept')
        before = platform.process_of('mlflow')
        for child in [*before.children(recursive=True), before]:
            child.kill()
        wait(lambda: answers(f'{platform.ui}/health'))
        assert client.get_experiment(experiment).name == 'kept'
        assert platform.process_of('mlflow').pid != before.pid
        worker = platform.process_of('cpu')
        worker.kill()
        wait(lambda: platform.log.read_text().count("Worker 'cpu-1' started!") == 2)
        del others['cpu']
        assert {name: platform.process_of(name).pid for name in others} == others
    finally:
        assert platform.stop() == 0
    assert not answers(f'{platform.ui}/health')


def test_a_process_that_does_not_last_is_tried_again_after_growing_pauses(tmp_path):
    """supervisord itself, over processes that are at once there."""
    program = 'import time; print(f"attempt {time.monotonic()}", flush=True); raise SystemExit(1)'
    (tmp_path / 'fails.py').write_text(program)
    (tmp_path / 'stays.py').write_text('import time; print("here", flush=True); time.sleep(60)')
    listed = [
        Process(name, [sys.executable, str(tmp_path / f'{name}.py')], priority)
        for name, priority in (('fails', 20), ('stays', 40))
    ]
    configuration = tmp_path / 'supervisord.conf'
    configuration.write_text(
        supervisor_configuration(listed, tmp_path, str(tmp_path / '{name}.log'))
    )
    command = [sys.executable, '-m', 'supervisor.supervisord', '-n', '-c', str(configuration)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        log = tmp_path / 'fails.log'
        end = time.monotonic() + 60
        while not log.exists() or log.read_text().count('attempt') < 4:
            assert time.monotonic() < end
            time.sleep(0.1)
        moments = [float(line.split()[1]) for line in log.read_text().splitlines()[:4]]
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        assert pauses == sorted(pauses)
        assert pauses[-1] > pauses[0] + 1
        assert (tmp_path / 'stays.log').read_text() == 'here\n', 'it was never restarted'
    finally:
        running.terminate()
        assert running.wait(30) == 0
