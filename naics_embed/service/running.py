"""The engine once it is loaded, and the threads that run it, for all requests of an app."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel

from naics_embed.classifications.names import NAICS2022
from naics_embed.config.service import ServiceConfig
from naics_embed.service import answers
from naics_embed.service.answer_log import AnswerLog
from naics_embed.service.engine import Engine
from naics_embed.service.extras import Wanted
from naics_embed.service.metrics import Metrics
from naics_embed.service.pool import BusyError, SlowError, WorkerPool
from naics_embed.service.problems import ProblemError
from naics_embed.service.shadow import Shadow

log = logging.getLogger(__name__)

JSON = 'application/json'
RETRY_AFTER_S = '1'
T = TypeVar('T')


class Service:
    """The engine once it is loaded, the threads that run it, and what is counted."""

    def __init__(self, config: ServiceConfig, load: Callable[[], Engine]) -> None:
        """Load nothing yet."""
        self.config = config
        self.load = load
        self.metrics = Metrics()
        self.engine: Engine | None = None
        self.failure: BaseException | None = None
        self.shadow: Shadow | None = None
        folder = config.logs.answers
        self.answer_log = (
            None
            if folder is None
            else AnswerLog(Path(folder).expanduser(), texts=config.logs.answer_texts)
        )
        self.loaded_at: str | None = None
        self.after_loading: list[Callable[[], object]] = []
        self._begun = time.monotonic()

    @property
    def loading_s(self) -> float:
        """Seconds since the app began to load."""
        return time.monotonic() - self._begun

    async def run(self, work: Callable[[Engine], T]) -> T:
        """Return ``work(engine)`` from a thread of the pool.

        Raises:
            ProblemError: the engine is not loaded, the queue is full, or it took too long.
        """
        engine = self.loaded()
        return await self._limited(self.pool.run(work, engine))

    async def code(
        self,
        texts: list[str],
        k: int,
        level: int,
        confidence: float,
        evidence: int,
        wanted: Wanted,
    ) -> Response:
        """Return codes for texts, in one pass with waiting requests of the same options.

        Raises:
            ProblemError: as `run`.
        """
        engine = self.loaded()

        def work(joined: list[str]) -> list[answers.CodedText]:
            self.metrics.passes.observe(len(joined))
            return engine.code(joined, k, level, confidence, evidence, wanted).answers

        def finish(coded: list[answers.CodedText]) -> Response:
            self._log(engine, coded, wanted)
            if self.shadow is not None and not wanted.replies:
                self.shadow.offer(texts, coded, level, wanted.classification)
            return json_answer(answers.CodeAnswer(answers=coded, provenance=engine.origin()))

        # Replies are about one text, which must not be joined with others; nor are requests from
        # before and after a change of the bundle.
        alone = object() if wanted.replies else None
        kind = (engine.bundle, k, level, confidence, evidence, wanted._replace(replies=()), alone)
        return await self._limited(self.pool.run_together(kind, texts, work, finish))

    def searched(
        self, engine: Engine, query: str, k: int, level: int, confidence: float, wanted: Wanted
    ) -> answers.SearchAnswer:
        """Return what an engine finds, and log it where that is wanted; see `Engine.search`."""
        found = engine.search(query, k, level, confidence, wanted)
        self._log(engine, [] if found.answer is None else [found.answer], wanted)
        return found

    def _log(self, engine: Engine, given: list[answers.CodedText], wanted: Wanted) -> None:
        # Codes of other classifications cannot be compared with those of the reference.
        if self.answer_log is not None and given and wanted.classification == NAICS2022:
            self.answer_log.write(engine.coder, given)

    def use(self, engine: Engine) -> Engine | None:
        """Use an engine for the requests that begin from now on; return the one before."""
        old, self.engine = self.engine, engine
        self.loaded_at = datetime.now(UTC).isoformat(timespec='seconds')
        self.metrics.bundle.clear()
        self.metrics.bundle.labels(engine.bundle).set(1)
        self.metrics.ready.set(1)
        if self.shadow is not None and self.shadow.engine is engine:
            # The candidate has been promoted.
            self.shadow.close()
            self.shadow = None
        log.info('ready: %s', engine.coder.searcher.bundle.path)
        return old

    def loaded(self) -> Engine:
        """Return the engine in use. Raises ProblemError where none is loaded."""
        if self.engine is None:
            self.metrics.refused.labels('loading').inc()
            loading = f'the model is loading, for {self.loading_s:.0f} s'
            detail = loading if self.failure is None else 'the model did not load'
            raise ProblemError(503, detail, headers={'Retry-After': RETRY_AFTER_S})
        return self.engine

    async def _limited(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except BusyError as error:
            self.metrics.refused.labels('busy').inc()
            raise ProblemError(
                503,
                'all workers are busy; try again later',
                headers={'Retry-After': RETRY_AFTER_S},
            ) from error
        except SlowError as error:
            self.metrics.refused.labels('timeout').inc()
            raise ProblemError(
                504,
                f'no answer within {self.config.timeout_s:g} s; send fewer texts in a request',
            ) from error

    @asynccontextmanager
    async def running(
        self, on_failure: Callable[[BaseException], None], on_ready: Callable[[float], None]
    ) -> AsyncIterator[None]:
        """Load the engine beside the first requests, and stop the threads at the end."""
        config = self.config
        self.pool = WorkerPool(
            config.workers, config.threads, config.queue, config.timeout_s, config.batch_texts
        )
        # Not kept once it has ended: its result is the engine, whose memory is to be freed one day.
        pending = {asyncio.create_task(asyncio.to_thread(self.load))}

        def loaded(task: 'asyncio.Task[Engine]') -> None:
            pending.discard(task)
            if task.cancelled():
                return
            self.failure = task.exception()
            if self.failure is not None:
                on_failure(self.failure)
                return
            self.use(task.result())
            on_ready(self.loading_s)
            for follow in self.after_loading:
                follow()

        for task in tuple(pending):
            task.add_done_callback(loaded)
        del task
        try:
            yield
        finally:
            for waiting in pending:
                waiting.cancel()
            if self.shadow is not None:
                self.shadow.close()
            self.pool.close()


def json_answer(answer: BaseModel) -> Response:
    """Return an answer as JSON."""
    return Response(answer.model_dump_json(), media_type=JSON)
