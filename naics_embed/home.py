"""The home directory of the user, which containers and services may lack."""

from pathlib import Path

from naics_embed.errors import UserError

NO_HOME = 'Could not determine home directory'
"""What Python says of a user without HOME and without an entry in /etc/passwd."""
REMEDY = 'export HOME=FOLDER, with a folder that you can write to'


def home_folder() -> Path | None:
    """Return the home directory; None where there is none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def in_home(path: str | Path) -> Path | None:
    """Return a path whose ``~`` is replaced; None where that needs a home and there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return None


def home_error(error: RuntimeError) -> UserError | None:
    """Return the error to show for one of Python about a missing home directory, or None."""
    if NO_HOME not in str(error):
        return None
    return UserError(
        'there is no home directory: HOME is not set, and this user has no entry in /etc/passwd, '
        f'or a path names a ~user who does not exist; {REMEDY}, or write paths without ~'
    )
