"""Reading of finished runs from MLflow: settings, metrics, histories."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from naics_embed.artifacts import MANIFEST
from naics_embed.bundle.promotion import promotion_record
from naics_embed.bundle.storage import Bundle
from naics_embed.errors import TrackingError
from naics_embed.report.curves import History
from tasks.engine.quoted_folder import discard_quoted_folder
from tasks.engine.tracking import PARENT
from tasks.engine.tracking_errors import check_tracking, clear_tracking_errors, database_file

LATEST = 'latest'
MODEL_SETTING = 'model.dim'
"""A parameter that runs with a model of their own have."""
CONTROLS = 'controls'
PROMOTED = 'promoted'
LEAST_PREFIX = 4
SHOWN = 5
SEARCHED = 200
SHORT = 8


@dataclass(frozen=True)
class RunFacts:
    """The facts of a run that another one is compared with.

    Attributes:
        name: how the run is shown.
        settings: dotted key → value, as text.
        metrics: name → value.
        described: whether the settings are those that describe the model only, as in a bundle.
        identity: id of the run, or directory of the bundle: two names of one thing have one.
    """

    name: str
    settings: Mapping[str, str]
    metrics: Mapping[str, float]
    described: bool = False
    identity: str = ''


class RunStore:
    """Finished runs under a tracking URI.

    Args:
        uri: MLflow tracking URI.
        root: artifact root, which says which run is promoted.

    Raises:
        TrackingError: a database file that does not exist or is damaged, or a server that gives
            no answer.
    """

    def __init__(self, uri: str, root: Path) -> None:
        file = database_file(uri)
        # MLflow would make an empty database, and then find nothing in it.
        if file is not None and not file.is_file():
            raise TrackingError(
                f'there is no tracking database {file}: run the pipeline first, or name another '
                'with --root or --tracking-uri'
            )
        check_tracking(uri, tries=1)
        self.uri = uri
        self.root = root
        with clear_tracking_errors(uri):
            self.client = MlflowClient(tracking_uri=uri)
        discard_quoted_folder(uri)

    def find(self, name: str) -> Run:
        """Return a run.

        Args:
            name: its id, the beginning of its id, its name if no other run has it, ``latest``
                (the newest whole pipeline) or ``promoted``.

        Raises:
            TrackingError: there is no such run, or several.
        """
        if name == PROMOTED:
            record = promotion_record(self.root) or {}
            if 'run' not in record:
                raise TrackingError(f'{self.root} has no promoted run; name one by its id')
            name = record['run']
        try:
            return self.client.get_run(name)
        except MlflowException:
            pass
        runs = self._search('')
        if name == LATEST:
            whole = [run for run in runs if _is_pipeline(run)]
            if not whole:
                raise TrackingError(f'{self.uri} holds no finished pipeline run')
            return whole[0]
        matching = [run for run in runs if run.info.run_name == name]
        if not matching and len(name) >= LEAST_PREFIX:
            matching = [run for run in runs if run.info.run_id.startswith(name)]
        if len(matching) == 1:
            return matching[0]
        examples = ', '.join(
            f'{run.info.run_id[:SHORT]} ({run.info.run_name})' for run in (matching or runs)[:SHOWN]
        )
        why = (
            f'{len(matching)} runs are called {name!r}' if matching else f'there is no run {name!r}'
        )
        raise TrackingError(f'{why} in {self.uri}: give an id, such as {examples}')

    def facts(self, name: str) -> RunFacts:
        """Return settings and metrics of a bundle (its directory) or of a run (see `find`)."""
        folder = Path(name)
        if (folder / MANIFEST).is_file():
            bundle = Bundle.load(folder, verify=False)
            return RunFacts(
                _shown_bundle(folder.resolve()),
                {k: str(v) for k, v in _flatten(bundle.manifest.get('configuration', {})).items()},
                {k: f['value'] for k, f in bundle.metrics().items() if f['value'] is not None},
                described=True,
                identity=str(folder.resolve()),
            )
        with clear_tracking_errors(self.uri):
            run = self.find(name)
        return RunFacts(_shown(run), run.data.params, run.data.metrics, identity=run.info.run_id)

    def history(self, name: str, stage: str) -> tuple[str, History]:
        """Return how a run is shown, and the metrics that a stage of it logged epoch by epoch.

        A run that found the stage cached has the history of the run that computed it. Without the
        stage, the metrics of the run itself are looked at.
        """
        with clear_tracking_errors(self.uri):
            run = self.find(name)
            return _shown(run), self._history(self._stage(run, stage) or run)

    def _stage(self, run: Run, stage: str) -> Run | None:
        if run.data.tags.get('stage') == stage:
            return self._computed(run)
        nested = self._search(f"tags.`{PARENT}` = '{run.info.run_id}' and tags.stage = '{stage}'")
        return self._computed(nested[0]) if nested else None

    def _computed(self, run: Run) -> Run:
        source = run.data.tags.get('computed_by')
        return run if source is None else self.client.get_run(source)

    def _history(self, run: Run) -> History:
        history: dict[str, list[tuple[int, float]]] = {}
        for key in run.data.metrics:
            points = self.client.get_metric_history(run.info.run_id, key)
            if len(points) > 1:
                # A resumed training logs an epoch again: the later value counts.
                by_step = {point.step: point.value for point in points}
                history[key] = sorted(by_step.items())
        return history

    def _search(self, condition: str) -> list[Run]:
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        return list(
            self.client.search_runs(
                experiments,
                condition,
                max_results=SEARCHED,
                order_by=['attributes.start_time DESC'],
            )
        )


def _is_pipeline(run: Run) -> bool:
    """Whether a run is of the pipeline, with metrics: not of a stage, of coding or of learning."""
    return (
        PARENT not in run.data.tags
        and MODEL_SETTING in run.data.params
        and run.info.run_name != CONTROLS
        and bool(run.data.metrics)
    )


def _shown(run: Run) -> str:
    return f'{run.info.run_name} {run.info.run_id[:SHORT]}'


def _shown_bundle(folder: Path) -> str:
    """Return a short name; in an artifact root all bundles are called so, below their key."""
    name = folder.name
    return f'{name} {folder.parent.name[:SHORT]}' if name == 'bundle' else name


def _flatten(values: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f'{prefix}{key}.')
        else:
            flat[f'{prefix}{key}'] = value
    return flat
