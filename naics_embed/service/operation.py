"""What runs beside the requests: another bundle, a candidate in shadow mode, jobs."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from naics_embed.service.engine import Engine
from naics_embed.service.jobs.routes import add_jobs
from naics_embed.service.jobs.runner import JobRunner
from naics_embed.service.jobs.store import JobStore
from naics_embed.service.operation_routes import add_operation
from naics_embed.service.reload import Reloader, Source
from naics_embed.service.running import Service
from naics_embed.service.shadow import Shadow

log = logging.getLogger(__name__)


class Operation:
    """The parts of a service that are off unless they are asked for."""

    def __init__(self, service: Service, source: Source | None) -> None:
        """Start nothing yet.

        Args:
            service: what answers.
            source: where another bundle comes from; None for a service that keeps its own.
        """
        self.service = service
        self.source = source
        config = service.config
        self.reloader = None if source is None else Reloader(service, source, config.reload)
        self.jobs: JobRunner | None = None
        if config.jobs.folder is not None:
            store = JobStore(Path(config.jobs.folder).expanduser(), config.jobs)
            self.jobs = JobRunner(store, service)
        service.after_loading.append(self._loaded)

    def add_routes(self, app: FastAPI) -> None:
        """Add the routes of what is on."""
        add_operation(app, self.service, self.reloader)
        if self.jobs is not None:
            add_jobs(app, self.service, self.jobs)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch, and listen for SIGHUP, while the app runs."""
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        handled = self._handle_signal()
        if self.reloader is not None:
            self._tasks.append(asyncio.create_task(self.reloader.watch()))
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            if handled:
                self._loop.remove_signal_handler(signal.SIGHUP)
            if self.reloader is not None:
                self.reloader.close()
            if self.jobs is not None:
                await asyncio.to_thread(self.jobs.close)

    def _handle_signal(self) -> bool:
        if self.reloader is None or threading.current_thread() is not threading.main_thread():
            return False
        self._loop.add_signal_handler(signal.SIGHUP, self._on_signal)
        return True

    def _on_signal(self) -> None:
        if self.reloader is not None and self.service.engine is not None:
            log.info('SIGHUP: looking for another bundle')
            self.reloader.ask()

    def _loaded(self) -> None:
        """Go on where the first bundle is loaded."""
        self._tasks.append(self._loop.create_task(self._prepare()))
        if self.jobs is not None:
            self.jobs.start()

    async def _prepare(self) -> None:
        engine = self.service.loaded()
        await asyncio.to_thread(engine.suggester)
        config = self.service.config
        if config.shadow.bundle is not None:
            path = Path(config.shadow.bundle).expanduser()
            loading = asyncio.create_task(
                asyncio.to_thread(Engine.load, path, config.map_stretch, config.questions)
            )
            await asyncio.wait({loading})
            if (error := loading.exception()) is not None:
                log.error('the candidate %s does not answer: %s', path, error)
                return
            self._begin_shadow(loading.result())

    def _begin_shadow(self, engine: Engine) -> None:
        config = self.service.config
        self.service.shadow = Shadow(engine, config.shadow, self.service.metrics, config.threads)
        log.info('%s answers too, and is compared', engine.coder.searcher.bundle.path)
