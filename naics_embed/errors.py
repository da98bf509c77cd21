"""Errors that a user can act on.

Every message names the file, row, column or key at fault and what to do about it. The command
line prints them as one paragraph and exits with status 2; anything else is a bug and keeps its
traceback.
"""


class UserError(Exception):
    """Something the user can mend: an input, an option, a missing file."""


class ConfigError(UserError):
    """A configuration key or value is wrong."""


class SourceError(UserError):
    """A source of codes or texts is missing, unreachable or has the wrong structure."""


class ArtifactError(UserError):
    """A stored artifact is missing, altered or was written by an incompatible version."""


class CodeError(UserError, ValueError):
    """A string is not a code of this vintage of NAICS."""


class TrackingError(UserError):
    """The tracking server gives no answer."""


class RemoteRunError(UserError):
    """A flow run on another host did not complete."""


class BatchError(UserError):
    """Some partitions of a data set could not be coded."""


class HealthError(UserError):
    """Training left the range in which its numbers can be trusted."""
