"""Failures of stages: which may pass by themselves, and what to say of some that do not."""

from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from prefect import Task
from prefect.states import State
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
    """Whether a failure may pass by itself: network, time-out, a locked or absent database.

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
    """Return what to tell a user of a stage's failure in place of it; None where it stands."""
    if isinstance(error, TaskRunTimeoutError):
        return StageTimeoutError(
            f'{stage}: stopped after {timeout_s:.0f} s, the limit of platform.stage_timeout_s'
        )
    found = disk_error(error, root) if isinstance(error, BaseException) else None
    if isinstance(found, DiskFullError):
        return DiskFullError(
            f'{stage}: no space left on the disk of {root}, or on that of the temporary files or '
            'the tracking database; make room and run again: finished stages are kept'
        )
    return None if found is None else DiskError(f'{stage}: {found}')
