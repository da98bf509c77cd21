"""Warnings that a client can cause by the thousand, written once in a while."""

import logging
import time
from collections.abc import Callable

EVERY_S = 30.0


class RareWarnings(logging.Filter):
    """Lets each warning of a logger through once in some seconds, with how many were left out."""

    def __init__(
        self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Leave nothing out yet.

        Args:
            every_s: seconds.
            clock: returns the time in seconds.
        """
        super().__init__()
        self.every_s = every_s
        self.clock = clock
        self._written: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written. Errors always are, for each has a cause of its own."""
        if record.levelno != logging.WARNING:
            return True
        message, now = str(record.msg), self.clock()
        last = self._written.get(message)
        if last is not None and now - last < self.every_s:
            self._left_out[message] = self._left_out.get(message, 0) + 1
            return False
        self._written[message] = now
        if left_out := self._left_out.pop(message, 0):
            record.msg = f'{message} ({left_out} more since the last such line)'
        return True
