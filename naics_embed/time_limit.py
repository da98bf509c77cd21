"""Calls that end in time, whatever they wait for, and budgets of time."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TypeVar

T = TypeVar('T')


class TimeLimitError(Exception):
    """A call took longer than it may."""


class TimeBudget:
    """Seconds that something may take; what comes of it may add to them.

    Args:
        seconds: how many, from now on.
        name: the setting that they come from, for messages.
        least_rate: units a second below which it is too slow: each unit that comes adds
            ``1 / least_rate`` seconds. None where nothing is added.
    """

    def __init__(self, seconds: float, name: str, least_rate: float | None = None) -> None:
        self.seconds = seconds
        self.name = name
        self._rate = math.inf if least_rate is None else least_rate
        self._end = time.monotonic() + seconds

    def received(self, count: int) -> None:
        """Add the time for this many units."""
        self._end += count / self._rate

    def left(self) -> float:
        """Return the seconds that are left, negative where they are over."""
        return self._end - time.monotonic()

    def __str__(self) -> str:
        return f'within {self.seconds:g} s ({self.name})'


def call_within(function: Callable[[], T], left: Callable[[], float]) -> T:
    """Call a function in a thread of its own, and wait no longer than the seconds left.

    Time-outs of sockets do not bound a name server that is silent, an address of many hosts, or an
    answer that comes byte by byte. A call that took too long is left to itself: its thread cannot
    be ended, but does not keep the process from ending. What it returns is dropped.

    Args:
        function: what to call; its context variables are those of the caller.
        left: returns the seconds left; called again when they are over, as they may have grown.

    Raises:
        TimeLimitError: it took longer. What the function raises is raised here.
    """
    if left() <= 0:
        raise TimeLimitError('no time is left')
    outcome: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 raised by the caller's thread
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    threading.Thread(target=run, name='call-within', daemon=True).start()
    while not outcome.done():
        seconds = left()
        if seconds <= 0:
            raise TimeLimitError('no answer in time')
        wait([outcome], timeout=seconds)
    return outcome.result()
