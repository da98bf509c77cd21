"""Task: queue a sample of automatic codes for people; needs the extra ``review``."""

from datetime import datetime
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.config.monitoring import MonitoringConfig
from naics_embed.config.review import ReviewConfig
from naics_embed.monitoring.audit_sample import check_auditable, draw_audit
from naics_embed.review.audit_sample import AuditBatch, add_audit, check_name
from naics_embed.review.store import Store
from naics_embed.search.coder import Coder
from tasks.monitoring import CodedFiles
from tasks.review_store import store_under


def batch_name(subject: str, start: datetime | None = None) -> str:
    """Return the name of the batch of a window. Raises UserError where it cannot be one."""
    return check_name(f'audit-{subject}' + ('' if start is None else f'-{start:%Y-%m-%d}'))


def check_audit(files: CodedFiles, subject: str) -> None:
    """Raise UserError where nothing can be drawn or kept, before any work."""
    check_auditable(files.paths, files.text_column)
    batch_name(subject)


@task(name='audit', task_run_name='audit', persist_result=False, cache_policy=NO_CACHE)
def queue_audit(
    root: Path,
    name: str,
    files: CodedFiles,
    start: datetime | None,
    settings: MonitoringConfig,
    review: ReviewConfig,
) -> AuditBatch:
    """Draw from the automatic codes of a window, and queue the sample in the review.

    Args:
        root: artifact root, whose promoted bundle suggests further codes.
        name: of the batch.
        files: the coded files.
        start: of the window; None for all rows.
        settings: how much is drawn.
        review: how much reviewers see.
    """
    assert files.text_column is not None
    drawn = draw_audit(
        files.paths,
        text_column=files.text_column,
        fraction=settings.audit_fraction,
        prefix=files.prefix,
        time_column=files.time_column,
        start=start,
        every=files.every,
        seed=settings.audit_seed,
    )
    if not drawn.rows:
        return AuditBatch(None, 0, 0, drawn.accepted)
    store = Store.open(store_under(root, review))
    try:
        return add_audit(
            store,
            Coder.load(promoted_bundle(root)),
            name,
            drawn,
            double_fraction=review.double_fraction,
            count=review.suggestions,
            evidence=review.evidence,
        )
    finally:
        store.close()
