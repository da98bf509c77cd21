"""What a stage is: a cached Prefect task over one library function, logged to MLflow.

A stage declares by name what it reads and what it writes. Its key is a hash of its settings, of
the content of what it reads, and of the code of its own file and of all modules that this
imports. The same key means that nothing runs, once the recorded files have been checked; outputs
lie under ``<root>/<stage>/<key>/``. Records name them relative to the root, which may be moved, or
lie under another path on another host.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect.client.schemas.objects import State

from naics_embed.artifacts import (
    Artifact,
    atomic_directory,
    checksum,
    content_key,
    discard_leftovers,
)
from naics_embed.errors import ArtifactError
from naics_embed.fingerprint import source_fingerprint
from tasks.assets import OF_STAGE
from tasks.engine.cached_task import call_cached, key_file
from tasks.engine.declaration import (
    Declaration,
    DeclarationError,
    Fact,
    Given,
    artifacts_of,
    content_of,
    origins_of,
    plain,
)
from tasks.engine.failures import explained
from tasks.engine.record import Record
from tasks.engine.remote_cache import RemoteCache
from tasks.engine.tracking import StageRun, Tracker

log = logging.getLogger('naics_embed.pipeline')

TASKS_ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {'tasks': TASKS_ROOT, 'naics_embed': TASKS_ROOT.parent / 'naics_embed'}
"""Packages whose modules take part in keys, where a stage imports them."""
NOT_KEYED = (
    'tasks.engine.stage',
    'tasks.engine.declaration',
    'tasks.engine.cached_task',
    'tasks.engine.record',
    'tasks.engine.record_storage',
    'tasks.assets',
    'tasks.engine.failures',
    'tasks.engine.locks',
    'tasks.engine.file_lock',
    'tasks.engine.remote_cache',
    'tasks.engine.storage_block',
    'tasks.engine.tracking',
    'tasks.engine.tracking_errors',
    'tasks.progress',
)
"""Files that decide how a stage is run and logged, not what it writes."""


@dataclass(frozen=True)
class Result:
    """What a stage's function returns.

    Attributes:
        files: name to path relative to the output directory.
        metrics: numbers to log.
        facts: small JSON values that later stages or the summary need.
    """

    files: dict[str, str]
    metrics: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """The pipeline run that a stage belongs to; it takes no part in keys.

    Attributes:
        root: directory under which stages write.
        tracker: where runs are logged.
        refresh: stages to compute again although they are cached, and all that depend on them.
        resume: what training does about checkpoints of its key: see `training.fit.train_text`.
        experiment: name of the MLflow experiment; checkpoints lie in a folder of that name.
        renewed: outputs that were computed again because of ``refresh``, so far.
        done: stage → its record, of the stages called so far.
        task_runs: path of an output → the task run that returned it.
        remote_cache: where other hosts find outputs and leave theirs.
        timeout_s: seconds after which a stage is stopped; None for no limit.
        config: the resolved configuration, for the record; empty where there is none.
        routes: stage → what has another host compute it.
        stages: how many stages this run calls; 0 where that is not known.
    """

    root: Path
    tracker: Tracker
    refresh: frozenset[str] = frozenset()
    resume: str = 'auto'
    experiment: str = 'default'
    renewed: set[str] = field(default_factory=set)
    done: dict[str, Record] = field(default_factory=dict)
    task_runs: dict[str, UUID] = field(default_factory=dict)
    remote_cache: RemoteCache | None = None
    timeout_s: float | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    routes: Mapping[str, 'Sender'] = field(default_factory=dict)
    stages: int = 0


Sender = Callable[['Stage', Run, Mapping[str, Given], Mapping[str, Any]], Record]
"""Computes a stage somewhere else: ``sender(stage, run, inputs, settings) -> Record``."""


@dataclass(frozen=True)
class Stage(Declaration):
    """A stage of the pipeline: a declaration that can be computed.

    Its body is called as ``body(out, context, **inputs, **settings)`` with the folder that it
    writes into and a `StageContext`, and returns a `Result`.

    Raises:
        DeclarationError: the arguments of the body are not what the stage reads and is set to.

    Example:
        >>> def write(out, context, *, codebook, level):
        ...     return Result({'leaves': 'leaves.txt'})
        >>> settings = {'level': 'regression.family_level'}
        >>> Stage('leaves', write, 'codebook', 'leaves', settings=settings).reads
        ('codebook',)
    """

    def key(self, inputs: Mapping[str, Given], settings: Mapping[str, Any]) -> str:
        """Return the content key of one call."""
        return content_key(
            {
                'stage': self.name,
                'inputs': {name: content_of(given) for name, given in inputs.items()},
                'settings': {name: plain(value) for name, value in settings.items()},
                'source': _body_fingerprint(self.body.__module__),
                'resources': [checksum(path)[0] for path in self.resources],
            }
        )

    def __call__(
        self, run: Run, inputs: Mapping[str, Given] | None = None, **settings: Any
    ) -> Record:
        """Return the record of the stage, computing it only where it is not stored.

        Raises:
            DeclarationError: the inputs are not those that the stage reads.
        """
        inputs = dict(inputs or {})
        if set(inputs) != set(self.reads):
            raise DeclarationError(
                f'stage {self.name} reads {", ".join(self.reads) or "nothing"}; it was given '
                f'{", ".join(inputs) or "nothing"}'
            )
        if self.name in run.routes:
            return run.routes[self.name](self, run, inputs, settings)
        key = self.key(inputs, settings)
        renewed = self.renewed(run, inputs)
        state = self._state(run, key, inputs, settings, refresh=renewed)
        record = self._usable_record(run, key, state)
        if record is None:
            state = self._state(run, key, inputs, settings, refresh=True)
            record = self._record(run, key, state)
        task_run = state.state_details.task_run_id
        if task_run is not None:
            run.task_runs.update((artifact.path, task_run) for artifact in record.files.values())
        if renewed:
            run.renewed.update(artifact.path for artifact in record.files.values())
        if run.remote_cache is not None and not (
            record.cached and run.remote_cache.has(self.name, key)
        ):
            run.remote_cache.publish(record.to_dict(), run.root / self.name / key)
        if record.cached:
            _log_cached(run, record)
        run.done[self.name] = record
        log.info(
            '%s%s: %s',
            f'stage {len(run.done)} of {run.stages}, ' if run.stages else '',
            self.name,
            'cached' if record.cached else f'computed in {record.seconds:.1f} s',
        )
        return record

    def _state(
        self,
        run: Run,
        key: str,
        inputs: dict[str, Given],
        settings: dict[str, Any],
        *,
        refresh: bool,
    ) -> State[Any]:
        upstream = {run.task_runs[path] for path in origins_of(inputs) if path in run.task_runs}
        return call_cached(
            partial(self._compute, key, inputs, run, settings),
            self.name,
            key,
            run.root,
            upstream=upstream,
            refresh=refresh,
            timeout_s=run.timeout_s,
            asset=OF_STAGE.get(self.name),
        )

    def renewed(self, run: Run, inputs: Mapping[str, Given]) -> bool:
        """Whether the stage, or one that it depends on, is to be computed again in this run."""
        return self.name in run.refresh or any(path in run.renewed for path in origins_of(inputs))

    def at_hand(self, run: Run, inputs: Mapping[str, Given], settings: Mapping[str, Any]) -> bool:
        """Whether this call's record and folder are stored; its files are checked when called."""
        key = self.key(inputs, settings)
        if self._stored(run, key).exists() and (run.root / self.name / key).is_dir():
            return True
        return run.remote_cache is not None and run.remote_cache.has(self.name, key)

    def forget(self, run: Run, inputs: Mapping[str, Given], settings: Mapping[str, Any]) -> None:
        """Drop this root's record of a call, so that the one in the remote cache is fetched."""
        self._stored(run, self.key(inputs, settings)).unlink(missing_ok=True)

    def _stored(self, run: Run, key: str) -> Path:
        return key_file(run.root, self.name, key)

    def _usable_record(self, run: Run, key: str, state: State[Any]) -> Record | None:
        """Return the record of a state; None where a stored one is damaged."""
        try:
            record = self._record(run, key, state)
        except ArtifactError as error:
            if state.name != 'Cached':
                raise
            log.warning('%s; computing again', error)
            return None
        if record.cached and not record.intact():
            log.warning('%s: a stored output is missing or altered; computing again', self.name)
            return None
        return record

    def _record(self, run: Run, key: str, state: State[Any]) -> Record:
        error = state.result(raise_on_failure=False) if state.is_failed() else None
        failure = explained(error, self.name, run.root, run.timeout_s)
        if failure is not None:
            raise failure from error
        values = state.result(raise_on_failure=True)
        cached = state.name == 'Cached'
        record = Record.from_stored(values, self.name, key, run.root, cached=cached)
        return replace(record, cached=cached or values['cached'])

    def _compute(
        self, key: str, inputs: dict[str, Given], run: Run, settings: dict[str, Any]
    ) -> dict[str, Any]:
        for name, artifact in artifacts_of(inputs):
            if not artifact.intact():
                raise ArtifactError(
                    f'{self.name}: its input {name} at {artifact.path} is missing or altered; '
                    'run again to compute it'
                )
        target = run.root / self.name / key
        # The lock of the key is held: a process that began to write here has died.
        discard_leftovers(target)
        renewed = self.renewed(run, inputs)
        if run.remote_cache is not None and not renewed:
            fetched = run.remote_cache.fetch(self.name, key, target)
            if fetched is not None:
                return Record.from_dict(fetched, cached=True).stored(run.root)
        start = time.perf_counter()
        attempt = {'stage': self.name, 'key': key, 'root': quote(str(run.root))}
        with run.tracker.stage(self.name, {'cached': 'false'}, resume=attempt) as stage_run:
            with atomic_directory(target) as out:
                context = StageContext(run, stage_run, key, renewed)
                values = {
                    name: given.value if isinstance(given, Fact) else given
                    for name, given in inputs.items()
                }
                result = self.body(out, context, **values, **settings)
                self.check_result(tuple(result.files), result.facts)
            seconds = time.perf_counter() - start
            stage_run.params({'key': key, **_flat_settings(settings)})
            stage_run.metrics({**result.metrics, 'seconds': seconds})
        files = {name: Artifact.of(target / path) for name, path in result.files.items()}
        return Record(
            self.name, key, files, result.metrics, result.facts, stage_run.run_id, seconds
        ).stored(run.root)


@dataclass(frozen=True)
class StageContext:
    """What a stage's body may use beside its inputs.

    Attributes:
        run: the pipeline run.
        tracking: the open MLflow run of the stage.
        key: the stage's content key, for files that outlive an attempt (checkpoints).
        renewed: whether it is computed again on purpose, and must not reuse what is there.
    """

    run: Run
    tracking: StageRun
    key: str
    renewed: bool = False


def _log_cached(run: Run, record: Record) -> None:
    tags = {'key': record.key, 'cached': 'true', 'computed_by': record.run_id}
    with run.tracker.stage(record.stage, tags) as stage_run:
        stage_run.metrics(record.metrics)


def _body_fingerprint(module: str) -> str | None:
    """Return a hash of a stage's own file and of all modules that it imports."""
    if module.partition('.')[0] not in PACKAGES:
        return None
    return source_fingerprint([module], PACKAGES, NOT_KEYED)


def _flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flattened = plain(value)
        if isinstance(flattened, dict):
            flat |= {f'{name}.{inner}': leaf for inner, leaf in _flat_settings(flattened).items()}
        else:
            flat[name] = flattened
    return flat
