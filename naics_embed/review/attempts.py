"""A limit on wrong passwords."""

import threading
import time
from collections import deque
from collections.abc import Callable

MOST_NAMES = 10_000
"""Names and addresses that are remembered."""


class Attempts:
    """Counts wrong passwords by name and by address. Safe to share between threads.

    Example:
        >>> attempts = Attempts(1, 60.0)
        >>> attempts.wrong('user:ann')
        >>> attempts.wait_s('user:ann') > 0, attempts.wait_s('user:bob')
        (True, 0.0)
    """

    def __init__(
        self, most: int, window_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Remember nothing.

        Args:
            most: wrong passwords in the window after which more are refused.
            window_s: seconds.
            clock: returns the time in seconds.
        """
        self.most = most
        self.window_s = window_s
        self.clock = clock
        self._wrong: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, *keys: str) -> float:
        """Return how many seconds sign-in is refused, 0 where it is not."""
        with self._lock:
            return max(self._wait_s(key) for key in keys)

    def wrong(self, *keys: str) -> None:
        """Count a wrong password."""
        with self._lock:
            for key in keys:
                times = self._wrong.pop(key, deque(maxlen=self.most))
                times.append(self.clock())
                self._wrong[key] = times
            while len(self._wrong) > MOST_NAMES:
                del self._wrong[next(iter(self._wrong))]

    def right(self, *keys: str) -> None:
        """Forget the wrong passwords."""
        with self._lock:
            for key in keys:
                self._wrong.pop(key, None)

    def _wait_s(self, key: str) -> float:
        times = self._wrong.get(key)
        if times is None or len(times) < self.most:
            return 0.0
        return max(0.0, times[0] + self.window_s - self.clock())
