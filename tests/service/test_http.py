"""HEAD, compressed bodies, and the tree of codes."""

import gzip
import http.client
import json
import zlib

import pytest

from naics_embed.service.gzip_body import plain_body
from naics_embed.service.problems import ProblemError
from tests.service.service_help import CONFIG, is_problem

PATHS = (
    *(
        '/',
        '/table',
        '/atlas',
        '/v1/compare?first=111150&second=111140',
        '/healthz',
        '/readyz',
        '/metrics',
        '/openapi.json',
        '/v1/map',
        '/v1/codes',
    ),
    *('/v1/codes/541511', '/v1/search?q=corn', '/static/app.js'),
)


@pytest.mark.parametrize('path', PATHS)
def test_every_route_that_answers_get_answers_head(client, path):
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b'')
    assert head.headers['content-type'] == get.headers['content-type']
    if path != '/metrics':
        assert head.headers['content-length'] == get.headers['content-length']


def test_head_of_what_is_not_there(client):
    assert client.head('/v1/codes/999999').status_code == 404
    assert client.head('/nothing').status_code == 404
    assert client.head('/v1/code').status_code == 405
    counts = client.get('/metrics').text
    assert (
        'naics_embed_requests_total{method="HEAD",route="/v1/codes/{code}",status="404"}' in counts
    )


def test_head_on_a_connection_that_goes_on(server):
    host, _, port = server.removeprefix('http://').partition(':')
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    for method in ('HEAD', 'GET', 'HEAD', 'GET'):
        connection.request(method, '/v1/codes?parent=541')
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200
        assert (body == b'') == (method == 'HEAD')
    connection.close()


def post(client, body: bytes, encoding: str | None = 'gzip'):
    headers = {'content-type': 'application/json'}
    if encoding is not None:
        headers['content-encoding'] = encoding
    return client.post('/v1/code', content=body, headers=headers)


def test_a_body_may_be_compressed(client):
    body = json.dumps({'texts': ['corn farming']}).encode()
    plain = post(client, body, None)
    assert plain.status_code == 200
    packed = gzip.compress(body)
    for one, encoding in (
        (packed, 'gzip'),
        (packed, 'X-GZIP'),
        (gzip.compress(body[:9]) + gzip.compress(body[9:]), 'gzip'),
        (body, 'identity'),
    ):
        assert post(client, one, encoding).json()['answers'] == plain.json()['answers']


def test_a_compressed_body_is_bounded(client):
    bomb = gzip.compress(b' ' * 50_000_000)
    assert len(bomb) > CONFIG.max_body_bytes, 'too large as it comes'
    is_problem(post(client, bomb), 413)
    small = gzip.compress(b' ' * (CONFIG.max_body_bytes + 1))
    assert len(small) < 100
    assert 'uncompressed' in is_problem(post(client, small), 413).detail
    just = json.dumps({'texts': 'corn farming'}).encode().ljust(CONFIG.max_body_bytes)
    assert post(client, gzip.compress(just)).status_code == 200
    members = gzip.compress(b' ' * 3000) * 2
    is_problem(post(client, members), 413)


def test_bodies_that_cannot_be_uncompressed(client):
    packed = gzip.compress(json.dumps({'texts': 'corn'}).encode())
    assert 'is cut' in is_problem(post(client, packed[:-4]), 400).detail
    assert 'is named gzip' in is_problem(post(client, b'{"texts": "corn"}'), 400).detail
    is_problem(post(client, packed[:12] + b'xxxx' + packed[16:]), 400)
    answer = post(client, packed, 'br')
    is_problem(answer, 415)
    assert answer.headers['accept-encoding'] == 'gzip'
    is_problem(post(client, packed, 'gzip, gzip'), 415)
    assert 'naics_embed_refused_total{reason="encoding"}' in client.get('/metrics').text


def test_nothing_is_left_of_many_members():
    with pytest.raises(ProblemError):
        plain_body(gzip.compress(b'') * 3 + b'rest', 'gzip', 100)
    assert plain_body(gzip.compress(b'') * 3, 'gzip', 0) == b''
    with pytest.raises(ProblemError):
        plain_body(zlib.compress(b'a'), 'gzip', 100)


def test_the_tree_can_be_browsed(client):
    sectors = client.get('/v1/codes').json()
    assert (sectors['vintage'], sectors['parent']) == (2022, None)
    assert len(sectors['codes']) == 20
    assert {'code', 'official', 'title', 'level', 'children'} == set(sectors['codes'][0])
    found = {code['official']: code['children'] for code in sectors['codes']}
    assert found['31-33'] == 21
    below = client.get('/v1/codes', params={'parent': '33'}).json()
    assert below['parent']['official'] == '31-33'
    assert len(below['codes']) == 21
    leaves = client.get('/v1/codes', params={'parent': '5415', 'level': 6}).json()
    assert [code['code'] for code in leaves['codes']] == ['541511', '541512', '541513', '541519']
    assert {code['children'] for code in leaves['codes']} == {0}
    assert client.get('/v1/codes', params={'parent': '541511'}).json()['codes'] == []
    assert client.get('/v1/codes', params={'parent': '5415', 'level': 4}).json()['codes'] == []
    assert len(client.get('/v1/codes', params={'level': 6}).json()['codes']) == 1012
    everything, waiting = [], [None]
    while waiting:
        parent = waiting.pop()
        given = client.get('/v1/codes', params={} if parent is None else {'parent': parent}).json()
        everything += [code['code'] for code in given['codes']]
        waiting += [code['code'] for code in given['codes'] if code['children']]
    assert len(everything) == len(set(everything)) == 2125


def test_parents_and_levels_that_there_are_not(client):
    assert 'became 517111' in is_problem(client.get('/v1/codes?parent=517110'), 404).detail
    is_problem(client.get('/v1/codes?level=7'), 422)
    is_problem(client.get(f'/v1/codes?parent={"1" * 20}'), 422)


def test_a_page_elsewhere_may_send_compressed_bodies_if_it_is_allowed(serve):
    page = 'https://tools.example.org'
    preflight = {
        'origin': page,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-encoding, content-type',
    }
    assert serve(allowed_origins=(page,)).options('/v1/code', headers=preflight).status_code == 200
    assert serve().options('/v1/code', headers=preflight).status_code == 403, 'off by default'
