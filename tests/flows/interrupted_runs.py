"""Runs in progress when a platform is stopped or killed, and what becomes of them."""

import subprocess
import sys

from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment

from flows.local_platform.reconcile import LOST, STOPPED
from tests.flows.running_platform import PATIENCE_S, Platform, wait

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


def check_runs_outlive(platform: Platform) -> None:
    """Stop and kill a platform with a run in progress; each is marked, and can be retried."""
    (platform.folder / 'sleeper.py').write_text(SLEEPER)
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
    assert kept.model_dump() == made.model_dump(), 'an update would make it forget its runs'
    retry(platform, stopped)

    killed = begin(platform, 'killed')
    platform.kill()
    platform.start()
    wait(lambda: not state(platform, killed).is_running())
    after = state(platform, killed)
    assert after.is_crashed(), after
    assert LOST in after.message or after.message == 'no heartbeat', after.message
    retry(platform, killed)


def begin(platform: Platform, name: str) -> FlowRun:
    """Start a run that sleeps, on the platform's worker, and wait until it does."""
    asleep = platform.folder / name
    with platform.settings():
        run = run_deployment('sleeper/cpu', parameters={'asleep': str(asleep)}, timeout=0)
    wait(asleep.exists)
    return run


def state(platform: Platform, run: FlowRun) -> State:
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
