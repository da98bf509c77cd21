"""Lines of JSON, a line a request, and spans; none of them has a text."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fastapi.testclient import TestClient

from naics_embed.config.operation import LogsConfig
from naics_embed.service.app import create_app
from naics_embed.service.json_log import JsonFormatter
from naics_embed.service.tracing import Tracing, otlp_provider
from tests.service.service_help import CONFIG, wait_until

SECRET = 'a very private description'


def test_a_line_is_an_object_with_what_is_known():
    record = logging.LogRecord('a.b', logging.ERROR, '', 1, 'job %s', ('x',), None)
    record.job = 'x'
    line = json.loads(JsonFormatter().format(record))
    assert (line['level'], line['logger'], line['message']) == ('ERROR', 'a.b', 'job x')
    assert line['job'] == 'x'
    assert line['time'].endswith('+00:00')
    assert 'exception' not in line


def test_each_request_has_a_line_without_its_text(serve, caplog):
    client = serve(logs=LogsConfig(requests=True))
    with caplog.at_level(logging.INFO, logger='naics_embed'):
        answer = client.get('/v1/search', params={'q': SECRET})
    [line] = [r for r in caplog.records if getattr(r, 'route', None) == '/v1/search']
    assert line.request_id == answer.headers['x-request-id']
    assert (line.status, line.method) == (200, 'GET')
    assert SECRET not in caplog.text
    assert 'private' not in caplog.text


def test_without_the_option_no_request_has_a_line(client, caplog):
    with caplog.at_level(logging.INFO, logger='naics_embed'):
        client.get('/healthz')
    assert not [r for r in caplog.records if hasattr(r, 'route')]


@pytest.fixture
def collector():
    """A collector: takes spans as OTLP has them."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers['Content-Length']))
            if self.headers.get('Content-Encoding') == 'gzip':
                import gzip

                body = gzip.decompress(body)
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}', spans
    server.shutdown()
    server.server_close()


def test_spans_reach_a_collector_and_go_on_with_the_trace_of_the_client(
    engine, collector, monkeypatch
):
    address, spans = collector
    monkeypatch.setenv('OTEL_EXPORTER_OTLP_ENDPOINT', address)
    app = Tracing(create_app(CONFIG, lambda: engine), otlp_provider())
    trace = '0af7651916cd43dd8448eb211c80319c'
    with TestClient(app) as client:
        wait_until(lambda: client.get('/readyz').status_code == 200)
        client.get(
            '/v1/search',
            params={'q': SECRET},
            headers={'traceparent': f'00-{trace}-b7ad6b7169203331-01'},
        )
        client.get('/nothing')
    # The end of the app sends what waits.
    found = {span.name: span for span in spans}
    assert {'GET /v1/search', 'GET /readyz', 'GET'} <= set(found)
    span = found['GET /v1/search']
    assert span.trace_id.hex() == trace
    attributes = {one.key: one.value for one in span.attributes}
    assert attributes['http.response.status_code'].int_value == 200
    assert attributes['http.route'].string_value == '/v1/search'
    assert SECRET not in str(spans)
    assert 'private' not in str(spans)
