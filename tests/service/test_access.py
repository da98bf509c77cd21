"""Which hosts and origins the service answers to, in this process."""

import pytest

from naics_embed.config.addresses import parse_authority, parse_origin
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import ConfigError
from naics_embed.service.access import Access
from naics_embed.service.problems import ProblemError
from tests.service.service_help import is_problem

PAGE = 'https://naics.example.org'
PORT = 8722


def refused(path: str = '/v1/search', *, root_path: str = '', bound=None, **headers: str) -> int:
    """Status of a refusal; 0 where the request is let through."""
    config = ServiceConfig(**(bound or {}))
    scope = {
        'path': root_path + path,
        'root_path': root_path,
        'server': ('10.0.0.7', PORT),
        'headers': [
            (name.replace('_', '-').encode(), value.encode('latin-1'))
            for name, value in headers.items()
        ],
    }
    try:
        Access(config).check(scope)
    except ProblemError as problem:
        return problem.status
    return 0


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('LocalHost', ('localhost', None)),
        ('localhost.:80', ('localhost', 80)),
        ('[::1]:8722', ('::1', 8722)),
        ('[0:0:0:0:0:0:0:1]', ('::1', None)),
        ('::1', ('::1', None)),
        ('10.0.0.5:', ('10.0.0.5', None)),
        *((text, None) for text in ('', ':80', 'a b', 'a/b', 'a@b', 'a:b', 'a:99999', '[::1', '*')),
        *((text, None) for text in ('a?b', 'a#b', '*.a.org', 'a\n', '.', '[1.2.3.4]x')),
    ],
)
def test_hosts_have_one_spelling(text, wanted):
    assert parse_authority(text) == wanted


def test_origins_have_one_spelling():
    assert str(parse_origin('HTTPS://A.example:443')) == 'https://a.example'
    assert str(parse_origin('http://[::1]:80')) == 'http://[::1]'
    assert str(parse_origin('http://[::1]:81')) == 'http://[::1]:81'
    for text in ('null', '', 'a.example', 'https://', 'https://a/', 'file://a', 'https://a@b'):
        assert parse_origin(text) is None


@pytest.mark.parametrize(
    'host',
    [
        *('127.0.0.1', f'127.0.0.1:{PORT}', 'localhost', 'LOCALHOST:9000', f'[::1]:{PORT}'),
        *('127.9.9.9', '10.0.0.7', f'10.0.0.7:{PORT}'),
    ],
)
def test_own_hosts(host):
    assert refused(host=host) == 0
    assert refused(host=host, origin=f'http://{host.lower()}') == 0


@pytest.mark.parametrize(
    'host',
    [
        *('evil.example', f'evil.example:{PORT}', '10.0.0.8', f'10.0.0.8:{PORT}', '0.0.0.0'),
        *('localhost.evil.example', '127.0.0.1.evil.example', 'localhost@evil.example'),
        *('', 'a b', '2130706433'),
    ],
)
def test_foreign_hosts(host):
    assert refused(host=host) == 421
    assert refused('/', host=host) == 421
    assert refused('/static/app.js', host=host) == 421
    assert refused() == 421
    assert refused(host=host, bound={'allowed_hosts': ('*',)}) == 0


def test_configured_hosts():
    def asks(named, *allowed, **bound):
        return refused(host=named, bound={'allowed_hosts': allowed, **bound})

    assert asks('naics.example.org', 'NAICS.example.org') == 0
    assert asks('naics.example.org:8443', 'naics.example.org') == 0
    assert asks('naics.example.org:8443', 'naics.example.org:8443') == 0
    assert asks('naics.example.org:8444', 'naics.example.org:8443') == 421
    assert asks('naics.example.org', 'naics.example.org:8443') == 421
    assert asks('other.example.org', 'naics.example.org') == 421
    assert asks('node7:80', host='node7') == 0
    assert asks('0.0.0.0:8722', host='0.0.0.0') == 0
    assert asks('[2001:db8::1]:80', '2001:db8:0::1') == 0


@pytest.mark.parametrize('path', ['/healthz', '/readyz'])
@pytest.mark.parametrize('root_path', ['', '/naics'])
def test_probes_may_name_any_host(path, root_path):
    assert refused(path, root_path=root_path, host='10.244.1.17:8722') == 0
    assert refused(path, root_path=root_path, host='naics.default.svc') == 0
    assert refused(path, root_path=root_path) == 0


