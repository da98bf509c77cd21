"""Runs that a platform left behind, on a real server: who is marked, and who is left alone."""

import time

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events import emit_event
from prefect.states import Running

from flows.local_platform import reconcile as reconciling
from flows.local_platform.reconcile import LOST, open_runs, reconcile

HEARTBEAT = 'prefect.flow-run.heartbeat'
PATIENCE_S = 120


@flow(name='left-behind')
def left_behind() -> None:
    """Never called: only its runs are needed."""


@pytest.mark.slow
def test_a_run_is_marked_unless_it_sends_heartbeats_or_is_of_another_pool(
    prefect_server, monkeypatch
):
    with get_client(sync_client=True) as client:
        for pool in ('cpu', 'others'):
            client.create_work_pool(WorkPoolCreate(name=pool, type='process'), overwrite=True)
        lost, alive, foreign = (
            client.create_flow_run(left_behind, state=Running(), work_pool_name=pool)
            for pool in ('cpu', 'cpu', 'others')
        )
        assert {run.id for run in open_runs(client)} == {lost.id, alive.id}
        original = reconciling._sent_heartbeat

        def sent(asked, run, since) -> bool:
            if run == alive.id:
                emit_event(HEARTBEAT, {'prefect.resource.id': f'prefect.flow-run.{run}'})
                end = time.monotonic() + PATIENCE_S
                # The server stores events a moment later.
                while not original(asked, run, since):
                    assert time.monotonic() < end
                    time.sleep(0.2)
            return original(asked, run, since)

        monkeypatch.setattr(reconciling, 'SILENT_S', 0)
        monkeypatch.setattr(reconciling, '_sent_heartbeat', sent)
        assert reconcile() == 1
        states = {run.id: client.read_flow_run(run.id).state for run in (lost, alive, foreign)}
    assert states[lost.id].is_crashed()
    assert states[lost.id].message.startswith(LOST)
    assert f'prefect flow-run retry {lost.id}' in states[lost.id].message
    assert states[alive.id].is_running()
    assert states[foreign.id].is_running()
