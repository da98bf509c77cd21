"""The pipeline flow: from the source files to evaluated, exported embeddings."""

import logging
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.runtime import flow_run

from flows.checked import Text, checked_flow
from flows.configuration import artifact_root, configured, for_another_host, tracking_uri
from flows.dag import STAGES, Dag
from flows.data_dag import DATA_STAGES
from flows.routing import Request, senders
from flows.runtime import CHECKOUT, show_progress
from naics_embed import __version__
from naics_embed.artifacts import content_key, read_json
from naics_embed.config.load import flat, to_dict
from naics_embed.config.schema import Config
from naics_embed.errors import ConfigError
from naics_embed.evaluation.candidates import promotion_rule
from naics_embed.training.resume import check_resume
from tasks.promotion import Contender, Outcome, promote_run
from tasks.report import publish_report
from tasks.share import Share
from tasks.source import describe_source
from tasks.stage import Record, Run
from tasks.tracking import FLOW_RUN, NO_FLOW_RUN, Tracker, git_revision, pipeline_run, set_tags

log = logging.getLogger('naics_embed.pipeline')

GROUND_TRUTH = 'ground_truth'
TARGETS = ('all', 'data', GROUND_TRUTH, *STAGES)
FIGURES_ARTIFACT = 'lorentz-metrics'
SELECTION_ARTIFACT = 'table-selection'
PROMOTION_ARTIFACT = 'promotion'
REPORT_ARTIFACT = 'report'
CHECKS_ARTIFACT = 'report-checks'


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
        figures: ``split/metric`` → value, reference, name of the reference.
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
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    table: str | None = None
    bundle: str | None = None
    promoted: bool = False
    promotion: str | None = None
    report: str | None = None
    verdict: str | None = None
    seconds: float = 0.0


@checked_flow(name='pipeline', flow_run_name='pipeline-{profile}-{target}', retries=0)
def pipeline(
    profile: str = 'cpu',
    overrides: list[Text] | None = None,
    target: str = 'all',
    refresh: list[str] | None = None,
    resume: str = 'auto',
    config_folder: str | None = None,
    parent_run: str | None = None,
) -> dict[str, Any]:
    """Run the stages up to a target and return a summary.

    Args:
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``training.epochs=3``.
        target: ``all``, ``data``, ``ground_truth`` (data and labelled texts), or the last stage
            wanted.
        refresh: stages to compute again although they are cached, and all that stands on them.
        resume: ``auto``, ``last``, ``never`` or the path of a checkpoint, for text training.
        config_folder: directory with ``base.yaml``; the checkout's ``configs`` where None.
        parent_run: MLflow run under which this one is nested.
    """
    start = time.perf_counter()
    check_stages('target', [target], TARGETS)
    check_stages('refresh', refresh or [], STAGES)
    show_progress()
    folder = Path(config_folder) if config_folder else CHECKOUT / 'configs'
    config = configured(folder, profile, overrides)
    check_stages('platform.routes', list(config.platform.routes), STAGES)
    if 'text_training' not in config.platform.routes:
        check_resume(resume)
    torch.set_num_threads(config.runtime.threads or os.cpu_count() or 1)
    root = artifact_root(config)
    uri = tracking_uri(config, root)
    sent = for_another_host(overrides, config, root)
    root.mkdir(parents=True, exist_ok=True)
    tags = {
        'profile': profile,
        'library_version': __version__,
        'git_revision': git_revision(CHECKOUT),
        FLOW_RUN: str(flow_run.id or NO_FLOW_RUN),
    }
    with pipeline_run(
        uri,
        config.tracking.experiment,
        root / 'mlartifacts',
        tags,
        flat(config),
        name='pipeline' if target == 'all' else target,
        parent=parent_run,
    ) as tracker:
        request = Request(profile, sent, resume, tracker.parent_run_id)
        run = Run(
            root,
            tracker,
            frozenset(name.replace('_', '-') for name in refresh or ()),
            resume,
            config.tracking.experiment,
            share=Share.at(config.platform.share) if config.platform.share else None,
            timeout_s=config.platform.stage_timeout_s,
            routes=senders(config.platform.routes, request),
        )
        dag = Dag(config, run)
        described = describe_source(dag.source)
        tracker.pipeline().content(to_dict(config), 'config.yaml')
        set_tags(tracker, {'source': dag.source.kind, **_source_tags(described)})
        for name in _wanted(target):
            getattr(dag, name)
        summary = Summary(
            root=str(root),
            tracking_uri=uri,
            run_id=tracker.parent_run_id,
            source=dag.source.kind,
            warnings=list(dag.source.warnings),
            stages={name: _brief(record) for name, record in dag.records().items()},
            seconds=time.perf_counter() - start,
        )
        summary = _finish(summary, dag, config)
    return asdict(summary)


def _finish(summary: Summary, dag: Dag, config: Config) -> Summary:
    records = dag.records()
    changes: dict[str, Any] = {}
    if 'evaluation' in records:
        changes['figures'] = read_json(
            records['coder'].path('figures')
            if 'coder' in records
            else records['evaluation'].path('metrics')
        )
        _publish(changes['figures'], dag.run)
    if 'selection' in records:
        changes['table'] = records['selection'].facts['champion']
        _publish_selection(records['selection'], dag.run)
    outcome = None
    if 'export' in records:
        changes['bundle'] = str(records['export'].path('bundle'))
        if config.runtime.promote:
            outcome = _promote(summary, dag, config)
            changes |= {'promoted': outcome.promoted, 'promotion': outcome.reason}
    if 'report' in records:
        changes |= _publish_report(dag, outcome)
    return Summary(**{**asdict(summary), **changes})