def test_prometheus_may_name_any_address_but_no_name():
    assert refused('/metrics', host='10.244.1.17:8722') == 0
    assert refused('/metrics', host='[2001:db8::1]:8722') == 0
    assert refused('/metrics', host='evil.example:8722') == 421
    assert refused('/metrics', host='naics', bound={'allowed_hosts': ('naics',)}) == 0
    assert refused('/metrics', host='10.244.1.17', origin='http://evil.example') == 403


@pytest.mark.parametrize(
    'origin',
    [
        *('null', 'http://evil.example', 'http://127.0.0.1', 'http://127.0.0.1:8000', 'x', ''),
        *(f'http://localhost:{PORT}', f'https://evil.example:{PORT}', f'file://127.0.0.1:{PORT}'),
    ],
)
def test_foreign_origins(origin):
    host = f'127.0.0.1:{PORT}'
    assert refused(host=host, origin=origin) == 403
    assert refused(host=host, origin=f'http://{host}') == 0
    assert refused(host=host, origin=origin, bound={'allowed_origins': ('*',)}) == 0


def test_behind_a_proxy():
    hosts = {'allowed_hosts': ('naics.example.org',)}
    assert refused(host='naics.example.org', origin=PAGE, bound=hosts) == 0
    assert refused(host='naics.example.org:443', origin=PAGE, bound=hosts) == 0
    assert refused(host='naics.example.org', origin=f'{PAGE}:8443', bound=hosts) == 403
    assert refused(host='naics.example.org:8443', origin=f'{PAGE}:8443', bound=hosts) == 0
    # A proxy that does not pass on Host needs the origin instead.
    assert refused(host=f'127.0.0.1:{PORT}', origin=PAGE) == 403
    allowed = {'allowed_origins': (PAGE,)}
    assert refused(host=f'127.0.0.1:{PORT}', origin=PAGE, bound=allowed) == 0


def test_what_a_browser_asks_for_without_an_origin():
    def asks(site: str, mode: str) -> int:
        return refused(host='127.0.0.1', sec_fetch_site=site, sec_fetch_mode=mode)

    assert asks('cross-site', 'no-cors') == asks('same-site', 'no-cors') == 403
    assert asks('cross-site', 'navigate') == asks('none', 'navigate') == 0
    assert asks('same-origin', 'cors') == asks('same-origin', 'no-cors') == 0


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('allowed_hosts', ('https://naics.example.org',)),
        ('allowed_hosts', ('*.example.org',)),
        ('allowed_hosts', (7,)),
        ('allowed_hosts', 'naics.example.org'),
        ('allowed_origins', ('naics.example.org',)),
        ('allowed_origins', ('https://naics.example.org/page',)),
        ('allowed_origins', ('null',)),
    ],
)
def test_lists_are_checked(name, values):
    with pytest.raises(ConfigError, match=rf'service\.{name} must be a list of .* such as'):
        ServiceConfig(**{name: values})


def test_a_refusal_names_the_setting(client):
    problem = is_problem(client.get('/v1/codes/11', headers={'host': 'evil.example'}), 421)
    assert "'evil.example'" in problem.detail
    assert 'service.allowed_hosts' in problem.detail
    body = {'texts': 'corn'}
    foreign = client.post('/v1/code', json=body, headers={'origin': 'http://evil.example'})
    problem = is_problem(foreign, 403)
    assert "'http://evil.example'" in problem.detail
    assert 'service.allowed_origins' in problem.detail
    assert 'access-control-allow-origin' not in foreign.headers
    assert client.get('/healthz', headers={'host': 'evil.example'}).status_code == 200
    counts = client.get('/metrics').text
    assert 'naics_embed_refused_total{reason="host"} 1.0' in counts
    assert 'naics_embed_refused_total{reason="origin"} 1.0' in counts


def test_an_allowed_page_gets_cors_headers_with_errors_too(serve):
    client = serve(allowed_origins=(PAGE,))
    origin = {'origin': PAGE}
    preflight = client.options(
        '/v1/code',
        headers={
            **origin,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'content-type',
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers['access-control-allow-origin'] == PAGE
    for answer in (
        client.post('/v1/code', json={'texts': 'corn'}, headers=origin),
        client.post('/v1/code', json={'texts': 'c' * 9999}, headers=origin),
    ):
        assert answer.headers['access-control-allow-origin'] == PAGE
        assert 'access-control-allow-credentials' not in answer.headers
    assert answer.status_code == 413
    other = {'origin': 'https://evil.example', 'access-control-request-method': 'POST'}
    answer = client.options('/v1/code', headers=other)
    assert 'access-control-allow-origin' not in answer.headers
    is_problem(answer, 403)
