"""MLflow: one run a pipeline, one nested run a stage; only finite numbers are logged."""

import logging
import math
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.utils.time import get_current_time_millis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

PARAM_BATCH = 100
METRIC_BATCH = 500


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

    @contextmanager
    def stage(self, name: str, tags: Mapping[str, str]) -> Iterator['StageRun']:
        """Open a nested run; it ends FINISHED, or FAILED where the block raises."""
        client = self.client
        run = client.create_run(
            self.experiment_id,
            run_name=name,
            tags={'mlflow.parentRunId': self.parent_run_id, 'stage': name, **tags},
        )
        opened = StageRun(client, run.info.run_id)
        status = RunStatus.to_string(RunStatus.FAILED)
        try:
            yield opened
            status = RunStatus.to_string(RunStatus.FINISHED)
        finally:
            client.set_terminated(run.info.run_id, status)


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

    def figure(self, plot: 'Figure', name: str) -> None:
        """Log a matplotlib figure as a picture."""
        self.client.log_figure(self.run_id, plot, name)

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
    uri: str, experiment: str, artifacts: Path, tags: Mapping[str, str], params: Mapping[str, Any]
) -> Iterator[Tracker]:
    """Open the run of a pipeline, making the experiment where it is missing.

    Args:
        uri: MLflow tracking URI.
        experiment: name of the experiment.
        artifacts: directory for the artifacts of a new experiment on a local database.
        tags: tags of the run.
        params: its parameters.
    """
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is not None:
        experiment_id = found.experiment_id
    else:
        location = None if uri.startswith('http') else artifacts.resolve().as_uri()
        experiment_id = client.create_experiment(experiment, artifact_location=location)
    run = client.create_run(experiment_id, run_name=tags.get('run_name', 'pipeline'), tags=tags)
    status = RunStatus.to_string(RunStatus.FAILED)
    try:
        log_params(client, run.info.run_id, params)
        yield Tracker(uri, experiment_id, run.info.run_id)
        status = RunStatus.to_string(RunStatus.FINISHED)
    finally:
        client.set_terminated(run.info.run_id, status)


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
