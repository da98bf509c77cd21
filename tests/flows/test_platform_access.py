"""Who is let in by the platform's servers: nobody without a password, and no page of others."""

import base64
import json
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
import pytest
from mlflow import MlflowClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from flows.local_platform.guard import guarded, own_origins
from tests.flows.interrupted_runs import check_runs_outlive
from tests.flows.running_platform import Platform, wait

FOREIGN = 'http://evil.example'
TALK = 'ws://127.0.0.1:4200/talk'
PAGE = """
<!doctype html><title>working</title><script>
const api = API, auth = AUTH, mlflow = MLFLOW, found = {}
const body = JSON.stringify({job_variables: {command: COMMAND}, state: {type: 'SCHEDULED'}})
async function attempt(name, address, options) {
  try { found[name] = (await fetch(address, options)).status }
  catch (error) { found[name] = error.name }
}
async function main() {
  const json = {'Content-Type': 'application/json'}, plain = {'Content-Type': 'text/plain'}
  const flow_runs = `${api}/deployments/${DEPLOYMENT}/create_flow_run`
  await attempt('read', `${api}/deployments/filter`, {method: 'POST', headers: json, body: '{}'})
  await attempt('simple', flow_runs, {method: 'POST', headers: plain, body, mode: 'no-cors'})
  await attempt('json', flow_runs, {method: 'POST', headers: json, body})
  const signed = {...json, Authorization: auth}
  await attempt('password', flow_runs, {method: 'POST', headers: signed, body})
  await attempt('mlflow', `${mlflow}/api/2.0/mlflow/experiments/create`,
    {method: 'POST', headers: json, body: JSON.stringify({name: 'foreign'})})
  await attempt('mlflow-simple', `${mlflow}/api/2.0/mlflow/experiments/create`,
    {method: 'POST', headers: plain, body: JSON.stringify({name: 'simple'}), mode: 'no-cors'})
  document.title = JSON.stringify(found)
}
main()
</script>
"""


@pytest.fixture(scope='module')
def platform(tmp_path_factory):
    running = Platform(tmp_path_factory.mktemp('platform'), db='sqlite')
    yield running
    assert running.stop() == 0


def basic(platform) -> tuple[str, str]:
    user, _, password = platform.auth.partition(':')
    return user, password


def deployment_id(platform, name: str = 'build') -> str:
    with platform.client() as client:
        return str(next(one.id for one in client.read_deployments() if one.name == name))


@pytest.mark.slow
def test_without_the_password_the_api_gives_nothing(platform):
    ask = partial(httpx.post, f'{platform.api}/deployments/filter', json={}, timeout=60)
    assert ask().status_code == 401
    assert ask(auth=('naics', 'guessed')).status_code == 401
    assert ask(auth=basic(platform)).status_code == 200
    assert httpx.get(f'{platform.api}/health', timeout=60).status_code == 200
    secret = platform.folder / 'servers' / 'prefect-auth'
    exports = platform.folder / 'servers' / 'env'
    assert {path.stat().st_mode & 0o777 for path in (secret, exports)} == {0o600}


@pytest.mark.slow
@pytest.mark.parametrize('auth', [False, True], ids=['no password', 'password'])
def test_a_foreign_origin_and_a_foreign_host_are_refused(platform, auth):
    ask = partial(
        httpx.post,
        f'{platform.api}/deployments/filter',
        json={},
        timeout=60,
        auth=basic(platform) if auth else None,
    )
    for headers in ({'Origin': FOREIGN}, {'Origin': 'null'}, {'Origin': platform.ui}):
        refused = ask(headers=headers)
        assert refused.status_code == 403
        assert 'access-control-allow-origin' not in refused.headers
    for host in ('evil.example', f'evil.example:{platform.prefect}', '127.0.0.1.evil.example'):
        assert ask(headers={'Host': host}).status_code == 400


@pytest.mark.slow
def test_the_uis_own_origin_is_let_in(platform):
    own = f'http://localhost:{platform.prefect}'
    answer = httpx.post(
        f'{platform.api}/deployments/filter',
        json={},
        timeout=60,
        auth=basic(platform),
        headers={'Origin': own},
    )
    assert answer.status_code == 200
    assert answer.headers['access-control-allow-origin'] == own
    settings = httpx.get(f'http://127.0.0.1:{platform.prefect}/ui-settings', timeout=60).json()
    assert settings['auth'] == 'BASIC', 'the page asks for the password'


