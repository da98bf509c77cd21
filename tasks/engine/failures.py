"""Failures of stages: which are transient, and clear messages for some that are not."""

from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from prefect import Task
from prefect.client.schemas.objects import State
from prefect.task_engine import TaskRunTimeoutError
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import Timeout as RequestsTimeout
from sqlalchemy.exc import OperationalError

from naics_embed.disk import disk_error
from naics_embed.errors import DiskError, DiskFullError, UserError
from tasks.engine.tracking_errors import is_damaged

TRANSIENT = (
    ConnectionError,
    TimeoutError,
    RequestsConnectionError,
    RequestsTimeout,
    OperationalError,
)


class StageTimeoutError(UserError):
    """A stage took longer than the configuration allows."""


def is_transient(task: Task[..., Any], task_run: Any, state: State[Any]) -> bool:
    """Whether a failure may be transient: network, time-out, a locked or missing database.

    A stage that reached its own limit is not tried again: it would take as long. Nor is one that
    found a disk full or a database damaged.
    """
    error = state.result(raise_on_failure=False)
    if isinstance(error, TaskRunTimeoutError):
        return False
    if isinstance(error, BaseException) and (disk_error(error) or is_damaged(error)):
        return False
    # MLflow wraps what it could not get by asking again.
    cause = error.__cause__ or error.__context__ if isinstance(error, MlflowException) else None
    return isinstance(error, TRANSIENT) or isinstance(cause, TRANSIENT)


def explained(error: object, stage: str, root: Path, timeout_s: float | None) -> UserError | None:
    """Return a clear error for a stage's failure; None where the failure itself is raised."""
    if isinstance(error, TaskRunTimeoutError):
        return StageTimeoutError(
            f'{stage}: stopped after {timeout_s:.0f} s, the limit of platform.stage_timeout_s'
        )
    on_disk = disk_error(error, root) if isinstance(error, BaseException) else None
    if isinstance(on_disk, DiskFullError):
        return DiskFullError(
            f'{stage}: no space left on the disk of {root}, or on that of the temporary files or '
            'the tracking database; free some space and run again: finished stages are kept'
        )
    return None if on_disk is None else DiskError(f'{stage}: {on_disk}')
