"""One engine on a small bundle, and clients of apps around it."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from naics_embed.service.app import create_app
from naics_embed.service.engine import Engine
from tests.service.service_help import (
    ADDRESS,
    CHROMEDRIVER,
    CHROMIUM,
    CONFIG,
    FLAGS,
    NAME,
    START_S,
    WAIT_S,
    start,
    wait_until,
)
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='session')
def bundle_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('service')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture(scope='session')
def engine(bundle_path) -> Engine:
    return Engine.load(bundle_path, CONFIG.map_stretch)


@pytest.fixture
def serve(engine) -> Iterator[Callable[..., TestClient]]:
    """Start apps with other limits or another engine; each is ready unless `ready` is false."""
    started = []

    def begin(load=lambda: engine, *, ready: bool = True, on_failure=None, **limits) -> TestClient:
        app = create_app(replace(CONFIG, **limits), load, on_failure)
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        started.append(client)
        if ready:
            wait_until(lambda: client.get('/readyz').status_code == 200)
        return client

    yield begin
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture(scope='module')
def client(engine) -> Iterator[TestClient]:
    with TestClient(create_app(CONFIG, lambda: engine), raise_server_exceptions=False) as opened:
        wait_until(lambda: opened.get('/readyz').status_code == 200)
        yield opened


@pytest.fixture(scope='session')
def server(bundle_path) -> Iterator[str]:
    """Address of a server; it must stop at a signal, without an error in its log."""
    settings = ('service.max_characters=300', f'service.allowed_hosts=[{NAME}]')
    process = start('--port', 0, '--bundle', bundle_path, *settings)
    log = []
    for line in process.stderr:
        log.append(line)
        if found := ADDRESS.search(line):
            break
    else:
        pytest.fail(''.join(log))
    address = found.group(1)
    end = time.monotonic() + START_S
    while not any('ready' in line for line in log):
        assert time.monotonic() < end
        log.append(process.stderr.readline())
    yield address
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=WAIT_S)
    assert 'Traceback' not in rest + ''.join(log)
    # Nobody's query is in the log.
    assert 'v1/search' not in rest


@pytest.fixture(scope='session')
def browser(tmp_path_factory) -> Iterator:
    """A browser that has used nothing before."""
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip('there is no chromium with its chromedriver on this machine')
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    for flag in (*FLAGS, f'--user-data-dir={tmp_path_factory.mktemp("chromium")}'):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(server, browser):
    """The page, as it is opened."""
    browser.get(server)
    browser.get_log('browser')
    return browser
