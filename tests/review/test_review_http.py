"""The review over HTTP: who gets in, what each may see, and decisions that are sent again."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from naics_embed.config.review import ReviewConfig
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import ConfigError, UserError
from naics_embed.review.attempts import Attempts
from naics_embed.review.authentication import CSRF_HEADER
from naics_embed.review.serving import review_app, review_desk
from naics_embed.review.users import (
    add_token,
    add_user,
    change_user,
    password_hash,
    remove_tokens,
    set_password,
)
from naics_embed.service.guard import Guard
from naics_embed.service.metrics import Metrics
from tests.review.review_help import PASSWORD, make_batch, make_users

CONFIG = ReviewConfig(sign_in_attempts=3)
PEER = '10.0.0.9'


@pytest.fixture
def app(store):
    """Makes apps over one store, with other settings."""
    make_users(store, ann='reviewer', bob='reviewer', cy='arbiter', eve='administrator')

    def make(**settings) -> Guard:
        desk = review_desk(store, replace(CONFIG, **settings))
        return Guard(review_app(desk), ServiceConfig(), Metrics())

    return make


def client_of(app, name=None) -> TestClient:
    client = TestClient(
        app, base_url='http://127.0.0.1', client=(PEER, 1), raise_server_exceptions=False
    )
    if name is not None:
        answer = client.post('/api/sign-in', json={'name': name, 'password': PASSWORD})
        assert answer.status_code == 204, answer.text
        client.headers[CSRF_HEADER] = client.get('/api/me').json()['csrf']
    return client


def following(client, **body):
    return client.post('/api/batches/q3/next', json=body).json()['items']


def test_nobody_gets_in_without_signing_in(app, store):
    make_batch(store, people=1)
    client = client_of(app())
    for method, path in [
        ('GET', '/api/me'),
        ('GET', '/api/batches'),
        ('POST', '/api/batches/q3/next'),
        ('GET', '/api/items/1'),
        ('GET', '/api/batches/q3/codes'),
        ('GET', '/api/batches/q3/search?q=a'),
        ('GET', '/api/batches/q3/statistics'),
        ('POST', '/api/sign-out'),
    ]:
        answer = client.request(method, path, json={} if method == 'POST' else None)
        assert answer.status_code == 401, path
    assert client.get('/').status_code == 200
    assert client.get('/healthz').json()['status'] == 'ready'


def test_there_is_no_default_password(store):
    with pytest.raises(UserError, match='make the first administrator'):
        review_desk(store, CONFIG)


def test_the_cookie_and_the_headers_protect_the_session(app):
    client = client_of(app())
    answer = client.post('/api/sign-in', json={'name': 'ann', 'password': PASSWORD})
    cookie = answer.headers['set-cookie']
    assert 'HttpOnly' in cookie
    assert 'SameSite=strict' in cookie
    assert 'Secure' not in cookie
    secure = client_of(app(secure_cookies=True))
    answer = secure.post('/api/sign-in', json={'name': 'ann', 'password': PASSWORD})
    assert 'Secure' in answer.headers['set-cookie']
    page = client.get('/')
    assert "script-src 'self'" in page.headers['content-security-policy']
    assert page.headers['x-frame-options'] == 'DENY'


def test_a_request_of_another_page_changes_nothing(app, store):
    [item] = make_batch(store, people=1)
    client = client_of(app(), 'ann')
    body = {'key': 'k', 'item': item, 'action': 'vague'}
    token = client.headers.pop(CSRF_HEADER)
    assert client.post('/api/decisions', json=body).status_code == 403
    wrong = {CSRF_HEADER: 'a' * 64}
    assert client.post('/api/decisions', json=body, headers=wrong).status_code == 403
    foreign = {CSRF_HEADER: token, 'Origin': 'https://evil.example'}
    assert client.post('/api/decisions', json=body, headers=foreign).status_code == 403
    other = client_of(app(), 'bob').headers[CSRF_HEADER]
    assert client.post('/api/decisions', json=body, headers={CSRF_HEADER: other}).status_code == 403
    assert client.post('/api/decisions', json=body, headers={CSRF_HEADER: token}).is_success


def test_wrong_passwords_are_limited(app):
    client = client_of(app())
    for _ in range(3):
        answer = client.post('/api/sign-in', json={'name': 'ann', 'password': 'wrong'})
        assert answer.status_code == 401
    for name in ('ann', 'bob'):
        answer = client.post('/api/sign-in', json={'name': name, 'password': PASSWORD})
        assert answer.status_code == 429, 'by name, and by address'
        assert int(answer.headers['retry-after']) >= 1
    unknown = client_of(app())
    answer = unknown.post('/api/sign-in', json={'name': 'nobody', 'password': PASSWORD})
    assert (answer.status_code, answer.json()['detail']) == (401, 'name or password is wrong')


def test_the_limit_ends_with_the_window():
    now = [0.0]
    attempts = Attempts(2, 10.0, lambda: now[0])
    attempts.wrong('a')
    now[0] = 4.0
    attempts.wrong('a')
    assert attempts.wait_s('a', 'b') == 6.0
    now[0] = 10.5
    assert attempts.wait_s('a') == 0.0
    attempts.wrong('a')
    assert attempts.wait_s('a') > 0
    attempts.right('a')
    assert attempts.wait_s('a') == 0.0


def test_passwords_are_hashed_by_argon2(store):
    from argon2 import PasswordHasher

    default = PasswordHasher()
    assert default.memory_cost >= 19456, 'OWASP: 19 MiB at least'
    with store.writing() as connection:
        secret = add_user(connection, 'ann', 'reviewer')
        assert len(secret) >= 20
        hashed = password_hash(connection, 'ann')[1]
        assert hashed.startswith('$argon2id$')
        assert secret not in hashed
        with pytest.raises(UserError, match='at least 10'):
            set_password(connection, 'ann', 'short')


def test_a_token_needs_no_cookie_and_can_be_revoked(app, store):
    [item] = make_batch(store, people=1)
    with store.writing() as connection:
        token = add_token(connection, 'ann')
    client = client_of(app())
    client.headers['Authorization'] = f'Bearer {token}'
    assert client.get('/api/me').json()['by'] == 'token'
    body = {'key': 'k', 'item': item, 'action': 'vague'}
    assert client.post('/api/decisions', json=body).is_success
    with store.writing() as connection:
        assert remove_tokens(connection, 'ann') == 1
    assert client.get('/api/me').status_code == 401


def test_a_user_who_is_kept_out_is_out_at_once(app, store):
    client = client_of(app(), 'ann')
    with store.writing() as connection:
        change_user(connection, 'ann', active=False)
    assert client.get('/api/me').status_code == 401
    with store.writing() as connection, pytest.raises(UserError, match='last administrator'):
        change_user(connection, 'eve', role='reviewer')


def test_the_header_of_a_proxy_is_believed_from_its_address_only(app):
    named = {'X-Remote-User': 'ann'}
    assert client_of(app()).get('/api/me', headers=named).status_code == 401, 'off by default'
    elsewhere = app(trusted_header='X-Remote-User', trusted_proxies=('10.0.0.1',))
    assert client_of(elsewhere).get('/api/me', headers=named).status_code == 401
    client = client_of(app(trusted_header='X-Remote-User', trusted_proxies=(PEER,)))
    me = client.get('/api/me', headers=named).json()
    assert (me['name'], me['by']) == ('ann', 'proxy')
    assert client.post('/api/sign-out', headers=named).status_code == 403, 'CSRF here too'
    assert client.post('/api/sign-out', headers={**named, CSRF_HEADER: me['csrf']}).is_success
    assert client.get('/api/me', headers={'X-Remote-User': 'who'}).status_code == 403
    with pytest.raises(ConfigError, match='trusted_proxies'):
        ReviewConfig(trusted_header='X-Remote-User')


def test_an_item_has_all_that_the_page_shows(app, store):
    question = {'prompt': 'Makes or sells?', 'options': [{'text': 'Makes', 'codes': ['31-33']}]}
    make_batch(store, people=2, question=question)
    client = client_of(app(), 'ann')
    [item] = following(client)
    assert (item['text'], item['row'], item['shown']) == ('text number 1', 1, {'city': 'Town 1'})
    assert item['question'] == question
    first = item['suggestions'][0]
    assert (first['code'], first['title'], first['probability']) == (
        '111110',
        'Soybean Farming',
        0.5,
    )
    assert [step['official'] for step in first['path']] == ['11', '111', '1111', '11111', '111110']
    assert first['evidence'] == {'texts': ['like 111110'], 'words': ['text']}
    [sent] = first['redirections']
    assert sent['activity'] == 'growing dry peas'
    assert [target['title'] for target in sent['targets']] == ['Dry Pea and Bean Farming']


def test_a_decision_that_is_sent_again_is_one(app, store):
    [item, *_] = make_batch(store, people=3)
    client = client_of(app(), 'ann')
    body = {'key': 'k', 'item': item, 'action': 'code', 'code': '111110', 'elapsed_ms': 900}
    answers = [client.post('/api/decisions', json=body).json() for _ in range(3)]
    assert [one['repeated'] for one in answers] == [False, True, True]
    assert len({one['id'] for one in answers}) == 1
    assert client.post('/api/decisions', json={**body, 'code': '111120'}).status_code == 409
    for wrong, status in [
        ({'code': '999999', 'key': 'x'}, 422),
        ({'action': 'jump', 'key': 'x'}, 422),
        ({'item': 999, 'key': 'x'}, 404),
        ({'arbiter': True, 'key': 'x'}, 409),
        ({'reason': 'a' * 3000, 'key': 'x'}, 422),
    ]:
        answer = client.post('/api/decisions', json={**body, **wrong})
        assert answer.status_code == status, (wrong, answer.text)
        assert answer.headers['content-type'] == 'application/problem+json'


def test_reviewers_are_blind_until_both_have_decided(app, store):
    [item] = make_batch(store, people=1, double=(0,))
    ann, bob, cy = (client_of(app(), name) for name in ('ann', 'bob', 'cy'))
    body = {'item': item, 'action': 'code', 'key': 'k'}
    answer = ann.post('/api/decisions', json={**body, 'code': '111110'}).json()
    assert answer['state'] is None
    ann.post('/api/comments', json={'key': 'c', 'item': item, 'text': 'surely beans'})
    [seen] = following(bob)
    assert (seen['decision'], seen['comments'], seen['opinions']) == (None, [], [])
    assert cy.get(f'/api/items/{item}').json()['opinions'] == []
    bob.post('/api/decisions', json={**body, 'code': '541511'})
    assert bob.get(f'/api/items/{item}').json()['opinions'] == []
    assert bob.get('/api/batches/q3/conflicts').status_code == 403
    [conflict] = cy.get('/api/batches/q3/conflicts').json()['items']
    assert {(one['user'], one['code']) for one in conflict['opinions']} == {
        ('ann', '111110'),
        ('bob', '541511'),
    }
    assert [one['text'] for one in conflict['comments']] == ['surely beans']
    settled = cy.post('/api/decisions', json={**body, 'code': '541511', 'arbiter': True}).json()
    assert settled['state'] == 'done'
    assert cy.get('/api/batches/q3/conflicts').json()['items'] == []


def test_codes_are_found_and_browsed(app, store):
    make_batch(store, people=1)
    client = client_of(app(), 'ann')
    top = client.get('/api/batches/q3/codes').json()
    assert [one['official'] for one in top['codes']][:5] == ['11', '21', '22', '23', '31-33']
    below = client.get('/api/batches/q3/codes', params={'parent': '31-33'}).json()
    assert len(below['codes']) == 21
    assert [one['official'] for one in below['path']] == ['31-33']
    assert client.get('/api/batches/q3/codes', params={'parent': '99'}).status_code == 422
    found = client.get('/api/batches/q3/search', params={'q': 'soybean farm'}).json()['codes']
    assert found[0]['code'] == '111110'
    digits = client.get('/api/batches/q3/search', params={'q': '5415'}).json()['codes']
    assert all(one['code'].startswith('5415') for one in digits)
    assert client.get('/api/batches/q3/codes/111110').json()['redirections']


def test_the_search_uses_a_coder_where_there_is_one(store):
    make_batch(store, people=1)
    make_users(store, ann='reviewer')
    desk = review_desk(store, CONFIG)
    desk.text_search = lambda text, most: [('812910', 0.9), ('111110', 0.1)]
    client = client_of(Guard(review_app(desk), ServiceConfig(), Metrics()), 'ann')
    found = client.get('/api/batches/q3/search', params={'q': 'soybean'}).json()['codes']
    assert [one['code'] for one in found[:2]] == ['812910', '111110']
    assert found[0]['probability'] == 0.9


def test_overview_and_closing(app, store):
    make_batch(store, people=1, audit=1, automatic=8)
    ann, eve = client_of(app(), 'ann'), client_of(app(), 'eve')
    [listed] = ann.get('/api/batches').json()['batches']
    assert listed['progress']['people'] == 2
    facts = ann.get('/api/batches/q3/statistics').json()
    assert facts['errors']['accepted'] == 9
    assert 'reviewers' not in facts
    assert 'reviewers' in eve.get('/api/batches/q3/statistics').json()
    assert ann.post('/api/batches/q3/close', json={'force': True}).status_code == 403
    assert eve.post('/api/batches/q3/close', json={}).status_code == 409
    assert eve.post('/api/batches/q3/close', json={'force': True}).json()['state'] == 'closed'
    assert ann.post('/api/batches/q3/next', json={}).json() == {'items': [], 'state': 'closed'}


def test_a_database_that_is_down_is_503(app, store, monkeypatch):
    from sqlalchemy.exc import OperationalError

    client = client_of(app(), 'ann')

    def gone(*_, **__):
        raise OperationalError('SELECT', {}, ConnectionError('gone'))

    monkeypatch.setattr(store.engine, 'connect', gone)
    answer = client.get('/api/batches')
    assert answer.status_code == 503
    assert answer.headers['retry-after'] == '1'
    assert 'sqlite' not in answer.text


def test_the_service_has_the_review_where_it_is_wanted(store):
    from naics_embed.service.app import create_app

    make_batch(store, people=1)
    make_users(store, ann='administrator')

    def never():
        raise UserError('no model is needed here')

    app = create_app(
        ServiceConfig(), never, mounts={'/review': review_app(review_desk(store, CONFIG))}
    )
    client = client_of(app)
    assert 'NAICS review' in client.get('/review/').text
    assert client.get('/review/static/review.css').status_code == 200
    assert client.get('/review/api/me').status_code == 401
    answer = client.post('/review/api/sign-in', json={'name': 'ann', 'password': PASSWORD})
    assert 'Path=/review/' in answer.headers['set-cookie']
    assert client.get('/review/api/me').json()['name'] == 'ann'
    assert client.get('/healthz').json()['status'] == 'alive'
