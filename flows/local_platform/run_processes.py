"""Processes of flow runs on this machine."""

from uuid import UUID

import psutil

RUN_VARIABLE = 'PREFECT__FLOW_RUN_ID'


def run_of(process: psutil.Process) -> UUID | None:
    """Return the flow run that a process was started for; None where there is none."""
    try:
        run = process.environ().get(RUN_VARIABLE)
    except psutil.Error:
        # It has ended, or it is another user's.
        return None
    return UUID(run) if run else None
