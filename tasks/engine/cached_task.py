"""A function as a Prefect task that is cached under a given key and locked while it runs."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import task
from prefect.assets import Asset, materialize
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRunResult
from prefect.context import TaskRunContext
from prefect.task_engine import run_task
from prefect.tasks import exponential_backoff
from prefect.transactions import IsolationLevel
from prefect.utilities.annotations import quote

from tasks.assets import describe
from tasks.engine.failures import is_transient
from tasks.engine.locks import FlockLockManager
from tasks.engine.record_storage import KEYS, PLAIN_JSON, record_storage

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
    asset: Asset | None = None,
) -> State[Any]:
    """Run a function as a task, or find its result under a key.

    Args:
        function: returns JSON values; with an asset, those of a `tasks.engine.record.Record`.
        name: of the task.
        key: what the result is stored and locked under, together with the name.
        root: artifact root, which holds keys, results and locks.
        upstream: task runs that it depends on, for Prefect's graph.
        refresh: run it although a result is there.
        timeout_s: seconds after which it is stopped; None for no limit.
        asset: what it computes, for Prefect's lineage; a cached result is no new version of it.

    Returns:
        The state in which it ended, ``Cached`` where a result was found.
    """
    keys, results = record_storage(root)
    policy = GivenKey().configure(
        key_storage=keys,
        isolation_level=IsolationLevel.SERIALIZABLE,
        lock_manager=FlockLockManager(root / '.locks'),
    )
    # An asset adds events to a task that computes; keys, results and locks are the same.
    decorator = task if asset is None else partial(materialize, asset)

    @decorator(
        name=name,
        task_run_name=name,
        persist_result=True,
        result_serializer=PLAIN_JSON,
        cache_policy=policy,
        refresh_cache=refresh or None,
        retries=RETRIES,
        retry_delay_seconds=exponential_backoff(BACKOFF_S),
        retry_jitter_factor=0.5,
        retry_condition_fn=is_transient,
        timeout_seconds=timeout_s,
    )
    def computed(key: str) -> dict[str, Any]:
        values = function()
        if asset is not None:
            describe(asset, values)
        return values

    # As an argument Prefect takes only what its server knows, together with its absolute path.
    computed.result_storage = results

    # Prefect would look for upstream tasks in the parameters, by the addresses of objects, which
    # are reused once an object is freed. So it searches nothing: the upstream tasks are given.
    return run_task(
        computed,
        parameters={'key': quote(key)},
        return_type='state',
        dependencies={'key': {TaskRunResult(id=task_run) for task_run in upstream}},
    )


def key_file(root: Path, name: str, key: str) -> Path:
    """Return the file that names the result of a task's key."""
    return root / KEYS / f'{name}-{key}'
