"""MLflow: one run a pipeline, one nested run a stage; only finite numbers are logged."""

import logging
import math
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.time import get_current_time_millis

from naics_embed.config.validation import no_secret
from tasks.engine.file_lock import file_lock
from tasks.engine.moved_database import follow_root
from tasks.engine.quoted_folder import discard_quoted_folder
from tasks.engine.tracking_errors import (
    ERRORS,
    REFUSED,
    check_tracking,
    clear_tracking_errors,
    database_file,
    refused,
)

log = logging.getLogger(__name__)

PARAM_BATCH = 100
METRIC_BATCH = 500
URI_VARIABLE = 'MLFLOW_TRACKING_URI'
PARENT = 'mlflow.parentRunId'
FLOW_RUN = 'prefect.flow_run_id'
NO_FLOW_RUN = 'none'


@dataclass(frozen=True)
class Tracker:
    """Where runs are logged.

    Attributes:
        uri: MLflow tracking URI.
        experiment_id: the experiment.
        parent_run_id: run of the pipeline, under which stages nest.
    """

    uri: str
    experiment_id: str
    parent_run_id: str

    @property
    def client(self) -> MlflowClient:
        """A client of the tracking server."""
        return MlflowClient(tracking_uri=self.uri)

    def pipeline(self) -> 'StageRun':
        """The run of the pipeline itself."""
        return StageRun(self.client, self.parent_run_id)

    def of(self, run_id: str) -> 'StageRun':
        """A run of a stage that has ended, to add something to it."""
        return StageRun(self.client, run_id)

    @contextmanager
    def stage(
        self, name: str, tags: Mapping[str, str], *, resume: Mapping[str, str] | None = None
    ) -> Iterator['StageRun']:
        """Open a nested run; it ends FINISHED, or FAILED where the block raises.

        Args:
            name: the stage.
            tags: tags of the run.
            resume: tags that name an attempt. One with these tags that never ended, because its
                process was killed, is resumed instead of a new run.
        """
        client = self.client
        tags = {PARENT: self.parent_run_id, 'stage': name, **tags, **(resume or {})}
        killed = _unfinished(client, self.experiment_id, resume) if resume else None
        run_id = (
            killed
            or client.create_run(self.experiment_id, run_name=name, tags=dict(tags)).info.run_id
        )
        if killed is not None:
            # It belongs to the pipeline run that finishes it.
            client.set_tag(run_id, PARENT, self.parent_run_id)
        with _ending(client, run_id):
            yield StageRun(client, run_id)


@dataclass(frozen=True)
class StageRun:
    """An open run of a stage."""

    client: MlflowClient
    run_id: str

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log the finite ones among ``values``; the others are named in the log."""
        log_metrics(self.client, self.run_id, values, step)

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        log_params(self.client, self.run_id, values)

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Upload a file."""
        self.client.log_artifact(self.run_id, str(path), folder)

    def content(self, values: Mapping[str, Any], name: str) -> None:
        """Log a mapping as YAML or JSON, by the ending of ``name``."""
        self.client.log_dict(self.run_id, dict(values), name)

    def text(self, content: str, name: str) -> None:
        """Log a text as a file."""
        self.client.log_text(self.run_id, content, name)

    def table(self, columns: Mapping[str, list[Any]], name: str) -> None:
        """Log a table that the MLflow UI shows."""
        self.client.log_table(self.run_id, data=dict(columns), artifact_file=name)


def log_metrics(
    client: MlflowClient, run_id: str, values: Mapping[str, float], step: int = 0
) -> None:
    """Log metrics in batches, leaving out what is not finite (MLflow turns inf into 1.8e308)."""
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    if len(finite) < len(values):
        log.warning('not finite, not logged: %s', ', '.join(sorted(set(values) - set(finite))))
    now = get_current_time_millis()
    rows = [Metric(name, float(value), now, step) for name, value in finite.items()]
    for start in range(0, len(rows), METRIC_BATCH):
        client.log_batch(run_id, metrics=rows[start : start + METRIC_BATCH])


def log_params(client: MlflowClient, run_id: str, values: Mapping[str, Any]) -> None:
    """Log parameters in batches."""
    rows = [Param(name, str(value)) for name, value in values.items()]
    for start in range(0, len(rows), PARAM_BATCH):
        client.log_batch(run_id, params=rows[start : start + PARAM_BATCH])


