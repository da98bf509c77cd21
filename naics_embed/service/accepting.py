"""The server accepts connections itself, so that it never has more than its limit.

asyncio accepts all waiting connections before it serves any, and where the process may open no more
files it writes a traceback for each of thousands of attempts.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus

import uvicorn

from naics_embed.service.connections import Connection, Connections
from naics_embed.service.problems import ProblemError

log = logging.getLogger(__name__)

BURST = 32
"""Connections accepted in a turn of the event loop."""
PAUSE_S = 0.5
"""Seconds without accepting after the system refused to."""
BUSY = ProblemError(
    503,
    'the limit of connections is reached; try again later',
    headers={'Connection': 'close'},
)


class Acceptor:
    """Accepts connections; at the limit, a new one replaces one that waits for its client."""

    def __init__(
        self, listening: socket.socket, connections: Connections, make: Callable[[], Connection]
    ) -> None:
        """Begin at once, in the running event loop.

        Args:
            listening: the socket.
            connections: those that are open.
            make: returns the protocol of a new connection.
        """
        self.listening = listening
        self.connections = connections
        self.make = make
        self.loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._start()

    def close(self) -> None:
        """Accept no more."""
        if self._retry is not None:
            self._retry.cancel()
        self.loop.remove_reader(self.listening)
        self.listening.close()

    def _start(self) -> None:
        self.loop.add_reader(self.listening, self._accept)

    def _accept(self) -> None:
        for _ in range(BURST):
            try:
                accepted, _ = self.listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Most likely the system has no file left: give some back, and do not try again in
                # every turn of the event loop.
                log.warning('no connection can be accepted: %s', error)
                for _ in range(BURST):
                    self.connections.drop_oldest()
                self.loop.remove_reader(self.listening)
                self._retry = self.loop.call_later(PAUSE_S, self._start)
                return
            accepted.setblocking(False)
            if self._has_room():
                task = self.loop.create_task(self._serve(accepted, self.make()))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._refuse(accepted)

    def _has_room(self) -> bool:
        if not self.connections.is_full():
            return True
        log.warning(
            'there are %d connections, as many as there may be (service.max_connections); new ones '
            'replace those that have waited longest for their clients',
            self.connections.most,
        )
        return self.connections.drop_oldest()

    def _refuse(self, accepted: socket.socket) -> None:
        self.connections.metrics.dropped.labels('refused').inc()
        with accepted:
            try:
                accepted.send(_raw(BUSY))
            except OSError as error:
                log.debug('a refused client has gone: %s', error)

    async def _serve(self, accepted: socket.socket, connection: Connection) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError as error:
            log.debug('a client has gone at once: %s', error)
            connection.forget()
            accepted.close()


class Server(uvicorn.Server):
    """uvicorn's server with an `Acceptor`."""

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, connections: Connections
    ) -> None:
        """Accept nothing yet.

        Args:
            config: settings of uvicorn; its address is not used.
            listening: the socket; closed when the server stops.
            connections: those that are open.
        """
        super().__init__(config)
        self.listening = listening
        self.connections = connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # No socket for uvicorn: it would hand it to asyncio.
        await super().startup(sockets=[])
        self.acceptor = Acceptor(self.listening, self.connections, self._connection)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.acceptor.close()
        await super().shutdown(sockets)

    def _connection(self) -> Connection:
        return Connection(
            self.connections,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )


def _raw(problem: ProblemError) -> bytes:
    """Return an error as the bytes of a whole HTTP answer, for where no app is asked."""
    answer = problem.response()
    head = [f'HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}'.encode()]
    head += [b'%s: %s' % header for header in answer.raw_headers]
    return b'\r\n'.join([*head, b'', bytes(answer.body)])
