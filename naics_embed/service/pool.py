"""A bounded pool of threads: so much runs, so much waits, the rest is refused at once."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar('T')


class BusyError(Exception):
    """All workers are busy and the queue is full."""


class SlowError(Exception):
    """The work did not end in time."""


class WorkerPool:
    """Threads that run the model for coroutines of one event loop."""

    def __init__(self, workers: int | None, threads: int, queue: int, timeout_s: float) -> None:
        """Start no thread yet.

        Args:
            workers: threads; None for the number of cores.
            threads: torch threads of each.
            queue: calls that may wait.
            timeout_s: seconds for a call, waiting included.
        """
        self.workers = workers or os.cpu_count() or 1
        self.timeout_s = timeout_s
        self._room = threading.BoundedSemaphore(self.workers + queue)
        self._executor = ThreadPoolExecutor(
            self.workers, 'naics-model', torch.set_num_threads, (threads,)
        )

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Return ``work(*arguments)`` from a thread.

        Raises:
            BusyError: there is no room.
            SlowError: the time is over. A call that runs already keeps its place until it ends.
        """
        if not self._room.acquire(blocking=False):
            raise BusyError
        future = self._executor.submit(work, *arguments)
        future.add_done_callback(lambda _: self._room.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.timeout_s)
        except TimeoutError as error:
            if future.done() and not future.cancelled():
                # Raised by the work itself, or the answer came in the last moment.
                return future.result()
            raise SlowError from error

    def close(self) -> None:
        """Take no more work, and drop what waits."""
        self._executor.shutdown(wait=False, cancel_futures=True)