@contextmanager
def pipeline_run(
    uri: str,
    experiment: str,
    artifacts: Path,
    tags: Mapping[str, str],
    params: Mapping[str, Any],
    *,
    name: str = 'pipeline',
    parent: str | None = None,
) -> Iterator[Tracker]:
    """Open the run of a pipeline, making the experiment where it is missing.

    A flow run that Prefect retries continues in the MLflow run that it began, unless its parameters
    changed: those of a run are final, so it gets a new one.

    Args:
        uri: MLflow tracking URI.
        experiment: name of the experiment.
        artifacts: directory for the artifacts of a new experiment on a local database.
        tags: tags of the run; `FLOW_RUN` names Prefect's.
        params: its parameters.
        name: name of the run.
        parent: run that this one is nested under.

    Raises:
        TrackingError: no tracking server answers, or it refuses us, or the database is damaged.
        DiskError: a disk is full or read-only, also where the block found that out.
        ConfigError: the URI has a user, a password or a token in it.
    """
    no_secret('MLFLOW_TRACKING_URI or tracking.uri', uri, '')
    check_tracking(uri)
    use_uri(uri)
    if parent is not None:
        tags = {**tags, PARENT: parent}
    with clear_tracking_errors(uri):
        with _one_at_a_time(uri):
            client = MlflowClient(tracking_uri=uri)
            experiment_id = _experiment(client, experiment, artifacts, uri)
            discard_quoted_folder(uri)
        run_id = run_of_flow(client, experiment_id, tags.get(FLOW_RUN, NO_FLOW_RUN))
        if run_id is not None and not _same_params(client, run_id, params):
            run_id = None
        if run_id is None:
            run_id = client.create_run(experiment_id, run_name=name, tags=dict(tags)).info.run_id
        else:
            client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        with _ending(client, run_id):
            log_params(client, run_id, params)
            yield Tracker(uri, experiment_id, run_id)


def use_uri(uri: str) -> None:
    """Make a tracking URI MLflow's own in this process.

    MLflow would also put it into the environment, where the next flow and every
    child process would take it for the user's.
    """
    given = os.environ.get(URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    if given is None:
        os.environ.pop(URI_VARIABLE, None)
    else:
        os.environ[URI_VARIABLE] = given


def _same_params(client: MlflowClient, run_id: str, params: Mapping[str, Any]) -> bool:
    logged = client.get_run(run_id).data.params
    return all(logged.get(name, str(value)) == str(value) for name, value in params.items())


@contextmanager
def _ending(client: MlflowClient, run_id: str) -> Iterator[None]:
    """End a run FINISHED, or FAILED where the block raises."""
    try:
        yield
    except BaseException as error:
        try:
            client.set_terminated(run_id, RunStatus.to_string(RunStatus.FAILED))
        except ERRORS as second:
            # On a disk that is full both fail, and the first says why.
            error.add_note(f'the MLflow run {run_id} could not be ended either: {second!r}')
        raise
    client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))


@contextmanager
def _one_at_a_time(uri: str) -> Iterator[None]:
    """Hold a lock beside a SQLite file: MLflow makes or migrates its tables when it opens one.

    Two processes that do so at once break each other ("table runs already exists").
    """
    path = database_file(uri)
    if path is None:
        yield
        return
    with file_lock(path.with_name(f'.{path.name}.lock')):
        yield


def _experiment(client: MlflowClient, name: str, artifacts: Path, uri: str) -> str:
    try:
        experiment = client.get_experiment_by_name(name)
    except MlflowException as error:
        if error.get_http_status_code() not in REFUSED:
            raise
        raise refused(uri) from error
    if experiment is not None:
        database = database_file(uri)
        if database is not None:
            follow_root(database, experiment.artifact_location, artifacts)
        return experiment.experiment_id
    location = None if uri.startswith('http') else artifacts.resolve().as_uri()
    try:
        return client.create_experiment(name, artifact_location=location)
    except MlflowException:
        # Another run may have made it in between.
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return experiment.experiment_id


def _unfinished(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> str | None:
    """Return the run with these tags and the status RUNNING, or None."""
    conditions = [f"tags.{name} = '{value}'" for name, value in tags.items()]
    runs = client.search_runs(
        [experiment_id], ' and '.join([*conditions, "attributes.status = 'RUNNING'"]), max_results=1
    )
    return runs[0].info.run_id if runs else None


def run_of_flow(client: MlflowClient, experiment_id: str, flow_run: str) -> str | None:
    """Return the MLflow run that a Prefect flow run began, or None."""
    if flow_run == NO_FLOW_RUN:
        return None
    runs = client.search_runs([experiment_id], f"tags.`{FLOW_RUN}` = '{flow_run}'", max_results=1)
    return runs[0].info.run_id if runs else None


def set_tags(tracker: Tracker, tags: Mapping[str, str]) -> None:
    """Tag the run of the pipeline."""
    rows = [RunTag(name, value) for name, value in tags.items()]
    tracker.client.log_batch(tracker.parent_run_id, tags=rows)


def git_revision(folder: Path) -> str:
    """Return the commit of a checkout, ``-dirty`` where it has changes, or ``unknown``."""
    if not (folder / '.git').exists():
        return 'unknown'
    answer = subprocess.run(
        ['git', 'describe', '--always', '--dirty', '--abbrev=12'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'GIT_OPTIONAL_LOCKS': '0'},
    )
    return answer.stdout.strip() if answer.returncode == 0 else 'unknown'
