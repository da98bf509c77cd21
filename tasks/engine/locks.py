"""Locks between processes that free themselves when their holder dies.

Prefect's own file locks outlive a process that was killed and then hang the next run; the kernel
drops an ``flock`` with the process.

They reach the processes of one host, on a local disk. NFS passes them on where both hosts mount it
without ``nolock`` or ``local_lock``; other network file systems may keep them to one host, and a
bucket (``platform.remote_cache``) knows none. Where a lock does not reach, both hosts compute the
stage. That wastes time and damages nothing: each writes into a directory of its own and renames it;
outputs of one key have the same content, the last one stays, and a record that does not match its
files is computed again (docs/platform.md, Where locks do not reach).
"""

import asyncio
import fcntl
import hashlib
import os
import time
from pathlib import Path
from typing import Any

from prefect.locking.protocol import LockManager

POLL_S = 0.1


class FlockLockManager(LockManager):
    """A Prefect lock manager on ``flock``: one file a key, held by the process."""

    def __init__(self, directory: Path) -> None:
        """Keep the lock files in ``directory``, made when first needed."""
        self.directory = Path(directory)
        self._held: dict[str, tuple[int, str]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> 'FlockLockManager':
        return self

    def __reduce__(self) -> tuple[type['FlockLockManager'], tuple[Path]]:
        return FlockLockManager, (self.directory,)

    def _path(self, key: str) -> Path:
        return self.directory / f'{hashlib.sha256(key.encode()).hexdigest()[:32]}.lock'

    def _try(self, key: str, holder: str) -> bool:
        if key in self._held:
            return self._held[key][1] == holder
        self.directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path(key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._held[key] = (descriptor, holder)
        return True

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Take the lock, waiting up to ``acquire_timeout`` seconds; for ever where None.

        ``hold_timeout`` has no effect: the lock lasts until release or the end of the process.
        """
        end = None if acquire_timeout is None else time.monotonic() + acquire_timeout
        while not self._try(key, holder):
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(POLL_S)
        return True

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Like `acquire_lock`, without blocking the event loop."""
        end = None if acquire_timeout is None else time.monotonic() + acquire_timeout
        while not self._try(key, holder):
            if end is not None and time.monotonic() >= end:
                return False
            await asyncio.sleep(POLL_S)
        return True

    def release_lock(self, key: str, holder: str) -> None:
        """Give the lock back. Raises ValueError where ``holder`` does not hold it."""
        if not self.is_lock_holder(key, holder):
            raise ValueError(f'{holder} holds no lock for {key}')
        descriptor, _ = self._held.pop(key)
        os.close(descriptor)

    def is_locked(self, key: str) -> bool:
        """Whether anybody holds the lock."""
        if key in self._held:
            return True
        if not self._path(key).exists():
            return False
        descriptor = os.open(self._path(key), os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Whether ``holder`` in this process holds the lock."""
        return key in self._held and self._held[key][1] == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until nobody holds the lock; False after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.is_locked(key):
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(POLL_S)
        return True

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Like `wait_for_lock`, without blocking the event loop."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.is_locked(key):
            if end is not None and time.monotonic() >= end:
                return False
            await asyncio.sleep(POLL_S)
        return True
