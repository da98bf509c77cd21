"""Tasks that publish what stages computed: pictures, tables, the promotion, the report.

Nothing here is cached: it depends on what was published before. A picture is drawn by the run
that computed its stage, and by none that found it cached.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from shutil import copyfile
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from prefect import Task, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRunResult
from prefect.task_engine import run_task
from prefect.utilities.annotations import quote

from naics_embed.artifacts import atomic_file, read_json
from naics_embed.config.refinement import PromotionConfig
from naics_embed.evaluation.candidates import promotion_rule
from naics_embed.report.curves import by_metric, metric_curves
from naics_embed.report.render import complete
from tasks.engine.record import Record
from tasks.engine.stage import Run
from tasks.engine.tracking import Tracker, set_tags
from tasks.registry.promotion import Contender, Outcome, promote_run
from tasks.report import PAGE

P = ParamSpec('P')
R = TypeVar('R')

MAP = 'atlas.html'
METRICS_ARTIFACT = 'lorentz-metrics'
SELECTION_ARTIFACT = 'table-selection'
PROMOTION_ARTIFACT = 'promotion'
REPORT_ARTIFACT = 'report'
CHECKS_ARTIFACT = 'report-checks'


def publish_after(
    run: Run,
    publisher: Task[Concatenate[Run, Sequence[Record], P], R],
    records: Sequence[Record],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run a task of this module after the stages that it publishes.

    Args:
        run: the pipeline run.
        publisher: the task.
        records: of the stages.
        args: its further arguments, which Prefect does not search.
        kwargs: more of them.
    """
    paths = [file.path for record in records for file in record.files.values()]
    upstream = {run.task_runs[path] for path in paths if path in run.task_runs}
    names = list(publisher.fn.__annotations__)
    parameters = dict(zip(names, (run, records, *args), strict=False)) | kwargs
    result = run_task(
        publisher,
        parameters={name: quote(value) for name, value in parameters.items()},
        dependencies={'records': {TaskRunResult(id=task_run) for task_run in upstream}},
    )
    return cast(R, result)


def _publisher(function: Callable[P, R]) -> Task[P, R]:
    name = function.__name__.replace('_', '-')
    return task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(
        function
    )


@_publisher
def draw_training(run: Run, records: Sequence[Record]) -> None:
    """Log the training curves in the MLflow run of text training, if this run has trained."""
    (trained,) = records
    if not trained.cached:
        history = read_json(trained.path('text_model') / 'history.json')
        curves = metric_curves({'': by_metric(history)}, ('train/', 'validation/'), 'Training')
        run.tracker.of(trained.run_id).text(curves, 'training_curves.svg')


@_publisher
def publish_metrics(
    run: Run, records: Sequence[Record], metrics: dict[str, dict[str, Any]]
) -> None:
    """Show the metrics in Prefect, and log them on the run of the pipeline."""
    rows = [{'metric': name, **metric} for name, metric in sorted(metrics.items())]
    create_table_artifact(rows, key=METRICS_ARTIFACT, description='Metrics and their references')
    tracker = run.tracker
    if tracker.uri.startswith('http'):
        create_link_artifact(_run_address(tracker), link_text='MLflow run', key='mlflow-run')
    tracker.pipeline().metrics(
        {name: f['value'] for name, f in metrics.items() if f['value'] is not None}
    )
    columns = ('metric', 'value', 'reference', 'reference_name')
    tracker.pipeline().table(
        {column: [row[column] for row in rows] for column in columns}, 'metrics.json'
    )


@_publisher
def publish_selection(run: Run, records: Sequence[Record]) -> None:
    """Show which candidate table the rule picked, and by which metrics."""
    (selected,) = records
    content = read_json(selected.path('selection'))
    set_tags(run.tracker, {'table': content['champion']})
    reasons = [
        f'{verdict["challenger"]} against {verdict["incumbent"]}: {verdict["reason"]}'
        for verdict in content['verdicts']
    ]
    text = f'Table picked: {content["champion"]}. ' + ' '.join(reasons)
    _table(content['comparisons'], SELECTION_ARTIFACT, text, run)


@_publisher
def promote_bundle_of_run(
    run: Run, records: Sequence[Record], contender: Contender, promotion: PromotionConfig
) -> Outcome:
    """Promote the bundle if it is better than the one in use, and show how that was decided."""
    outcome = promote_run(
        run.root,
        run.tracker,
        contender,
        promotion_rule(promotion),
        model=promotion.model,
        force=promotion.force,
    )
    set_tags(
        run.tracker,
        {'promoted': str(outcome.promoted).lower(), 'promotion.reason': outcome.reason},
    )
    _table(outcome.rows, PROMOTION_ARTIFACT, outcome.reason, run)
    return outcome


@_publisher
def publish_report(run: Run, records: Sequence[Record], outcome: Outcome | None) -> Path:
    """Write the report and the map to the artifact root, log them, and link them in Prefect.

    Args:
        run: the pipeline run, whose own MLflow run gets the files.
        records: of the report, and of the map, which is written next to it so that the link holds.
        outcome: of the promotion; None where nothing was to be promoted.

    Returns:
        the page, which the next run under this root replaces.
    """
    report, atlas = records
    tracker = run.tracker
    page = run.root / PAGE
    html = complete(
        report.path('report').read_text(encoding='utf-8'),
        promotion=None if outcome is None else asdict(outcome),
        map_href=MAP,
    )
    with atomic_file(page) as temporary:
        temporary.write_text(html, encoding='utf-8')
    with atomic_file(run.root / MAP) as temporary:
        copyfile(atlas.path('atlas'), temporary)
    for file in (page, run.root / MAP):
        tracker.pipeline().artifact(file)
    verdict = report.facts['verdict']
    set_tags(tracker, {'verdict': verdict})
    link = page.as_uri()
    if tracker.uri.startswith('http'):
        link = f'{_run_address(tracker)}/artifacts/{page.name}'
    create_link_artifact(link, link_text='Report of the run', key=REPORT_ARTIFACT)
    rows = [
        f'| {check["status"]} | {check["name"]} | {check["value"]:.3f} '
        f'| {check["against"]} {check["reference"]:.3f} |'
        for check in report.facts['checks']
    ]
    head = ['| check | metric | value | reference |', '|---|---|---|---|']
    create_markdown_artifact(
        '\n'.join([f'**{verdict.capitalize()}.** {report.facts["sentence"]}', '', *head, *rows]),
        key=CHECKS_ARTIFACT,
        description='What the report concludes',
    )
    return page


def _run_address(tracker: Tracker) -> str:
    return f'{tracker.uri}/#/experiments/{tracker.experiment_id}/runs/{tracker.parent_run_id}'


def _table(rows: list[dict[str, Any]], key: str, text: str, run: Run) -> None:
    """Log rows in MLflow and show them in Prefect; nothing where there are none."""
    if rows:
        create_table_artifact(rows, key=key, description=text)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        run.tracker.pipeline().table(columns, f'{key}.json')
