"""Connections: how many there may be, and how long a client may keep each waiting.

uvicorn closes a connection that is idle between requests, and no other: one that sends nothing, or
its headers byte by byte, or does not read the answer, would stay open for ever.
"""

import asyncio
from collections import OrderedDict
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from naics_embed.service.metrics import Metrics


class Connections:
    """Those that are open, and which of them wait for their client, the longest first."""

    def __init__(
        self, most: int, header_timeout_s: float, write_timeout_s: float, metrics: Metrics
    ) -> None:
        """Hold none.

        Args:
            most: most at a time.
            header_timeout_s: seconds until the headers of a request must be there.
            write_timeout_s: seconds until a client must have taken what is sent.
            metrics: counts what is closed here, and shows how many are open.
        """
        self.most = most
        self.header_timeout_s = header_timeout_s
        self.write_timeout_s = write_timeout_s
        self.metrics = metrics
        self.open: set[Connection] = set()
        self.waiting: OrderedDict[Connection, None] = OrderedDict()
        metrics.connections.set_function(lambda: len(self.open))

    def is_full(self) -> bool:
        """Whether there are as many as there may be."""
        return len(self.open) >= self.most

    def drop_oldest(self) -> bool:
        """Close the one that has waited longest for its client; False where none waits."""
        for connection in self.waiting:
            connection.drop('replaced')
            return True
        return False


class Connection(H11Protocol):
    """uvicorn's protocol with deadlines.

    A deadline is for the whole of the headers, or of an answer: a byte now and then moves none.
    """

    def __init__(self, connections: Connections, **settings: Any) -> None:
        """Make a connection that is counted as open.

        Args:
            connections: the others.
            settings: those of uvicorn's protocol.
        """
        super().__init__(**settings)
        self.group = connections
        self._header_deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        connections.open.add(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        super().connection_made(transport)
        # So pause_writing says that something is left to send, however little.
        transport.set_write_buffer_limits(high=0)
        self._start_header_deadline()
        self.group.waiting[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.forget()
        super().connection_lost(exc)

    def forget(self) -> None:
        """Count it no more."""
        self._stop_header_deadline()
        self._stop_write_deadline()
        self.group.open.discard(self)
        self.group.waiting.pop(self, None)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._lacks_request() and self._header_deadline is None:
            self._start_header_deadline()
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(
                self.group.write_timeout_s, self.drop, 'write'
            )
        self._follow()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_deadline()
        self._follow()

    def drop(self, reason: str) -> None:
        """Close it now, with what is not sent yet."""
        self.group.metrics.dropped.labels(reason).inc()
        # The connection stops counting now; its file closes in the next turn of the event loop.
        self.forget()
        self.transport.abort()

    def _should_upgrade(self) -> bool:
        # uvicorn would write two warnings for each request that asks for a WebSocket.
        return False

    def _lacks_request(self) -> bool:
        """Whether the headers of the next request are not there."""
        return self.cycle is None or self.cycle.response_complete

    def _follow(self) -> None:
        """Note whether the client or the service is to act next."""
        if self.transport.is_closing():
            return
        lacking = self._lacks_request()
        if not lacking:
            self._stop_header_deadline()
        if lacking or self.cycle.more_body or self.flow.write_paused:
            self.group.waiting.setdefault(self)
        else:
            self.group.waiting.pop(self, None)

    def _start_header_deadline(self) -> None:
        self._header_deadline = self.loop.call_later(
            self.group.header_timeout_s, self.drop, 'header'
        )

    def _stop_header_deadline(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _stop_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
