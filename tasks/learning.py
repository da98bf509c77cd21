"""Tasks: learn labelled texts, log what has changed, and put the new bundle in use."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.data
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.sources import LocalArtifactDatasetSource  # type: ignore[attr-defined]
from mlflow.entities import DatasetInput, InputTag
from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from naics_embed.artifacts import MANIFEST
from naics_embed.bundle.storage import MODEL_CARD, TRANSPARENCY, Bundle
from naics_embed.census.normalise import content_id
from naics_embed.config.learning import LearnSettings
from naics_embed.learning.derive import derive_bundle
from naics_embed.learning.doubts import write_doubts
from naics_embed.learning.labelled import Columns, LabelledTexts, read_labelled
from naics_embed.learning.outcome import Outcome
from naics_embed.learning.place import place_of
from naics_embed.learning.source_names import batch_named
from naics_embed.learning.sources import LabelSource
from naics_embed.search.coder import Coder
from naics_embed.tabular.open import ReadOptions
from tasks.engine.tracking import Tracker, set_tags
from tasks.registry.promotion import Outcome as Promotion
from tasks.registry.promotion import promote_learned

OUTCOME_ARTIFACT = 'learned'
DOUBTS = 'doubtful.csv'
CONTEXT = 'mlflow.data.context'
_UNNAMED = re.compile(r'[^\w\-. /]')


@dataclass(frozen=True)
class LabelFiles:
    """Files of labelled texts, and batches of the review.

    Attributes:
        sources: absolute paths of files; ``review:NAME`` for the decisions of a batch.
        names: of the sources, one each.
        columns: of all files.
        vintage: of the codes.
        max_unknown: largest fraction of rows whose code may be unknown.
        sheet: of workbooks; the first one where None.
        private: whether no text is kept or logged.
        store: address of the store of the batches; None where no source is a batch.
    """

    sources: tuple[str, ...]
    names: tuple[str, ...]
    columns: Columns
    vintage: int | str
    max_unknown: float
    sheet: str | None
    private: bool
    store: str | None = None

    def read(self, bundle: Path) -> list[LabelSource]:
        """Return the texts whose codes a bundle has. Raises UserError, see `read_labelled`."""
        codes = Bundle.load(bundle, verify=False).codes()['code'].to_list()
        return [
            LabelSource(name, self._labelled(source, codes), self.private)
            for source, name in zip(self.sources, self.names, strict=True)
        ]

    def _labelled(self, source: str, codes: Sequence[str]) -> LabelledTexts:
        batch = batch_named(source)
        if batch is not None:
            from naics_embed.review.labels import labels_at  # it needs the extra review

            return labels_at(self.store, batch, codes)
        return read_labelled(
            Path(source),
            self.columns,
            codes,
            vintage=self.vintage,
            reading=ReadOptions(sheet=self.sheet),
            max_unknown=self.max_unknown,
        )


@task(
    name='learn-labels', task_run_name='learn-labels', persist_result=False, cache_policy=NO_CACHE
)
def learn_labels(
    tracker: Tracker,
    root: Path,
    bundle: Path,
    files: LabelFiles,
    remove: Sequence[str],
    settings: LearnSettings,
) -> tuple[Path, Outcome]:
    """Derive a bundle under the artifact root, and log data, metrics and what it knows.

    Args:
        tracker: of the run.
        root: artifact root.
        bundle: directory of the bundle to start from.
        files: what to learn.
        remove: sources to take out.
        settings: how.

    Returns:
        directory of the new bundle, and what has changed.
    """
    add = files.read(bundle)
    for given, source in zip(files.sources, add, strict=True):
        _log_data(tracker, given, source)
    out = place_of(root, bundle, add, remove)
    outcome = derive_bundle(Coder.load(bundle), out, add=add, remove=remove, settings=settings)
    run = tracker.pipeline()
    run.metrics(metrics_of(outcome))
    for name in (MANIFEST, MODEL_CARD, TRANSPARENCY):
        if (out / name).is_file():
            run.artifact(out / name)
    if not files.private:
        with tempfile.TemporaryDirectory() as folder:
            write_doubts(Path(folder) / DOUBTS, outcome.doubts)
            run.artifact(Path(folder) / DOUBTS)
    if outcome.sets:
        rows = [vars(row) for row in outcome.sets]
        text = (
            f'{outcome.groups:,} groups of labelled texts; {len(outcome.doubts):,} labels doubted'
        )
        create_table_artifact(rows, key=OUTCOME_ARTIFACT, description=text)
        run.table({name: [row[name] for row in rows] for name in rows[0]}, 'learned.json')
    return out, outcome


@task(
    name='promote-learned',
    task_run_name='promote-learned',
    persist_result=False,
    cache_policy=NO_CACHE,
)
def promote_if_better(
    tracker: Tracker,
    root: Path,
    start: Path | None,
    bundle: Path,
    outcome: Outcome,
    margin: float,
    model: str,
) -> Promotion:
    """Put a bundle in use if it is better on the labelled texts and no worse on others.

    Args:
        tracker: of the run.
        root: artifact root.
        start: the bundle that must still be in use; None where that does not matter.
        bundle: directory of the new bundle.
        outcome: what has changed.
        margin: largest loss of accuracy on the bundle's own texts.
        model: name of the registered model.
    """
    if outcome.sets and not outcome.accepted(margin):
        done = Promotion(False, 'it is not better on these texts, or worse on others')
    else:
        done = promote_learned(root, tracker, bundle, start, model=model)
    set_tags(tracker, {'promoted': str(done.promoted).lower(), 'promotion.reason': done.reason})
    return done


def metrics_of(outcome: Outcome) -> dict[str, float]:
    """Return ``<set>/top1`` and the others of each set, before and after."""
    names = ('texts', 'top1_before', 'top1', 'ece_before', 'ece')
    values: dict[str, float] = {'doubtful_labels': float(len(outcome.doubts))}
    for row in outcome.sets:
        prefix = _UNNAMED.sub('_', row.name)
        values |= {f'{prefix}/{name}': float(getattr(row, name)) for name in names}
    return values


def _log_data(tracker: Tracker, given: str, source: LabelSource) -> None:
    """Log a file or batch as a dataset of the run: fingerprint, rows, codes, but no text."""
    labelled = source.labelled
    fingerprint = content_id(*labelled.texts, *labelled.stated)
    frame = pd.DataFrame({'code': labelled.stated})
    data = mlflow.data.from_pandas(  # type: ignore[attr-defined]
        frame,
        source=_dataset_source(given),
        name=source.name,
        digest=fingerprint[:36],
    )
    facts: dict[str, Any] = {
        CONTEXT: 'learning',
        'rows': len(labelled),
        'codes': frame['code'].nunique(),
        'left_out': sum(labelled.left_out.values()),
        'private': str(source.private).lower(),
    }
    tags = [InputTag(name, str(value)) for name, value in facts.items()]
    dataset = DatasetInput(data._to_mlflow_entity(), tags)
    tracker.client.log_inputs(tracker.parent_run_id, datasets=[dataset])


def _dataset_source(given: str) -> DatasetSource:
    """Return where a dataset comes from: MLflow knows no type for a batch, so that has a tag."""
    if batch_named(given) is not None:
        return CodeDatasetSource({'mlflow.source.name': given})
    return LocalArtifactDatasetSource(Path(given).as_uri())
