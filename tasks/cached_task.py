"""A function as a Prefect task that is cached under a given key and locked while it runs."""

import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import TaskRunResult
from prefect.context import TaskRunContext
from prefect.filesystems import LocalFileSystem
from prefect.states import State
from prefect.task_engine import run_task
from prefect.tasks import exponential_backoff
from prefect.transactions import IsolationLevel
from prefect.utilities.annotations import quote

from tasks.failures import is_transient
from tasks.locks import FlockLockManager

RETRIES = 3
BACKOFF_S = 2.0


class GivenKey(CachePolicy):
    """A cache policy whose key was computed before the task was called."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str | None:
        """Return ``<task>-<key>``."""
        return f'{task_ctx.task.name}-{inputs["key"]}'


def call_cached(
    function: Callable[[], dict[str, Any]],
    name: str,
    key: str,
    root: Path,
    *,
    upstream: Iterable[UUID],
    refresh: bool,
    timeout_s: float | None,
) -> State[Any]:
    """Run a function as a task, or find its result under a key.

    Args:
        function: returns JSON values.
        name: of the task.
        key: what the result is stored and locked under, together with the name.
        root: artifact root, which holds keys, results and locks.
        upstream: task runs that it stands on, for Prefect's graph.
        refresh: run it although a result is there.
        timeout_s: seconds after which it is stopped; None for no limit.

    Returns:
        The state in which it ended, ``Cached`` where a result was found.
    """
    policy = GivenKey().configure(
        key_storage=key_storage(root),
        isolation_level=IsolationLevel.SERIALIZABLE,
        lock_manager=FlockLockManager(root / '.locks'),
    )

    @task(
        name=name,
        task_run_name=name,
        persist_result=True,
        result_serializer='json',
        result_storage=_result_storage(root),
        cache_policy=policy,
        refresh_cache=refresh or None,
        retries=RETRIES,
        retry_delay_seconds=exponential_backoff(BACKOFF_S),
        retry_jitter_factor=0.5,
        retry_condition_fn=is_transient,
        timeout_seconds=timeout_s,
    )
    def computed(key: str) -> dict[str, Any]:
        return function()

    # Prefect would look for upstream tasks in the parameters, by the addresses of objects, which
    # others get once they are free. It is to search nothing, and is told.
    return run_task(
        computed,
        parameters={'key': quote(key)},
        return_type='state',
        dependencies={'key': {TaskRunResult(id=task_run) for task_run in upstream}},
    )


def key_storage(root: Path) -> Path:
    """Return the folder in which a file a key names its result."""
    return root / '.keys'


@lru_cache(maxsize=8)
def _result_storage(root: Path) -> LocalFileSystem:
    """Keep records under the artifact root; Prefect wants such a place to be registered."""
    name = f'naics-embed-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}'
    storage = LocalFileSystem(basepath=str(root / '.results'))
    storage.save(name, overwrite=True)
    return storage