def _promote(summary: Summary, dag: Dag, config: Config) -> Outcome:
    """Promote the bundle if it is better than the one in use, and show how that was decided."""
    selected = dag.selection.facts
    judged_on = {
        name: artifact.sha256
        for name, artifact in {
            **dag.codebook.files,
            **dag.structure_holdout.files,
            **dag.queries.files,
        }.items()
    }
    contender = Contender(
        bundle=dag.export.path('bundle'),
        champion=selected['champion'],
        figures=selected['figures'],
        data=content_key([judged_on, to_dict(replace(config.regression, outcomes=None))]),
        source=summary.source,
    )
    outcome = promote_run(
        Path(summary.root),
        dag.run.tracker,
        contender,
        promotion_rule(config.promotion),
        model=config.promotion.model,
        force=config.promotion.force,
    )
    set_tags(
        dag.run.tracker,
        {'promoted': str(outcome.promoted).lower(), 'promotion.reason': outcome.reason},
    )
    _table(outcome.rows, PROMOTION_ARTIFACT, outcome.reason, dag.run)
    return outcome


def _publish_report(dag: Dag, outcome: Outcome | None) -> dict[str, str]:
    """Put the report where people find it, link it from Prefect, and tag the MLflow run."""
    record, tracker = dag.report, dag.run.tracker
    atlas = dag.atlas.path('atlas') if 'atlas' in dag.records() else None
    page = publish_report(record, dag.run, outcome, atlas)
    verdict, sentence = record.facts['verdict'], record.facts['sentence']
    set_tags(tracker, {'verdict': verdict})
    link = page.as_uri()
    if tracker.uri.startswith('http'):
        link = f'{_run_address(tracker)}/artifacts/{page.name}'
    create_link_artifact(link, link_text='Report of the run', key=REPORT_ARTIFACT)
    rows = [
        f'| {check["status"]} | {check["name"]} | {check["value"]:.3f} '
        f'| {check["against"]} {check["reference"]:.3f} |'
        for check in record.facts['checks']
    ]
    head = ['| check | figure | value | beside it |', '|---|---|---|---|']
    create_markdown_artifact(
        '\n'.join([f'**{verdict.capitalize()}.** {sentence}', '', *head, *rows]),
        key=CHECKS_ARTIFACT,
        description='What the report concludes',
    )
    return {'report': str(page), 'verdict': f'{verdict}: {sentence}'}


def _run_address(tracker: Tracker) -> str:
    return f'{tracker.uri}/#/experiments/{tracker.experiment_id}/runs/{tracker.parent_run_id}'


def _publish_selection(selection: Record, run: Run) -> None:
    """Show which candidate table the rule picked, and by which figures."""
    content = read_json(selection.path('selection'))
    set_tags(run.tracker, {'table': content['champion']})
    reasons = [
        f'{verdict["challenger"]} against {verdict["incumbent"]}: {verdict["reason"]}'
        for verdict in content['verdicts']
    ]
    text = f'Table picked: {content["champion"]}. ' + ' '.join(reasons)
    _table(content['comparisons'], SELECTION_ARTIFACT, text, run)


def _table(rows: list[dict[str, Any]], key: str, text: str, run: Run) -> None:
    """Log rows in MLflow and show them in Prefect; nothing where there are none."""
    if rows:
        create_table_artifact(rows, key=key, description=text)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        run.tracker.pipeline().table(columns, f'{key}.json')


def _publish(figures: dict[str, dict[str, Any]], run: Run) -> None:
    """Show the figures in Prefect, and log them on the run of the pipeline."""
    rows = [{'figure': name, **figure} for name, figure in sorted(figures.items())]
    create_table_artifact(rows, key=FIGURES_ARTIFACT, description='Figures and their references')
    tracker = run.tracker
    if tracker.uri.startswith('http'):
        create_link_artifact(_run_address(tracker), link_text='MLflow run', key='mlflow-run')
    tracker.pipeline().metrics(
        {name: f['value'] for name, f in figures.items() if f['value'] is not None}
    )
    columns = ('figure', 'value', 'reference', 'reference_name')
    tracker.pipeline().table(
        {column: [row[column] for row in rows] for column in columns}, 'figures.json'
    )


def _wanted(target: str) -> tuple[str, ...]:
    if target == 'all':
        return STAGES
    if target == GROUND_TRUTH:
        return (*DATA_STAGES, 'queries')
    return DATA_STAGES if target == 'data' else (target,)


def check_stages(option: str, names: list[str], allowed: tuple[str, ...]) -> None:
    """Raise ConfigError for a name that is no stage."""
    for name in names:
        if name not in allowed:
            raise ConfigError(f'{option}: no stage {name!r}; choose from {", ".join(allowed)}')


def _source_tags(described: dict[str, Any]) -> dict[str, str]:
    return {f'source.{key}.sha256': file['sha256'] for key, file in described['files'].items()}


def _brief(record: Record) -> dict[str, Any]:
    return {
        'key': record.key,
        'cached': record.cached,
        'seconds': record.seconds,
        'run_id': record.run_id,
        'files': {name: artifact.path for name, artifact in record.files.items()},
        'metrics': record.metrics,
    }