@pytest.mark.slow
@pytest.mark.parametrize(
    'variables',
    [
        {'command': 'touch executed'},
        {'env': {'PYTHONPATH': '/tmp'}},
        {'env.PYTHONSTARTUP': '/tmp/own.py'},
        {'working_dir': '/tmp'},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_run_chooses_no_program_even_with_the_password(platform, variables):
    answer = httpx.post(
        f'{platform.api}/deployments/{deployment_id(platform)}/create_flow_run',
        json={'job_variables': variables, 'state': {'type': 'SCHEDULED'}},
        auth=basic(platform),
        timeout=60,
    )
    assert answer.status_code == 422
    assert 'Additional properties are not allowed' in answer.text


@pytest.mark.slow
def test_mlflow_refuses_a_foreign_origin_and_host(platform):
    create = f'{platform.ui}/api/2.0/mlflow/experiments/create'
    for headers in ({'Origin': FOREIGN}, {'Host': 'evil.example'}):
        refused = httpx.post(create, json={'name': 'foreign'}, headers=headers, timeout=60)
        assert refused.status_code == 403


@pytest.mark.slow
def test_a_page_of_another_port_starts_nothing(platform, tmp_path, browser):
    before = {name: len(runs) for name, runs in platform.flow_runs().items()}
    values = {
        'API': platform.api,
        'MLFLOW': platform.ui,
        'AUTH': f'Basic {base64.b64encode(platform.auth.encode()).decode()}',
        'DEPLOYMENT': deployment_id(platform),
        'COMMAND': f'touch {tmp_path}/executed',
    }
    page = PAGE.replace('${DEPLOYMENT}', values.pop('DEPLOYMENT'))
    for name, value in values.items():
        page = page.replace(f'= {name},', f'= {json.dumps(value)},').replace(
            f'command: {name}', f'command: {json.dumps(value)}'
        )
    (tmp_path / 'index.html').write_text(page)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as foreign:
        threading.Thread(target=foreign.serve_forever, daemon=True).start()
        browser.get(f'http://127.0.0.1:{foreign.server_port}/')
        wait(lambda: browser.title.startswith('{'))
        foreign.shutdown()
    found = json.loads(browser.title)
    assert found == {
        'read': 'TypeError',
        'simple': 0,
        'json': 'TypeError',
        'password': 'TypeError',
        'mlflow': 'TypeError',
        'mlflow-simple': 0,
    }, 'nothing can be read; 0 is the answer that a page is not shown'
    assert {name: len(runs) for name, runs in platform.flow_runs().items()} == before
    assert {one.name for one in MlflowClient(platform.ui).search_experiments()} == {'Default'}
    assert not (tmp_path / 'executed').exists()


@pytest.mark.slow
def test_the_ui_asks_for_the_password_and_shows_the_runs(platform, browser):
    browser.get(f'http://127.0.0.1:{platform.prefect}/')
    wait(lambda: browser.find_elements('css selector', 'input[type=password]'))
    (field,) = browser.find_elements('css selector', 'input[type=password]')
    field.send_keys(platform.auth)
    field.submit()
    wait(lambda: 'Dashboard' in browser.page_source)
    browser.get(f'http://127.0.0.1:{platform.prefect}/deployments')
    wait(lambda: 'text-training' in browser.page_source)


@pytest.mark.slow
def test_no_port_is_open_beyond_loopback(platform):
    own = [psutil.Process(platform.process.pid)]
    own += own[0].children(recursive=True)
    listening = [
        connection.laddr
        for one in own
        for connection in one.net_connections(kind='inet')
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.port for address in listening} >= {platform.prefect, platform.mlflow}
    assert {address.ip for address in listening} == {'127.0.0.1'}


@pytest.mark.slow
def test_workers_do_not_have_the_passwords_of_the_servers(platform):
    environment = platform.process_of('cpu').environ()
    # /proc shows what a process was started with: what its own runs get is what counts.
    assert environment['PREFECT_API_AUTH_STRING'] == platform.auth
    code = (
        'import os, json; from flows.local_platform.worker import forget_passwords;'
        'forget_passwords();'
        'print(json.dumps(sorted(os.environ)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={**platform.env, **environment},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    names = set(json.loads(done.stdout))
    assert 'PREFECT_API_AUTH_STRING' in names
    assert not names & {'PREFECT_SERVER_API_AUTH_STRING', 'MLFLOW_BACKEND_STORE_URI', 'POSTGRES'}


async def hello(request):
    return PlainTextResponse('hello')


async def talk(websocket):
    await websocket.accept()
    await websocket.send_text('hello')
    await websocket.close()


@pytest.fixture
def guarded_client():
    app = Starlette(routes=[Route('/', hello), WebSocketRoute('/talk', talk)])
    return TestClient(
        guarded(app, ['127.0.0.1'], own_origins(4200)), base_url='http://127.0.0.1:4200'
    )


def test_a_websocket_of_a_foreign_page_is_refused(guarded_client):
    with guarded_client.websocket_connect(TALK) as socket:
        assert socket.receive_text() == 'hello'
    own = {'Origin': 'http://localhost:4200'}
    with guarded_client.websocket_connect(TALK, headers=own) as socket:
        assert socket.receive_text() == 'hello'
    with (
        pytest.raises(WebSocketDisconnect),
        guarded_client.websocket_connect(TALK, headers={'Origin': FOREIGN}),
    ):
        pass


@pytest.mark.parametrize(
    'headers,status',
    [
        ({}, 200),
        ({'Origin': 'http://127.0.0.1:4200'}, 200),
        ({'Origin': 'http://127.0.0.1:4201'}, 403),
        ({'Origin': 'https://127.0.0.1:4200'}, 403),
        ({'Origin': 'null'}, 403),
        ({'Origin': ''}, 403),
        ({'Host': 'evil.example'}, 400),
        ({'Host': ''}, 400),
    ],
)
def test_what_the_guard_lets_through(guarded_client, headers, status):
    assert guarded_client.get('/', headers=headers).status_code == status


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_a_server_that_is_killed_is_started_again_and_nothing_else(platform):
    names = ('prefect', 'cpu', 'gpu')
    others = {name: platform.process_of(name).pid for name in names}
    client = MlflowClient(platform.ui)
    experiment = client.create_experiment('kept')
    before = platform.process_of('mlflow')
    for child in [*before.children(recursive=True), before]:
        child.kill()
    wait(lambda: answers(f'{platform.ui}/health'))
    assert client.get_experiment(experiment).name == 'kept'
    assert platform.process_of('mlflow').pid != before.pid
    worker = platform.process_of('cpu')
    worker.kill()
    wait(lambda: platform.log.read_text().count("Worker 'cpu-1' started!") == 2)
    del others['cpu']
    assert {name: platform.process_of(name).pid for name in others} == others


@pytest.mark.slow
def test_runs_in_progress_outlive_the_platform(platform):
    check_runs_outlive(platform)
