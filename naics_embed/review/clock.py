"""The time, in UTC."""

from datetime import UTC, datetime, timedelta

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when a claim holds whose user has decided."""


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def after(seconds: float) -> datetime:
    """Return the time in some seconds."""
    return now() + timedelta(seconds=seconds)
