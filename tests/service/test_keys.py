"""API keys: who gets in, for what, and how often."""

import stat

import pytest

from naics_embed.config.operation import KeysConfig
from naics_embed.errors import UserError
from naics_embed.service.gate import Gate
from naics_embed.service.key_file import ApiKey, create_key, read_keys, revoke_key
from naics_embed.service.problems import ProblemError

TEXT = {'texts': 'soybean farming'}


@pytest.fixture
def file(tmp_path):
    return tmp_path / 'keys.json'


def bearer(key: str) -> dict[str, str]:
    return {'Authorization': f'Bearer {key}'}


def test_the_file_has_no_key_and_is_private(file):
    secret, key = create_key(file, 'claims')
    content = file.read_text()
    assert secret not in content
    assert secret.rpartition('_')[2] not in content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_keys(file) == {key.id: key}


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'scopes': ['everything']}, 'everything'),
        ({'scopes': []}, 'none'),
        ({'name': ' '}, 'name'),
        ({'per_minute': 0}, 'per-minute'),
        ({'days': -1}, 'days'),
    ],
)
def test_a_wrong_key_is_not_made(file, changes, says):
    with pytest.raises(UserError, match=says):
        create_key(file, **({'name': 'claims'} | changes))
    assert not file.exists()


def test_requests_need_a_key_with_the_scope(serve, file):
    code, _ = create_key(file, 'coding', ['code'])
    read, _ = create_key(file, 'reading', ['read'])
    metrics, _ = create_key(file, 'prometheus', ['metrics'])
    client = serve(keys=KeysConfig(file=str(file)))
    for path in ('/healthz', '/readyz', '/', '/openapi.json', '/static/index.html'):
        assert client.get(path).status_code != 401, path
    refused = client.post('/v1/code', json=TEXT)
    assert refused.status_code == 401
    assert refused.headers['www-authenticate'].startswith('Bearer')
    assert client.get('/metrics').status_code == 401
    assert client.post('/v1/code', json=TEXT, headers=bearer(code)).status_code == 200
    assert client.post('/v1/code', json=TEXT, headers={'X-API-Key': code}).status_code == 200
    assert client.post('/v1/code', json=TEXT, headers=bearer(read)).status_code == 403
    assert client.get('/v1/search?q=farm', headers=bearer(read)).status_code == 403
    assert client.get('/v1/codes/111110', headers=bearer(read)).status_code == 200
    assert client.get('/v1/codes/111110', headers=bearer(code)).status_code == 403
    assert client.post('/v1/admin/reload', headers=bearer(code)).status_code == 403
    counted = client.get('/metrics', headers=bearer(metrics)).text
    assert 'naics_embed_refused_total{reason="key"} 2.0' in counted
    assert 'naics_embed_refused_total{reason="scope"} 4.0' in counted


def test_the_map_asks_a_browser_for_the_key_and_takes_it_as_a_cookie(serve, file):
    read, _ = create_key(file, 'reading', ['read'])
    client = serve(keys=KeysConfig(file=str(file)))
    browser = {'Accept': 'text/html,*/*;q=0.8'}
    page = client.get('/atlas', headers=browser)
    assert page.status_code == 401
    assert page.headers['content-type'].startswith('text/html')
    assert 'static/atlas.js' in page.text
    assert client.get('/atlas').headers['content-type'] == 'application/problem+json'
    cookie = {'Cookie': f'other=1; naics-embed-key={read}'}
    assert 'Poincar' in client.get('/atlas', headers=browser | cookie).text
    for odd in ('naics-embed-key=x', 'naics-embed-key=', 'naics-embed-key', ';=,'):
        assert client.get('/atlas', headers={'Cookie': odd}).status_code == 401, odd
    # A page of another site could make a browser send cookies with any request.
    for path in ('/v1/codes', '/v1/map', '/metrics'):
        assert client.get(path, headers=cookie).status_code == 401, path


@pytest.mark.parametrize('damage', ['', 'x', 'nek_', 'é', 'nek_00_secret'])
def test_a_wrong_key_gets_nowhere(serve, file, damage):
    create_key(file, 'coding')
    client = serve(keys=KeysConfig(file=str(file)))
    headers = {'X-API-Key': damage.encode('latin-1')}
    assert client.post('/v1/code', json=TEXT, headers=headers).status_code == 401


def test_a_key_with_one_letter_changed_is_unknown(file):
    secret, _ = create_key(file, 'coding')
    gate = Gate(KeysConfig(file=str(file)))
    gate.check(request(secret))
    for at in (4, len(secret) - 1):
        other = secret[:at] + ('a' if secret[at] != 'a' else 'b') + secret[at + 1 :]
        with pytest.raises(ProblemError) as error:
            gate.check(request(other))
        assert error.value.status == 401


def test_a_revoked_key_is_noticed_while_the_service_runs(file):
    secret, key = create_key(file, 'coding')
    clock = [0.0]
    gate = Gate(KeysConfig(file=str(file), reread_s=1.0), lambda: clock[0])
    gate.check(request(secret))
    revoke_key(file, key.id)
    clock[0] = 2.0
    with pytest.raises(ProblemError, match='revoked'):
        gate.check(request(secret))
    assert read_keys(file)[key.id].revoked


def test_nobody_gets_in_by_a_damaged_file(file):
    secret, _ = create_key(file, 'coding')
    clock = [0.0]
    gate = Gate(KeysConfig(file=str(file)), lambda: clock[0])
    file.write_text('{"keys": [{}]}')
    clock[0] = 2.0
    with pytest.raises(ProblemError) as error:
        gate.check(request(secret))
    assert error.value.status == 401
    with pytest.raises(UserError, match='no file of keys'):
        Gate(KeysConfig(file=str(file)))


def test_a_rate_is_kept_and_says_when_to_come_again(file):
    secret, _ = create_key(file, 'coding', per_minute=3)
    clock = [0.0]
    gate = Gate(KeysConfig(file=str(file)), lambda: clock[0])
    for _ in range(3):
        gate.check(request(secret))
    with pytest.raises(ProblemError) as error:
        gate.check(request(secret))
    assert error.value.status == 429
    assert error.value.headers == {'Retry-After': '20'}
    clock[0] = 20.0
    gate.check(request(secret))


def test_a_key_expires():
    key = ApiKey('1', 'a', '', ('code',), None, '2020-01-01T00:00:00+00:00')
    assert key.usable()
    assert not ApiKey(**{**vars(key), 'expires': '2020-02-01T00:00:00+00:00'}).usable()


def test_request_ids_of_clients_are_kept_where_they_can_be_shown(client):
    assert client.get('/healthz', headers={'X-Request-ID': 'a-1'}).headers['x-request-id'] == 'a-1'
    for odd in ('a b', 'x' * 65, '<script>'):
        answer = client.get('/healthz', headers={'X-Request-ID': odd})
        assert len(answer.headers['x-request-id']) == 32


def request(secret: str) -> dict:
    return {
        'path': '/v1/code',
        'method': 'POST',
        'headers': [(b'authorization', f'Bearer {secret}'.encode('latin-1'))],
        'state': {},
    }
