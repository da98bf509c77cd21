"""Middleware of the app: access, a bounded body, security headers, and metrics."""

import asyncio
import logging
import re
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from naics_embed.config.service import ServiceConfig
from naics_embed.service.access import Access
from naics_embed.service.gate import Gate
from naics_embed.service.gzip_body import plain_body, too_large
from naics_embed.service.map_page import refusal
from naics_embed.service.metrics import Metrics
from naics_embed.service.problems import ProblemError

log = logging.getLogger(__name__)

HEADERS = {
    'Content-Security-Policy': (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
}
REQUEST_ID = 'X-Request-ID'
WITHOUT_BODY = frozenset({'GET', 'HEAD', 'OPTIONS'})
METHODS = WITHOUT_BODY | {'POST', 'PUT', 'PATCH', 'DELETE'}
REASONS = {
    400: 'encoding',
    403: 'origin',
    408: 'timeout',
    413: 'size',
    415: 'encoding',
    421: 'host',
}
CORS_METHODS = ('GET', 'HEAD', 'POST', 'DELETE')
STREAMED = frozenset({('POST', '/v1/jobs')})
"""Requests whose body the route reads itself."""
GOOD_ID = re.compile(rb'[A-Za-z0-9._-]{1,64}')
"""Ids of requests that are taken over from the client."""


class Guard:
    """An ASGI app around another one."""

    def __init__(self, app: ASGIApp, config: ServiceConfig, metrics: Metrics) -> None:
        """Wrap ``app``."""
        self.app = app
        self.config = config
        self.metrics = metrics
        self.access = Access(config)
        self.gate = None if config.keys.file is None else Gate(config.keys)
        self.streamed = frozenset() if config.jobs.folder is None else STREAMED
        self.bounded: ASGIApp = self._bounded
        if origins := self.access.cors_origins():
            self.bounded = CORSMiddleware(
                self._bounded,
                allow_origins=origins,
                allow_methods=CORS_METHODS,
                allow_headers=(
                    *('Content-Type', 'Content-Encoding', 'Authorization', 'X-API-Key'),
                    REQUEST_ID,
                ),
                expose_headers=('Retry-After', REQUEST_ID),
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        scope['state'] = {**scope.get('state', {}), 'request_id': _request_id(scope)}
        start = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message['type'] == 'http.response.start':
                status = message['status']
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault('Cache-Control', 'no-store')
                headers[REQUEST_ID] = scope['state']['request_id']
            await send(message)

        self.metrics.running.inc()
        try:
            try:
                self.access.check(scope)
                if self.gate is not None:
                    self.gate.check(scope)
            except ProblemError as problem:
                await self._refuse(problem, scope, receive, answer)
            else:
                await self.bounded(scope, receive, answer)
        finally:
            self.metrics.running.dec()
            # A method or path that nobody serves must not become a label of its own.
            route = getattr(scope.get('route'), 'path', None) or 'none'
            method = scope['method'] if scope['method'] in METHODS else 'other'
            self.metrics.requests.labels(method, route, str(status)).inc()
            seconds = time.perf_counter() - start
            self.metrics.seconds.labels(route).observe(seconds)
            if self.config.logs.requests:
                _log_request(scope, method, route, status, seconds)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope['path'].removeprefix(scope.get('root_path', ''))
        if (scope['method'], path) in self.streamed:
            await self.app(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive)
        except ProblemError as problem:
            await self._refuse(problem, scope, receive, send)
            return
        inner = {**scope, 'headers': _without_encoding(scope['headers'])}
        if scope['method'] == 'HEAD':
            # Every route that answers GET answers HEAD: the same headers, no body.
            inner['method'] = 'GET'
            send = _without_body(send)
        await self.app(inner, body, send)
        if 'route' in inner:
            scope['route'] = inner['route']

    async def _refuse(
        self, problem: ProblemError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.metrics.refused.labels(problem.reason or REASONS[problem.status]).inc()
        await refusal(problem, scope)(scope, receive, send)

    async def _body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body whole, and return a `receive` that gives it again."""
        if scope['method'] in WITHOUT_BODY:
            return receive
        limit = self.config.max_body_bytes
        for name, value in scope['headers']:
            if name == b'content-length' and value.isdigit() and int(value[:20]) > limit:
                raise too_large(limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.config.body_timeout_s):
                more = True
                while more:
                    message = await receive()
                    if message['type'] != 'http.request':
                        return _given(message, receive)
                    parts.append(message.get('body', b''))
                    size += len(parts[-1])
                    more = message.get('more_body', False)
                    if size > limit:
                        raise too_large(limit)
        except TimeoutError as error:
            raise ProblemError(
                408,
                f'the body did not arrive within {self.config.body_timeout_s:g} s',
                headers={'Connection': 'close'},
            ) from error
        encoding = dict(scope['headers']).get(b'content-encoding', b'').decode('latin-1')
        plain = plain_body(b''.join(parts), encoding, limit)
        return _given({'type': 'http.request', 'body': plain, 'more_body': False}, receive)


def _request_id(scope: Scope) -> str:
    """Return the id that the client gave, where it may be shown, or a new one."""
    for name, value in scope['headers']:
        if name == b'x-request-id' and GOOD_ID.fullmatch(value):
            return str(value, 'ascii')
    return uuid.uuid4().hex


def _log_request(scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
    state = scope['state']
    log.info(
        '%s %s %d %.1f ms, request %s',
        *(method, route, status, 1000 * seconds, state['request_id']),
        extra={
            'request_id': state['request_id'],
            'method': method,
            'route': route,
            'status': status,
            'seconds': round(seconds, 6),
            'key': state.get('key'),
            'trace_id': state.get('trace_id'),
        },
    )


def _given(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _without_body(send: Send) -> Send:
    async def passed_on(message: Message) -> None:
        if message['type'] == 'http.response.body':
            message = {**message, 'body': b''}
        await send(message)

    return passed_on


def _without_encoding(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers as they fit the uncompressed body; its length is not needed any more."""
    if not any(name == b'content-encoding' for name, _ in headers):
        return headers
    gone = (b'content-encoding', b'content-length')
    return [(name, value) for name, value in headers if name not in gone]
