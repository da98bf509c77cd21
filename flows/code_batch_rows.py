"""What people read of a partition: a line of the table, and why it failed."""

import distributed

from naics_embed.errors import UserError
from naics_embed.search.partitions import PartitionReport


def row_of(
    name: str, done: dict[str, PartitionReport], failed: dict[str, str]
) -> dict[str, str | int | float | None]:
    """One line of the table that people read."""
    report = done.get(name)
    if report is None:
        empty = {'rows': None, 'bad': None, 'seconds': None, 'rows_per_s': None}
        return {'partition': name, 'state': 'failed', **empty, 'reason': failed[name], 'notes': ''}
    return {
        'partition': name,
        'state': 'kept' if report.kept else 'coded',
        'rows': report.rows,
        'bad': report.bad,
        'seconds': round(report.seconds, 2),
        'rows_per_s': None if report.kept else round(report.rows / report.seconds, 1),
        'reason': '',
        'notes': '; '.join(report.notes),
    }


def reason_of(error: BaseException | None) -> str:
    """Return why a partition failed, in words."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, distributed.KilledWorker):
        return f'{error.allowed_failures + 1} workers died over it: not enough memory?'
    return f'{type(error).__name__}: {error}'
