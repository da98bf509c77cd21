"""A new bundle without a restart: loaded beside the old one, tested, and only then used.

Requests under way keep the engine they began with. Where the new bundle cannot be loaded or fails
its test, the old one stays.
"""

import asyncio
import ctypes
import gc
import logging
import sys
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from naics_embed.bundle.promotion import (
    POINTER,
    artifact_root,
    promoted_bundle,
    promotion_record,
)
from naics_embed.bundle.provenance import Provenance
from naics_embed.bundle.storage import Bundle
from naics_embed.config.operation import ReloadConfig
from naics_embed.errors import UserError
from naics_embed.service.engine import Engine
from naics_embed.service.running import Service
from naics_embed.service.self_test import check_engine

log = logging.getLogger(__name__)

SWITCHED, SAME, REFUSED = 'switched', 'same', 'refused'
"""Outcomes: another bundle is used now; it is the one in use; it was refused, the old one stays."""
RELEASE_S = 1.0
"""Seconds between looks whether the old bundle is still used by a request."""


@dataclass(frozen=True)
class Source:
    """Where the bundle of a service comes from.

    Attributes:
        path: returns the directory of the bundle that is to be used.
        load: loads it.
        watched: file whose change means that another bundle may have been promoted; None for a
            bundle that was named.
        accepted: called with each engine that is going to be used, in the thread that loaded it.
    """

    path: Callable[[], Path]
    load: Callable[[Path], Engine]
    watched: Path | None = None
    accepted: Callable[[Engine], None] | None = None

    @classmethod
    def promoted(
        cls,
        load: Callable[[Path], Engine],
        first: Path,
        accepted: Callable[[Engine], None] | None = None,
        root: Path | None = None,
    ) -> 'Source':
        """Return the bundle that is promoted under an artifact root; before that, ``first``."""
        folder = root or artifact_root()

        def path() -> Path:
            return first if promotion_record(folder) is None else promoted_bundle(folder)

        return cls(path, load, folder / POINTER, accepted)

    @classmethod
    def named(
        cls,
        load: Callable[[Path], Engine],
        path: Path,
        accepted: Callable[[Engine], None] | None = None,
    ) -> 'Source':
        """Return a bundle that stays where it is."""
        return cls(lambda: path, load, None, accepted)

    def first(self) -> Engine:
        """Load the bundle that is to be used when the service starts."""
        engine = self.load(self.path())
        self.accept(engine)
        return engine

    def accept(self, engine: Engine) -> None:
        """Say that an engine is going to be used."""
        if self.accepted is not None:
            self.accepted(engine)


@dataclass(frozen=True)
class Outcome:
    """What came of a reload.

    Attributes:
        result: switched, same or refused.
        detail: which bundle, or why not.
        time: when it ended, UTC.
        seconds: how long it took.
    """

    result: str
    detail: str
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec='seconds'))
    seconds: float = 0.0


class Reloader:
    """Puts a new bundle in the place of the one in use."""

    def __init__(self, service: Service, source: Source, config: ReloadConfig) -> None:
        """Watch nothing yet."""
        self.service = service
        self.source = source
        self.config = config
        self.last: Outcome | None = None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        self._stamp = self._stamp_now()

    async def watch(self) -> None:
        """Reload whenever another bundle is promoted, until cancelled."""
        if self.config.watch_s is None or self.source.watched is None:
            return
        while True:
            await asyncio.sleep(self.config.watch_s)
            stamp = self._stamp_now()
            if stamp != self._stamp and self.service.engine is not None:
                self._stamp = stamp
                await self.reload()

    def ask(self) -> None:
        """Reload soon; for a signal."""
        self._keep(asyncio.get_running_loop().create_task(self.reload()))

    async def reload(self) -> Outcome:
        """Load what is to be used now, test it, and use it; one reload at a time.

        Never raises for a bundle that cannot be used: the outcome says why, and so does the log.
        """
        async with self._lock:
            start = time.perf_counter()
            task = asyncio.create_task(asyncio.to_thread(self._prepared))
            await asyncio.wait({task})
            error = task.exception()
            seconds = time.perf_counter() - start
            if error is not None:
                outcome = Outcome(REFUSED, str(error) or repr(error), seconds=seconds)
                log.error(
                    'the bundle in use stays, for another one was refused: %s',
                    outcome.detail,
                    exc_info=None if isinstance(error, UserError) else error,
                )
            else:
                engine = task.result()
                if engine is None:
                    outcome = Outcome(SAME, 'it is in use already', seconds=seconds)
                else:
                    outcome = Outcome(SWITCHED, engine.provenance.bundle, seconds=seconds)
                    self._switch(engine)
            self.last = outcome
            self.service.metrics.reloads.labels(outcome.result).inc()
            return outcome

    def close(self) -> None:
        """Stop what runs."""
        for task in self._tasks:
            task.cancel()

    def _prepared(self) -> Engine | None:
        """Return the new engine, tested; None where it is the one in use. Runs in a thread."""
        path = self.source.path()
        used = self.service.engine
        found = Provenance.of(Bundle.load(path, verify=False)).bundle
        if used is not None and found == used.provenance.bundle:
            return None
        log.info('loading %s beside the bundle in use', path)
        shadow = self.service.shadow
        if shadow is not None and found == shadow.engine.provenance.bundle:
            engine = shadow.engine
        else:
            engine = self.source.load(path)
        passed = check_engine(engine, self.config.self_test_texts, self.config.self_test_accuracy)
        log.info('%s: %d of %d known texts right', path, passed.right, passed.texts)
        engine.suggester()
        self.source.accept(engine)
        return engine

    def _switch(self, engine: Engine) -> None:
        old = self.service.use(engine)
        if old is not None:
            self._keep(asyncio.get_running_loop().create_task(_released(weakref.ref(old))))

    def _keep(self, task: 'asyncio.Task[object]') -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stamp_now(self) -> tuple[int, int, int] | None:
        if self.source.watched is None:
            return None
        with suppress(FileNotFoundError):
            status = self.source.watched.stat()
            return status.st_ino, status.st_mtime_ns, status.st_size
        return None


async def _released(old: 'weakref.ref[Engine]') -> None:
    """Give the memory of a bundle back to the system once no request uses it."""
    while old() is not None:
        await asyncio.sleep(RELEASE_S)
        await asyncio.to_thread(gc.collect)
    await asyncio.to_thread(_trim)
    log.info('the memory of the bundle before is free')


def _trim() -> None:
    """Let the allocator give free memory back, where it can be asked to."""
    if sys.platform == 'linux':
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
