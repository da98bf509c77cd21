"""Errors that a user can act on.

Every message names the file, row, column or key at fault and what to do about it. The command
line prints them as one paragraph and exits with status 2; anything else is a bug and keeps its
traceback.
"""

from naics_embed.redaction import redacted


class UserError(Exception):
    """Something the user can fix: an input, an option, a missing file.

    The message is kept without the users, passwords and tokens of addresses.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(redacted(arg) if isinstance(arg, str) else arg for arg in args))


class ConfigError(UserError):
    """A configuration key or value is wrong."""


class SourceError(UserError):
    """A source of codes or texts is missing, unreachable or has the wrong structure."""


class MissingPackageError(UserError):
    """An optional package that is not installed is needed."""


class ArtifactError(UserError):
    """A stored artifact is missing, altered or was written by an incompatible version."""


class CodeError(UserError, ValueError):
    """A string is not a code of this vintage of NAICS."""


class TrackingError(UserError):
    """The tracking database or server cannot be used."""


class DiskError(UserError):
    """A disk cannot be written, or fails."""


class DiskFullError(DiskError):
    """A disk has no space left."""


class OrchestrationError(UserError):
    """Prefect's server or its database cannot be used."""


class RemoteRunError(UserError):
    """A flow run on another host did not complete."""


class BatchError(UserError):
    """Some partitions of a data set could not be coded."""


class HealthError(UserError):
    """Training left the range in which its numbers can be trusted."""
