"""Pages of other origins in a real browser: none may use the service, nor read from it."""

import http.client
import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.service_help import NAME, REBOUND, WAIT_S, ask, wait

pytestmark = pytest.mark.slow

READ = """
const [address, options, done] = arguments;
fetch(address, options).then((answer) => answer.text().then((text) => done([answer.status, text])))
  .catch((error) => done([0, String(error)]));
"""
LOAD = """
const [address, done] = arguments;
const image = new Image();
image.onload = image.onerror = () => done(true);
image.src = address;
"""
FORM = """
const form = document.createElement('form');
form.method = 'POST'; form.action = arguments[0]; form.enctype = 'text/plain';
const field = document.createElement('input');
field.name = '{"texts": "corn", "k'; field.value = '": 1}';
form.append(field); document.body.append(form); form.submit();
"""


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A page with nothing on it."""

    def do_GET(self) -> None:
        body = b'<!doctype html><title>elsewhere</title><p>elsewhere</p>'
        self.send_response(200)
        self.send_header('Content-Type', 'text/html')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def running(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as serving:
        threading.Thread(target=serving.serve_forever).start()
        try:
            yield serving.server_port
        finally:
            serving.shutdown()


@pytest.fixture(scope='module')
def elsewhere() -> Iterator[str]:
    for port in running(Elsewhere):
        yield f'http://127.0.0.1:{port}'


@pytest.fixture(scope='module')
def proxy(server) -> Iterator[int]:
    """A reverse proxy that passes on the header Host."""
    address = server.removeprefix('http://')

    class Proxy(Elsewhere):
        def do_GET(self) -> None:
            upstream = http.client.HTTPConnection(address, timeout=WAIT_S)
            upstream.request('GET', self.path, headers=dict(self.headers))
            answer = upstream.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {'connection', 'date'}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            upstream.close()

    yield from running(Proxy)


def counts(address: str) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f'{address}/metrics', timeout=WAIT_S) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name in {'naics_embed_refused_total', 'naics_embed_batch_texts_count'}
    }


def refusals(before: dict, after: dict, reason: str = 'origin') -> float:
    """How many were refused; nothing may have been coded meanwhile."""
    texts = ('naics_embed_batch_texts_count',)
    assert after[texts] == before[texts]
    key = ('naics_embed_refused_total', reason)
    return after.get(key, 0) - before.get(key, 0)


def test_a_page_from_another_port_can_neither_read_nor_post(page, server, elsewhere):
    page.get(elsewhere)
    before = counts(server)
    text = {'method': 'POST', 'body': json.dumps({'texts': 'corn'})}
    for path, options in (
        ('/v1/search?q=corn', {}),
        ('/v1/search?q=corn', {'mode': 'no-cors'}),
        ('/v1/code', text),
        ('/v1/code', {**text, 'mode': 'no-cors'}),
        ('/v1/code', {**text, 'headers': {'Content-Type': 'application/json'}}),
        ('/metrics', {}),
        ('/healthz', {}),
    ):
        status, read = page.execute_async_script(READ, server + path, options)
        assert (status, 'naics' in read or 'corn' in read) == (0, False), (path, options)
    page.execute_async_script(LOAD, f'{server}/v1/search?q=corn')
    assert refusals(before, counts(server)) == 7
    page.execute_script(FORM, f'{server}/v1/code')
    wait(page, "document.body.textContent.includes('service.allowed_origins')")
    assert refusals(before, counts(server)) == 8


def test_a_page_whose_name_is_made_to_resolve_here(page, server):
    before = counts(server)
    port = server.rpartition(':')[2]
    page.get(f'http://{REBOUND}:{port}/')
    wait(page, "document.body.textContent.includes('service.allowed_hosts')")
    status, text = page.execute_async_script(READ, '/v1/search?q=corn', {})
    assert status == 421
    assert 'hits' not in text
    assert refusals(before, counts(server), 'host') >= 2


@pytest.mark.parametrize('name', ['127.0.0.1', 'localhost', NAME])
@pytest.mark.parametrize('proxied', [False, True])
def test_the_own_page_works(page, server, proxy, name, proxied):
    port = proxy if proxied else server.rpartition(':')[2]
    page.get(f'http://{name}:{port}/')
    ask(page, 'corn farming', '5 codes for “corn farming”')


def test_a_link_from_another_page_works(page, server, elsewhere):
    page.get(elsewhere)
    page.execute_script('location.href = arguments[0]', f'{server}/')
    wait(page, "document.getElementById('query') !== null")
    ask(page, 'corn farming', '5 codes for “corn farming”')
