"""Spans of requests by OpenTelemetry; loaded only where traces are asked for.

A span has method, route and status, never an address with its query or a text. A caller's trace
goes on (W3C Trace Context). Where spans go is in the variables of OpenTelemetry.
"""

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from naics_embed import __version__
from naics_embed.errors import UserError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SERVICE = 'naics-embed'
FAULT = 500


def otlp_provider() -> 'TracerProvider':
    """Return what sends spans by OTLP over HTTP, in batches, from a thread of its own.

    Raises:
        UserError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UserError(
            f"{error.name} is missing: pip install 'naics-embed[telemetry]', or set "
            'service.logs.traces=false'
        ) from error
    resource = Resource.create({'service.name': SERVICE, 'service.version': __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Tracing:
    """An ASGI app around another one: a span for each request."""

    def __init__(self, app: ASGIApp, provider: 'TracerProvider') -> None:
        """Wrap ``app``."""
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.app = app
        self.provider = provider
        self.tracer = provider.get_tracer(SERVICE, __version__)
        self.propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request within a span, or pass on what is none."""
        if scope['type'] == 'lifespan':
            try:
                await self.app(scope, receive, send)
            finally:
                self.provider.shutdown()
            return
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode

        headers = {
            name.decode('latin-1'): value.decode('latin-1') for name, value in scope['headers']
        }
        status = FAULT

        async def answer(message: Message) -> None:
            nonlocal status
            if message['type'] == 'http.response.start':
                status = message['status']
            await send(message)

        method = scope['method']
        with self.tracer.start_as_current_span(
            method, context=self.propagator.extract(headers), kind=SpanKind.SERVER
        ) as span:
            trace_id = span.get_span_context().trace_id
            scope['state'] = {**scope.get('state', {}), 'trace_id': f'{trace_id:032x}'}
            await self.app(scope, receive, answer)
            route = getattr(scope.get('route'), 'path', None)
            if route is not None:
                span.update_name(f'{method} {route}')
                span.set_attribute('http.route', route)
            span.set_attribute('http.request.method', method)
            span.set_attribute('http.response.status_code', status)
            request_id = scope['state'].get('request_id')
            if request_id is not None:
                span.set_attribute('naics_embed.request_id', request_id)
            if status >= FAULT:
                span.set_status(Status(StatusCode.ERROR))
