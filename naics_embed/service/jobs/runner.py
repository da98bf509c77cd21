"""The thread that codes files, beside the requests."""

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from naics_embed.errors import UserError
from naics_embed.search.bulk import code_file, open_job
from naics_embed.service.engine import Engine
from naics_embed.service.jobs.deployment import COMPLETED, Deployment, collect, rows_coded
from naics_embed.service.jobs.record import (
    CANCELLED,
    DONE,
    ENDED,
    FAILED,
    RUNNING,
    Job,
    now,
)
from naics_embed.service.jobs.store import JobStore
from naics_embed.service.running import Service
from naics_embed.service.torch_threads import use_threads
from naics_embed.tabular.counting import rows_about

log = logging.getLogger(__name__)

EXPIRE_EVERY_S = 60.0
REMOTE = 8
"""Runs of a deployment that are followed at a time."""


class StoppedError(Exception):
    """The job was cancelled, or the service stops."""


class JobRunner:
    """Codes the files of jobs, one after the other, and follows the runs of a deployment."""

    def __init__(
        self, store: JobStore, service: Service, deployment: Deployment | None = None
    ) -> None:
        """Start no thread yet.

        Args:
            store: the jobs.
            service: whose engine codes.
            deployment: what codes large files; by default what the configuration names.

        Raises:
            UserError: a deployment is named, but no server.
        """
        self.store = store
        self.service = service
        self.config = store.config
        if deployment is None and self.config.deployment is not None:
            deployment = Deployment(self.config.deployment)
        self.deployment = deployment
        self._stopping = threading.Event()
        self._local = ThreadPoolExecutor(1, 'naics-jobs', use_threads, (service.config.threads,))
        self._remote = ThreadPoolExecutor(REMOTE, 'naics-runs')
        self._expired = time.monotonic()

    def start(self) -> None:
        """Go on with the jobs of an earlier process, once the bundle is loaded."""
        for job in self.store:
            if job.state not in ENDED:
                self._submit(job)

    def add(self, job: Job) -> None:
        """Code the file of a new job when its turn has come."""
        if self.service.engine is not None:
            self._submit(job)

    def check(self, job: Job, folder: Path) -> Job:
        """Return a job with what its file says. Raises UserError where it cannot be coded.

        Args:
            job: a job that is not yet kept.
            folder: where its file is.
        """

        table = open_job(job.file_job(folder, self.config.part_rows))
        return replace(job, total=rows_about(table), notes=tuple(table.notes))

    def cancel(self, job: Job) -> None:
        """Stop a job, or remove one that has ended."""
        with self.store.lock:
            if job.state in ENDED:
                self.store.remove(job)
                return
            running = job.state == RUNNING
            job.state, job.ended = CANCELLED, now()
            self.store.save(job)
        if job.flow_run is not None and self.deployment is not None:
            self.deployment.cancel(job.flow_run)
        if not running:
            self.store.clear(job)

    def expire(self) -> None:
        """Remove jobs whose time is over, once in a while."""
        if time.monotonic() - self._expired >= EXPIRE_EVERY_S:
            self._expired = time.monotonic()
            gone = self.store.expire()
            if gone:
                log.info('%d jobs have expired', gone)

    def close(self) -> None:
        """Stop after the part that is being coded; the rest is coded by the next process."""
        self._stopping.set()
        self._local.shutdown(cancel_futures=True)
        self._remote.shutdown(cancel_futures=True)
        if self.deployment is not None:
            self.deployment.close()

    def _submit(self, job: Job) -> None:
        large = job.flow_run is not None or (
            self.deployment is not None
            and job.total is not None
            and job.total >= self.config.large_rows
            and job.options.plain_dialect
        )
        executor = self._remote if large else self._local
        future = executor.submit(self._run, job, large)
        future.add_done_callback(partial(self._log_bug, job))

    def _log_bug(self, job: Job, done: 'Future[None]') -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error('job %s failed', job.id, exc_info=error)
            self._end(job, FAILED, 'this is a fault of the service; its log has the reason')

    def _run(self, job: Job, large: bool) -> None:
        engine = self.service.engine
        with self.store.lock:
            if job.state == CANCELLED or self._stopping.is_set() or engine is None:
                return
            # Parts that another bundle coded are coded again.
            restart = job.bundle not in (None, engine.bundle)
            job.state, job.started = RUNNING, job.started or now()
            job.bundle = job.bundle if large and job.bundle else engine.bundle
            self.store.save(job)
        start = time.perf_counter()
        try:
            if large:
                self._follow(job, engine)
            else:
                self._code(job, engine, restart=restart)
        except StoppedError:
            if job.state == CANCELLED:
                self.store.clear(job)
                log.info('job %s cancelled', job.id, extra={'job': job.id})
            return
        except UserError as error:
            self._end(job, FAILED, job.message(error, self.store.folder_of(job)))
            log.warning('job %s failed: %s', job.id, error, extra={'job': job.id})
            return
        if job.state == CANCELLED:
            self.store.clear(job)
            return
        self._end(job, DONE)
        self.store.keep_result(job)
        log.info(
            'job %s done: %d rows, %d could not be read, %.1f s, %s to %s, %s',
            *(job.id, job.rows, job.bad, time.perf_counter() - start),
            *(job.source.partition('.')[2], job.result.partition('.')[2]),
            'by the deployment' if large else 'here',
            extra={'job': job.id, 'key': job.owner},
        )

    def _code(self, job: Job, engine: Engine, *, restart: bool) -> None:
        def progress(rows: int) -> None:
            job.rows = rows
            if self._stopping.is_set() or job.state == CANCELLED:
                raise StoppedError

        folder = self.store.folder_of(job)
        report = code_file(
            engine.coder,
            job.file_job(folder, self.config.part_rows),
            restart=restart,
            force=True,
            report=progress,
        )
        job.rows, job.bad = report.rows, report.bad

    def _follow(self, job: Job, engine: Engine) -> None:
        """Start a run of the deployment, or go on with it, and fetch its result."""
        if self.deployment is None:
            raise UserError('the deployment that coded it is not configured any more')
        folder = self.store.folder_of(job)
        if job.flow_run is None:
            bundle = engine.coder.searcher.bundle.path
            job.flow_run = self.deployment.start(job, folder, bundle)
            self.store.save(job)
        while not (state := self.deployment.state(job.flow_run)).ended:
            if self._stopping.wait(self.config.poll_s) or job.state == CANCELLED:
                raise StoppedError
            job.rows, job.bad = rows_coded(folder)
        if job.state == CANCELLED:
            raise StoppedError
        if state.type != COMPLETED:
            raise UserError(f'its flow run {job.flow_run} is {state.type}: {state.message}')
        job.rows, job.bad = rows_coded(folder)
        collect(job, folder)

    def _end(self, job: Job, state: str, error: str | None = None) -> None:
        with self.store.lock:
            if job.state in ENDED:
                return
            job.state, job.ended, job.error = state, now(), error
            self.store.save(job)
