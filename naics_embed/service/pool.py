"""A bounded pool of threads: some calls run, some wait, the rest is refused at once.

Calls of one kind that wait at the same time share one pass of the model (dynamic batching): a pass
reads all weights once, however many texts it is for. No call waits for others to join it.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from naics_embed.errors import UserError
from naics_embed.service.torch_threads import use_threads

T = TypeVar('T')


class BusyError(Exception):
    """All workers are busy and the queue is full."""


class SlowError(Exception):
    """The work did not end in time."""


@dataclass
class _Call:
    """A call that may be answered together with others of its kind."""

    kind: Hashable
    items: Sequence[Any]
    work: Callable[[list[Any]], list[Any]]
    finish: Callable[[list[Any]], Any]
    future: Future[Any] = field(default_factory=Future)

    def answer(self, results: list[Any]) -> None:
        self.future.set_result(self.finish(results))

    def alone(self) -> None:
        """Answer this call, or set its error."""
        try:
            self.answer(self.work(list(self.items)))
        except UserError as error:
            self.future.set_exception(error)


class WorkerPool:
    """Threads that run the model for coroutines of one event loop."""

    def __init__(
        self, workers: int | None, threads: int, queue: int, timeout_s: float, most: int
    ) -> None:
        """Start no thread yet.

        Args:
            workers: threads; None for half of the cores, at least one: all read the same weights
                through the same memory, and calls that wait share a pass anyway.
            threads: torch threads of each.
            queue: calls that may wait.
            timeout_s: seconds for a call, waiting included.
            most: items of a pass that several calls share.
        """
        self.workers = workers or max(1, (os.cpu_count() or 1) // 2)
        self.timeout_s = timeout_s
        self.most = most
        self._free = threading.BoundedSemaphore(self.workers + queue)
        self._executor = ThreadPoolExecutor(self.workers, 'naics-model', use_threads, (threads,))
        self._waiting: deque[_Call] = deque()
        self._lock = threading.Lock()

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Return ``work(*arguments)`` from a thread.

        Raises:
            BusyError: the queue is full.
            SlowError: the time is over. A call that is running counts until it ends.
        """
        self._enter()
        return await self._answer(self._executor.submit(work, *arguments))

    async def run_together(
        self,
        kind: Hashable,
        items: Sequence[Any],
        work: Callable[[list[Any]], list[Any]],
        finish: Callable[[list[Any]], T],
    ) -> T:
        """Return ``finish(work(items))`` from a thread, in one pass with calls that wait too.

        Args:
            kind: calls with an equal one do the same work and may be joined.
            items: what the work is for, each item by itself.
            work: returns one result an item, in order. Where it raises a UserError, joined calls
                are answered one by one, so that each gets only its own error.
            finish: makes the answer of this call from the results of its items.

        Raises:
            BusyError, SlowError: as `run`.
        """
        self._enter()
        call = _Call(kind, items, work, finish)
        with self._lock:
            self._waiting.append(call)
        taken: list[_Call] = []
        # As many jobs as calls: one that finds its call answered already has nothing to do.
        job = self._executor.submit(self._serve, taken)
        job.add_done_callback(lambda job: _hand_over(job, taken))
        return await self._answer(call.future)

    def close(self) -> None:
        """Take no more work, and drop what waits."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for call in self._waiting:
                call.future.cancel()

    def _enter(self) -> None:
        if not self._free.acquire(blocking=False):
            raise BusyError

    async def _answer(self, future: Future[T]) -> T:
        future.add_done_callback(lambda _: self._free.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.timeout_s)
        except TimeoutError as error:
            if future.done() and not future.cancelled():
                # Raised by the work itself, or the answer came in the last moment.
                return future.result()
            raise SlowError from error

    def _serve(self, taken: list[_Call]) -> None:
        """Answer the call that has waited longest, and those that may go with it."""
        with self._lock:
            taken += self._next()
        if len(taken) > 1:
            try:
                results = taken[0].work([item for call in taken for item in call.items])
            except UserError:
                results = None
            if results is not None:
                start = 0
                for call in taken:
                    call.answer(results[start : start + len(call.items)])
                    start += len(call.items)
                return
        for call in taken:
            call.alone()

    def _next(self) -> list[_Call]:
        taken: list[_Call] = []
        left: list[_Call] = []
        space = 0
        for call in self._waiting:
            fits = not taken or (call.kind == taken[0].kind and len(call.items) <= space)
            if not fits:
                left.append(call)
            elif call.future.set_running_or_notify_cancel():
                space = (space if taken else self.most) - len(call.items)
                taken.append(call)
        self._waiting = deque(left)
        return taken


def _hand_over(job: Future[None], taken: list[_Call]) -> None:
    """Set the error of a job on its calls."""
    error = None if job.cancelled() else job.exception()
    if error is not None:
        for call in taken:
            if not call.future.done():
                call.future.set_exception(error)
