"""One engine on a small bundle, and clients of apps around it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tiny_bundle import write_tiny_bundle, write_tiny_encoder

from naics_embed.config.service import ServiceConfig
from naics_embed.service.app import create_app
from naics_embed.service.engine import Engine

CONFIG = ServiceConfig(workers=2, max_texts=8, max_characters=200, max_body_bytes=4096, max_k=20)
PATIENCE_S = 60


@pytest.fixture(scope='session')
def bundle_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('service')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture(scope='session')
def engine(bundle_path) -> Engine:
    return Engine.load(bundle_path, CONFIG.map_stretch)


def wait_until(met: Callable[[], bool]) -> None:
    """Return when a condition is met; fail after a minute."""
    end = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.01)


@pytest.fixture
def serve(engine) -> Iterator[Callable[..., TestClient]]:
    """Start apps with other limits or another engine; each is ready unless told otherwise."""
    started = []

    def start(load=lambda: engine, *, ready: bool = True, on_failure=None, **limits) -> TestClient:
        app = create_app(replace(CONFIG, **limits), load, on_failure)
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        started.append(client)
        if ready:
            wait_until(lambda: client.get('/readyz').status_code == 200)
        return client

    yield start
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture(scope='module')
def client(engine) -> Iterator[TestClient]:
    with TestClient(create_app(CONFIG, lambda: engine), raise_server_exceptions=False) as opened:
        wait_until(lambda: opened.get('/readyz').status_code == 200)
        yield opened
