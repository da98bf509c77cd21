"""Error messages for a disk that is full, that cannot be written, or that fails."""

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from naics_embed.errors import DiskError, DiskFullError

FULL = ('No space left on device', 'Disk quota exceeded', 'database or disk is full')
"""Texts in the errors of libraries with exceptions of their own: safetensors, polars, SQLite."""
READ_ONLY = ('Read-only file system', 'attempt to write a readonly database')
FAILING = ('Input/output error', 'disk I/O error')
DENIED = (errno.EACCES, errno.EPERM)
LEAST_BYTES = 2**18
"""With less than this on its disk, a database that fails to write has run out of space."""


def disk_error(error: BaseException, path: object = None) -> DiskError | None:
    """Return the error to show a user in place of one that a disk causes, or None.

    Args:
        error: with all that it was raised from or while handling.
        path: what was being written, for errors that do not name a file.
    """
    for one in chain(error):
        named = one.filename if isinstance(one, OSError) else None
        disk = f'the disk of {named or path}' if named or path else 'a disk'
        message = str(one)
        if any(words in message for words in FULL):
            return _full(disk, certain=named is not None)
        if any(words in message for words in READ_ONLY):
            return DiskError(
                f'{disk} cannot be written, it is read-only; name a folder on another disk '
                '(NAICS_EMBED_HOME or runtime.root for artifacts, PREFECT_HOME for the history of '
                'runs), or have it mounted for writing'
            )
        failing = next((words for words in FAILING if words in message), None)
        if failing is not None:
            # SQLite raises the same where there is no space for its journal.
            if (named or path) and free_bytes(Path(str(named or path))) < LEAST_BYTES:
                return _full(disk, certain=True)
            return DiskError(
                f'{disk} fails ({failing}): it may be broken, or a network file system that went '
                'away; look at df and at the log of the system'
            )
    if isinstance(error, OSError) and error.errno in DENIED and error.filename:
        return DiskError(
            f'{error.filename}: {error.strerror}; change its permissions, or name another path'
        )
    return None


def _full(disk: str, *, certain: bool) -> DiskFullError:
    other = '' if certain else ', or on that of the temporary files'
    return DiskFullError(f'no space left on {disk}{other}; make room and run again')


def free_bytes(path: Path) -> int:
    """Return the bytes that are free on the disk of a path, which need not exist yet."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and what was being handled meanwhile."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [linked for linked in (one.__cause__, one.__context__) if linked is not None]
