"""The monitor flow: coded texts against earlier ones, on a schedule, with an event for an alarm."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.checked import Text, checked_flow
from flows.configuration import artifact_root, configured
from flows.tracked_run import tracked_run
from naics_embed.cli.review_options import check_installed
from naics_embed.errors import UserError
from tasks.monitoring import CodedFiles, announce, monitor_files, write_metrics

ALL = 'all'


@checked_flow(name='monitor', flow_run_name='monitor', retries=0)
def monitor(
    sources: list[Text],
    reference: list[Text] | None = None,
    time_column: str | None = None,
    text_column: str | None = None,
    prefix: str = 'naics_',
    every: str = 'week',
    subject: str = 'coded',
    prometheus: str | None = None,
    fail: bool = False,
    profile: str = 'cpu',
    overrides: list[Text] | None = None,
    config_folder: str | None = None,
) -> dict[str, Any]:
    """Compare coded texts with earlier ones, window by window; announce what the last one changes.

    Args:
        sources: tables that ``code`` or ``code-batch`` has written, observations of the service,
            or folders of them.
        reference: the same, of a time at which all was well; labelled texts of the bundle in use
            where None.
        time_column: column of dates or times, ISO 8601.
        text_column: column of texts, for their length and unknown words.
        prefix: of the columns that coding has added.
        every: ``day``, ``week``, ``month`` or ``all``.
        subject: name of what is monitored, in the event.
        prometheus: file for metrics of the last window, read by the textfile collector.
        fail: whether the flow fails on an alarm in the last window.
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``monitoring.psi=0.2``.
        config_folder: directory with ``base.yaml``; the checkout's ``configs`` where None.
    """
    config = configured(config_folder, profile, overrides)
    root = artifact_root(config)
    if not sources:
        raise UserError('name coded tables or observations in sources')
    files = CodedFiles(
        tuple(Path(source).absolute() for source in sources),
        tuple(Path(source).absolute() for source in reference or ()),
        prefix,
        text_column,
        time_column,
        None if every == ALL else every,
    )
    auditing = config.monitoring.audit_fraction > 0
    if auditing:
        check_installed()
        from tasks.audit_sample import check_audit

        check_audit(files, subject)
    params = {'sources': ', '.join(map(str, files.paths)), 'every': every, 'subject': subject}
    with tracked_run(config, profile, params, name='monitor') as tracker:
        result = monitor_files(tracker, root, files, config.monitoring)
        alarms = announce(result, subject)
        if prometheus is not None:
            write_metrics(result, Path(prometheus))
        summary = result.to_dict() | {'run_id': tracker.parent_run_id, 'last_alarms': alarms}
        if auditing:
            from tasks.audit_sample import batch_name, queue_audit

            start = result.windows[-1].start
            queued = queue_audit(
                root,
                batch_name(subject, start),
                files,
                start,
                config.monitoring,
                config.review,
            )
            summary['audit'] = asdict(queued)
        if alarms and fail:
            names = ', '.join(drift.name for drift in result.windows[-1].alarms)
            raise UserError(f'the last window has changed: {names}')
        return summary
