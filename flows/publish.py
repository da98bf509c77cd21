"""What a pipeline run publishes when its stages are computed, and the summary that it returns."""

from dataclasses import dataclass, field, replace
from typing import Any

from naics_embed.artifacts import content_key, read_json
from naics_embed.census.sources import Source
from naics_embed.config.schema import Config
from naics_embed.config.sections import to_dict
from tasks.engine.execution import Execution
from tasks.engine.record import Record
from tasks.engine.tracking import Tracker, set_tags
from tasks.publishing import (
    draw_training,
    promote_bundle_of_run,
    publish_after,
    publish_metrics,
    publish_report,
    publish_selection,
)
from tasks.registry.promotion import Contender, Outcome
from tasks.source import describe_source


@dataclass(frozen=True)
class Summary:
    """What a pipeline run left behind.

    Attributes:
        root: directory of the artifacts.
        tracking_uri: MLflow's address.
        run_id: MLflow run of the pipeline.
        source: kind of source.
        warnings: what the source had to say.
        stages: stage → seconds, key, whether it was cached, its files.
        metrics: ``split/metric`` → value, reference, name of the reference.
        table: which candidate table the promotion rule picked, if the run got that far.
        bundle: directory of the exported bundle, if the run got that far.
        promoted: whether the bundle is the one that ``naics-embed search`` uses.
        promotion: why, or why not.
        report: the HTML report, if the run got that far.
        verdict: what the report concludes.
        seconds: duration of the run.
    """

    root: str
    tracking_uri: str
    run_id: str
    source: str
    warnings: list[str]
    stages: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    table: str | None = None
    bundle: str | None = None
    promoted: bool = False
    promotion: str | None = None
    report: str | None = None
    verdict: str | None = None
    seconds: float = 0.0


def describe_run(tracker: Tracker, config: Config, source: Source) -> None:
    """Log the configuration of a run, and what its data are made of."""
    tracker.pipeline().content(to_dict(config), 'config.yaml')
    files = describe_source(source)['files']
    hashes = {f'source.{name}.sha256': file['sha256'] for name, file in files.items()}
    set_tags(tracker, {'source': source.kind, **hashes})


def publish(execution: Execution, source: Source, seconds: float) -> Summary:
    """Publish what was computed, each part by a task of its own, and return the summary.

    Args:
        execution: the stages, computed.
        source: the files that the run started from.
        seconds: how long it took.
    """
    run, records, config = execution.run, execution.records, execution.config
    changes: dict[str, Any] = {}
    if 'text_training' in records:
        publish_after(run, draw_training, [records['text_training']])
    if 'evaluation' in records:
        measured = records.get('coder', records['evaluation'])
        name = 'metrics' if 'coder' in records else 'table_metrics'
        changes['metrics'] = read_json(measured.path(name))
        publish_after(run, publish_metrics, [measured], changes['metrics'])
    if 'selection' in records:
        changes['table'] = records['selection'].facts['champion']
        publish_after(run, publish_selection, [records['selection']])
    outcome = None
    if 'export' in records:
        changes['bundle'] = str(records['export'].path('bundle'))
        if config.runtime.promote:
            outcome = _promote(execution, source)
            changes |= {'promoted': outcome.promoted, 'promotion': outcome.reason}
    if 'report' in records:
        page = publish_after(run, publish_report, [records['report'], records['atlas']], outcome)
        facts = records['report'].facts
        changes |= {'report': str(page), 'verdict': f'{facts["verdict"]}: {facts["sentence"]}'}
    summary = Summary(
        root=str(run.root),
        tracking_uri=run.tracker.uri,
        run_id=run.tracker.parent_run_id,
        source=source.kind,
        warnings=list(source.warnings),
        stages={name: _brief(records[name]) for name in execution.graph.names if name in records},
        seconds=seconds,
    )
    return replace(summary, **changes)


def _promote(execution: Execution, source: Source) -> Outcome:
    """Promote the bundle if it is better than the one in use."""
    records, config = execution.records, execution.config
    chosen_on = {
        name: artifact.sha256
        for stage in ('codebook', 'structure_holdout', 'queries')
        for name, artifact in records[stage].files.items()
    }
    contender = Contender(
        bundle=records['export'].path('bundle'),
        champion=records['selection'].facts['champion'],
        metrics=records['selection'].facts['champion_metrics'],
        data=content_key([chosen_on, to_dict(config.regression.without_outcomes)]),
        source=source.kind,
    )
    needed = [records[name] for name in ('export', 'selection')]
    return publish_after(execution.run, promote_bundle_of_run, needed, contender, config.promotion)


def _brief(record: Record) -> dict[str, Any]:
    return {
        'key': record.key,
        'cached': record.cached,
        'seconds': record.seconds,
        'run_id': record.run_id,
        'files': {name: artifact.path for name, artifact in record.files.items()},
        'metrics': record.metrics,
    }
