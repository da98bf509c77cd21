"""Telling others that a batch is closed."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from naics_embed.config.review import ReviewConfig
from naics_embed.review.batches import Batch, progress, tell
from naics_embed.review.statistics import error_rate
from naics_embed.review.store import Store
from naics_embed.review.webhook import Delivery, deliver


def tell_closed(store: Store, batch: Batch, config: ReviewConfig) -> Delivery | None:
    """Send the message of a closed batch to its webhook, and keep what became of it.

    Args:
        store: of the batch.
        batch: closed.
        config: tries and timeouts.

    Returns:
        What became of it; None where the batch has no webhook.

    Raises:
        UserError: the secret is not set.
    """
    if batch.webhook is None:
        return None
    content = store.read(lambda connection: closed_message(connection, batch))
    delivery = deliver(batch.webhook, content, config)
    facts = asdict(delivery)
    store.write(lambda connection: tell(connection, batch.id, None, 'webhook', facts))
    return delivery


def closed_message(connection: Connection, batch: Batch) -> dict[str, Any]:
    """Return the message: what was decided, and what the audit says; no text."""
    return {
        'event': 'batch.closed',
        'batch': batch.name,
        'source': batch.source,
        'bundle': batch.bundle,
        'progress': asdict(progress(connection, batch.id)),
        'errors': asdict(error_rate(connection, batch)),
    }
