"""A tracking database or server that cannot be used: found early, reported in one sentence."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from naics_embed.disk import chain, disk_error
from naics_embed.errors import TrackingError, UserError
from naics_embed.sqlite_address import sqlite_file

ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, OSError)
"""What MLflow raises, and what writing beside it does."""
DAMAGED = (
    'file is not a database',
    'database disk image is malformed',
    'malformed database schema',
)
UNREACHABLE = 'unable to open database file'
NO_ANSWER = 'API request to '
REFUSED = (401, 403)
ANSWER_TRIES = 5
ANSWER_S = 10.0
ANSWER_PAUSE_S = 2.0


def check_tracking(uri: str, tries: int = ANSWER_TRIES) -> None:
    """Ask a tracking server for its health, or open the database; MLflow itself tries for minutes.

    Args:
        uri: MLflow tracking URI.
        tries: how often a server is asked, which may be about to start.

    Raises:
        TrackingError: no server answers, or the database is damaged or cannot be opened.
        DiskError: the disk of the database fails.
    """
    if uri.startswith('http'):
        _check_server(uri, tries)
    elif database_file(uri) is not None:
        with clear_tracking_errors(uri):
            _check_file(Path(str(database_file(uri))))


def database_file(uri: str) -> Path | None:
    """Return the file of a SQLite database, None for other trackers."""
    return sqlite_file(uri)


@contextmanager
def clear_tracking_errors(uri: str) -> Iterator[None]:
    """Raise a clear error where the tracker's disk, file or server explains a failure."""
    try:
        yield
    except ERRORS as error:
        explained = tracking_error(error, uri)
        if explained is None:
            raise
        raise explained from error


def tracking_error(error: BaseException, uri: str) -> UserError | None:
    """Return a clear error for an error of a tracker; None where the cause is not known."""
    file = database_file(uri)
    on_disk = disk_error(error, file)
    if on_disk is not None:
        return on_disk
    if isinstance(error, OSError):
        return None
    for one in chain(error):
        if _says_damaged(one):
            return TrackingError(
                f'the tracking database {file or uri} is damaged ({_reason(one)}); put a copy of '
                'it back, or move it away and run again: runs are logged to a new one, and '
                'neither stages nor tables nor bundles are in it'
            )
        if UNREACHABLE in str(one):
            return TrackingError(
                f'the tracking database {file or uri} cannot be opened: its folder is missing, or '
                'it may not be read and written by you; correct tracking.uri or '
                'MLFLOW_TRACKING_URI, or unset both'
            )
    if isinstance(error, MlflowException) and uri.startswith('http'):
        if error.get_http_status_code() in REFUSED:
            return refused(uri)
        if str(error).startswith(NO_ANSWER) and 'failed with exception' in str(error):
            return TrackingError(
                f'the MLflow server {uri} stopped answering; start it and run again: finished '
                'stages are kept'
            )
    return None


def is_damaged(error: BaseException) -> bool:
    """Whether a database that is damaged is the reason of an error."""
    return any(_says_damaged(one) for one in chain(error))


def refused(uri: str) -> TrackingError:
    """Return the error of a server that asks for a user and a password."""
    return TrackingError(
        f'the MLflow server {uri} asks for a user and a password, or refuses those given: set '
        'MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD'
    )


def _check_server(uri: str, tries: int) -> None:
    for attempt in range(tries):
        try:
            # Any answer will do: a proxy may want a password here, and its refusal is clear.
            requests.get(f'{uri.rstrip("/")}/health', timeout=ANSWER_S)
        except requests.RequestException as error:
            reason = error
            if attempt + 1 < tries:
                time.sleep(ANSWER_PAUSE_S * attempt)
        else:
            return
    raise TrackingError(
        f'the MLflow server {uri} gives no answer ({reason}); start it, or correct tracking.uri or '
        'MLFLOW_TRACKING_URI; without both, runs are kept in a file under runtime.root'
    ) from reason


def _check_file(file: Path) -> None:
    """Read the schema of a database that exists; a lock on it will pass."""
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(f'{file.absolute().as_uri()}?mode=rw', uri=True)) as database:
            database.execute('select count(*) from sqlite_master').fetchall()
    except sqlite3.OperationalError as error:
        if 'locked' not in str(error):
            raise


def _says_damaged(error: BaseException) -> bool:
    return any(words in str(error) for words in DAMAGED)


def _reason(error: BaseException) -> str:
    """The database's own words, without the statement that SQLAlchemy adds."""
    return str(getattr(error, 'orig', None) or error).splitlines()[0]
