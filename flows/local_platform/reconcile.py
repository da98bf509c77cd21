"""Flow runs that a platform left behind: marked Crashed, so that they can be retried.

A run whose process and worker are gone stays ``Running`` in Prefect, holds a slot of its pool, and
cannot be retried.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventResourceFilter,
)
from prefect.states import Crashed
from prefect.types import DateTime

from flows.local_platform.environment import HEARTBEAT_S
from flows.local_platform.pools import POOLS
from flows.local_platform.run_processes import run_of

SILENT_S = 3 * HEARTBEAT_S
"""A process that lives has sent a heartbeat by then."""
OPEN = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
STOPPED = 'the platform was stopped during the run'
LOST = (
    f'no process of this run was found here, and it sent no heartbeat for {SILENT_S} s after the '
    'platform started'
)


def open_runs(client: SyncPrefectClient) -> list[FlowRun]:
    """Return the runs of our pools that have begun and, as Prefect knows, not ended."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=OPEN))
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=state),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=list(POOLS))),
    )


def reconcile() -> int:
    """Mark the runs that nobody runs any more, once those that are alive have had time to say so.

    Call it when the platform starts. A run on another host is known by its heartbeats.

    Returns:
        how many were marked.
    """
    begun = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        before = {run.id for run in open_runs(client)}
        if not before:
            return 0
        time.sleep(SILENT_S)
        here = {run_of(process) for process in psutil.process_iter()}
        silent = [
            run
            for run in open_runs(client)
            if run.id in before
            and run.id not in here
            and run.state is not None
            and run.state.timestamp < begun
            and not _sent_heartbeat(client, run.id, begun)
        ]
        return mark_crashed(client, [run.id for run in silent], LOST)


def mark_crashed(client: SyncPrefectClient, runs: Iterable[UUID], message: str) -> int:
    """Mark runs Crashed, with a word and the command that retries them; return how many."""
    marked = 0
    for run in runs:
        again = f'; to run it again: prefect flow-run retry {run}'
        client.set_flow_run_state(run, Crashed(message=message + again), force=True)
        marked += 1
    return marked


def _sent_heartbeat(client: SyncPrefectClient, run: UUID, since: datetime) -> bool:
    until = datetime.now(UTC) + timedelta(minutes=1)
    events = EventFilter(
        # Prefect's own type of a time, to which its model converts.
        occurred=EventOccurredFilter(since=cast(DateTime, since), until=cast(DateTime, until)),
        event=EventNameFilter(name=['prefect.flow-run.heartbeat']),
        resource=EventResourceFilter(id=[f'prefect.flow-run.{run}']),
    )
    return client.read_events(events, limit=1).total > 0
