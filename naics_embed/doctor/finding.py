"""What a check found. Reports are sent to others, so addresses are shown without passwords."""

import enum
from dataclasses import asdict, dataclass
from typing import Any

from naics_embed.redaction import redacted


class Level(enum.StrEnum):
    """Severity: nothing to do, a warning, or a failure."""

    OK = 'ok'
    WARN = 'warn'
    FAIL = 'fail'


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        subject: what was checked.
        level: severity.
        found: what was found.
        remedy: what to do about it; empty where nothing needs to be done.
    """

    subject: str
    level: Level
    found: str
    remedy: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), 'level': self.level.value}


def ok(subject: str, found: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(subject, Level.OK, redacted(found))


def warn(subject: str, found: str, remedy: str) -> Finding:
    """Return a warning."""
    return Finding(subject, Level.WARN, redacted(found), remedy)


def fail(subject: str, found: str, remedy: str) -> Finding:
    """Return a failure."""
    return Finding(subject, Level.FAIL, redacted(found), remedy)


def size_text(size: float) -> str:
    """Return bytes for people: ``1.3 GiB``."""
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if size < 1024:
            return f'{size:.0f} {unit}' if unit == 'B' else f'{size:.1f} {unit}'
        size /= 1024
    return f'{size:.1f} TiB'
