"""How far a batch is, as values and as lines."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from naics_embed.review.batches import Batch, progress
from naics_embed.review.statistics import agreement, error_rate, shares


def batch_status(connection: Connection, batch: Batch) -> dict[str, Any]:
    """Return how far a batch is, what audit and double coding say, and who has done what."""
    return {
        'name': batch.name,
        'state': batch.state,
        'source': batch.source,
        'bundle': batch.bundle,
        'threshold': batch.threshold,
        'order': batch.order,
        'progress': asdict(progress(connection, batch.id)),
        'errors': asdict(error_rate(connection, batch)),
        'agreement': [asdict(one) for one in agreement(connection, batch)],
        'reviewers': [asdict(one) for one in shares(connection, batch)],
    }


def status_lines(facts: dict[str, Any]) -> list[str]:
    """Return the status of a batch, a fact a line."""
    rows, errors = facts['progress'], facts['errors']
    lines = [
        f'{facts["name"]} ({facts["state"]}): {facts["source"]}, {rows["rows"]:,} rows',
        f'  settled by people: {rows["done"]:,} of {rows["people"]:,}; open {rows["open"]:,}, '
        f'conflicts {rows["conflicts"]:,}',
        f'  accepted automatically: {errors["accepted"]:,} rows ({errors["automation"]:.1%})',
    ]
    if errors['audited']:
        lines.append(
            f'  wrong among these: {errors["rate"]:.1%} of {errors["audited"]:,} audited, '
            f'{errors["low"]:.1%} to {errors["high"]:.1%} of all (95 %); '
            f'{errors["pending"]:,} of the audit are open'
        )
    elif errors['pending']:
        lines.append(f'  the audit has {errors["pending"]:,} rows, none decided')
    measured = [one for one in facts['agreement'] if one['kappa'] is not None]
    if measured:
        shown = ', '.join(f'{one["level"]} digits {one["kappa"]:.2f}' for one in measured)
        lines.append(f"  Cohen's κ of {measured[0]['items']:,} pairs: {shown}")
    lines += [
        f'  {one["user"]}: {one["decided"]:,} decided, {one["first"]:,} as the first suggestion'
        for one in facts['reviewers']
    ]
    return lines
