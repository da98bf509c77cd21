"""What a check found; people send it to others, so addresses are shown without passwords."""

import enum
from dataclasses import asdict, dataclass
from typing import Any

from naics_embed.redaction import redacted


class Level(enum.StrEnum):
    """How bad it is: fine, worth knowing, or in the way."""

    OK = 'ok'
    WARN = 'warn'
    FAIL = 'fail'


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        subject: what was looked at.
        level: how bad it is.
        found: what was found.
        mend: what to do about it; empty where nothing need be done.
    """

    subject: str
    level: Level
    found: str
    mend: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), 'level': self.level.value}


def ok(subject: str, found: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(subject, Level.OK, redacted(found))


def warn(subject: str, found: str, mend: str) -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(subject, Level.WARN, redacted(found), mend)


def fail(subject: str, found: str, mend: str) -> Finding:
    """Return a finding that is in the way."""
    return Finding(subject, Level.FAIL, redacted(found), mend)


def size_text(size: float) -> str:
    """Return bytes for people: ``1.3 GiB``."""
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if size < 1024:
            return f'{size:.0f} {unit}' if unit == 'B' else f'{size:.1f} {unit}'
        size /= 1024
    return f'{size:.1f} TiB'
