"""Task: compare coded texts with earlier ones, log the result, and raise an event for an alarm."""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.config.monitoring import MonitoringConfig
from naics_embed.monitoring.compare import Monitoring, monitor
from naics_embed.monitoring.files import read_files
from naics_embed.monitoring.page import render_monitoring, title_of
from naics_embed.monitoring.prometheus import prometheus_text
from naics_embed.monitoring.reference import reference_of_bundle
from naics_embed.search.coder import Coder
from tasks.engine.tracking import Tracker

EVENT = 'naics-embed.drift'
"""Name of the event of an alarm, to which an automation of Prefect can react."""
ARTIFACT = 'drift'
PAGE = 'drift.html'


@dataclass(frozen=True)
class CodedFiles:
    """Coded texts, and what they are compared with.

    Attributes:
        paths: tables that ``code`` has written, observations, or folders of them.
        reference: the same, of a time at which all was well; labelled texts of the bundle where
            there are none.
        prefix: of the columns of the answers.
        text_column: of the tables.
        time_column: of the tables.
        every: length of a window; None for one.
    """

    paths: tuple[Path, ...]
    reference: tuple[Path, ...]
    prefix: str
    text_column: str | None
    time_column: str | None
    every: str | None


@task(name='monitor', task_run_name='monitor', persist_result=False, cache_policy=NO_CACHE)
def monitor_files(
    tracker: Tracker, root: Path, files: CodedFiles, settings: MonitoringConfig
) -> Monitoring:
    """Return what has changed; log index, means and the page to MLflow."""
    coder = None
    if not files.reference or files.text_column is not None:
        coder = Coder.load(promoted_bundle(root))
    read = partial(read_files, prefix=files.prefix, text_column=files.text_column, coder=coder)
    observed = read(files.paths, time_column=files.time_column)
    if files.reference:
        before = read(files.reference)
        named = ', '.join(path.name for path in files.reference)
    else:
        assert coder is not None
        before = reference_of_bundle(coder, settings.reference_rows)
        named = 'labelled texts of the bundle'
    result = monitor(observed, before, settings, every=files.every, named=named)
    run = tracker.pipeline()
    for step, window in enumerate(result.windows):
        values = {f'drift/{drift.name.replace(" ", "_")}': drift.psi for drift in window.drifts}
        for name in ('confidence', 'coded', 'familiarity', 'unknown_words'):
            mean = getattr(window, name)
            if mean is not None:
                values[f'monitor/{name}'] = mean
        run.metrics(values, step=step)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / PAGE
        names = ', '.join(path.name for path in files.paths)
        page.write_text(render_monitoring(result, names), encoding='utf-8')
        run.artifact(page)
    create_table_artifact(
        key=ARTIFACT,
        table=[
            {
                'window': title_of(window),
                'texts': window.rows,
                'alarms': ', '.join(drift.name for drift in window.alarms) or 'none',
            }
            for window in result.windows
        ],
        description='Coded texts against the reference, window by window',
    )
    return result


def announce(result: Monitoring, subject: str) -> int:
    """Raise an event of Prefect for each quantity in alarm in the last window; return how many."""
    window = result.windows[-1]
    for drift in window.alarms:
        emit_event(
            EVENT,
            resource={
                'prefect.resource.id': f'naics-embed.monitor.{subject}',
                'prefect.resource.name': subject,
            },
            payload={
                'quantity': drift.name,
                'psi': drift.psi,
                'by_chance': drift.by_chance,
                'window': title_of(window),
                'texts': window.rows,
                'largest': [list(change) for change in drift.largest],
            },
        )
    return len(window.alarms)


def write_metrics(result: Monitoring, path: Path) -> None:
    """Write metrics of the last window for the textfile collector of Prometheus."""
    partial = path.with_name(f'.{path.name}.part')
    partial.write_text(prometheus_text(result), encoding='utf-8')
    partial.replace(path)
