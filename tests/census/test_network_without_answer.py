"""A network that gives no answer, as each of its parts can: ``auto`` soon takes the package."""

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from naics_embed.census.edition import DEFAULT, read_edition
from naics_embed.census.sources import Source, acquire
from naics_embed.config.load import load_config
from naics_embed.errors import ConfigError

WORKBOOKS = read_edition(DEFAULT).workbooks

PATIENCE_S = 1.0
AT_MOST_S = 10.0
"""The patience, and what a busy machine may add; without it each case takes 20 s or more."""


@pytest.fixture
def hurried(quick):
    return dataclasses.replace(quick, auto_deadline_s=PATIENCE_S, auto_least_rate=10_000.0)


@pytest.fixture
def auto(tmp_path, hurried) -> Callable[..., tuple[Source, float]]:
    def call(base_url: str | None, settings=hurried) -> tuple[Source, float]:
        start = time.monotonic()
        source = acquire(
            'auto', folder=None, cache_dir=tmp_path / 'cache', settings=settings, base_url=base_url
        )
        return source, time.monotonic() - start

    return call


@contextlib.contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections and hand each to a function in a thread of its own; yield the port."""
    ended = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(0.05)

        def accept() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    threading.Thread(target=talk, args=server.accept()[:1], daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def silent(connection: socket.socket) -> None:
    with connection:
        connection.settimeout(30)
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass


def byte_by_byte(answer: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            for byte in answer:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    return talk


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """Listen and never accept: once the queue is full, the system drops what asks to connect."""
    with socket.socket() as server, contextlib.ExitStack() as waiting:
        server.bind(('127.0.0.1', 0))
        server.listen(0)
        port = server.getsockname()[1]
        for _ in range(8):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(('127.0.0.1', port))
        yield port


def is_the_package(found: tuple[Source, float], *said: str) -> None:
    source, seconds = found
    assert source.kind == 'package'
    assert source.warnings[0].startswith('TITLES ONLY')
    assert 'data.http.auto_deadline_s' in source.warnings[0]
    for words in said:
        assert words in source.warnings[0]
    assert PATIENCE_S * 0.8 <= seconds < AT_MOST_S


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ('HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)


def test_packets_that_are_dropped(auto):
    with full_backlog() as port:
        is_the_package(auto(f'http://127.0.0.1:{port}/naics'), '2-6 digit_2022_Codes.xlsx')


def test_a_server_that_accepts_and_says_nothing(auto):
    with listening(silent) as port:
        is_the_package(auto(f'http://127.0.0.1:{port}/naics'))


def test_a_proxy_that_accepts_and_says_nothing(auto, monkeypatch):
    with listening(silent) as port:
        monkeypatch.setenv('HTTPS_PROXY', f'http://127.0.0.1:{port}')
        is_the_package(auto(None), 'www.census.gov')


def test_a_name_server_that_says_nothing(auto, monkeypatch):
    # The resolver of the system has no time-out that a caller can set.
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *_, **__: time.sleep(10))
    is_the_package(auto(None), 'no answer')


def test_headers_that_come_byte_by_byte(auto):
    with listening(byte_by_byte(b'HTTP/1.1 200 OK\r\n' + b'X-Filler: yes\r\n' * 100)) as port:
        is_the_package(auto(f'http://127.0.0.1:{port}/naics'), 'no answer')


def test_a_workbook_that_comes_byte_by_byte(auto, tmp_path):
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n'

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(head)
            for _ in range(200):
                connection.sendall(b'P')
                time.sleep(0.05)

    with listening(talk) as port:
        is_the_package(auto(f'http://127.0.0.1:{port}/naics'), 'before the deadline')
    assert not list((tmp_path / 'cache').glob('*.xlsx'))


def test_a_slow_download_that_goes_on_is_not_cut_off(
    auto, hurried, census, tmp_path, loopback, answer
):
    folder = census.write(tmp_path / 'published')
    for workbook in WORKBOOKS.values():
        content = (folder / workbook.file_name).read_bytes()
        # The four take more than twice the patience, at more than the least rate.
        pieces = answer(content, pieces=10, pause_s=PATIENCE_S / 16)
        loopback.by_name[workbook.url.rsplit('/', 1)[-1]] = pieces
    rate = min(path.stat().st_size for path in folder.iterdir()) / (PATIENCE_S * 10 / 16)
    source, seconds = auto(loopback.url, dataclasses.replace(hurried, auto_least_rate=rate / 4))
    assert (source.kind, source.missing) == ('census', ())
    assert seconds > 2 * PATIENCE_S


def test_all_workbooks_share_the_time(auto, census, tmp_path, loopback, answer):
    folder = census.write(tmp_path / 'published')
    for workbook in WORKBOOKS.values():
        content = (folder / workbook.file_name).read_bytes()
        name = workbook.url.rsplit('/', 1)[-1]
        loopback.by_name[name] = answer(content, pause_s=0 if workbook.key == 'codes' else 30)
    source, seconds = auto(loopback.url)
    assert (source.kind, source.missing) == (
        'census',
        ('descriptions', 'index', 'cross_references'),
    )
    assert seconds < AT_MOST_S


def test_census_keeps_its_patience(tmp_path, hurried, census, loopback, answer):
    folder = census.write(tmp_path / 'published')
    for workbook in WORKBOOKS.values():
        content = (folder / workbook.file_name).read_bytes()
        pause = 1.5 * PATIENCE_S if workbook.key == 'codes' else 0
        loopback.by_name[workbook.url.rsplit('/', 1)[-1]] = answer(content, pause_s=pause)
    source = acquire(
        'census',
        folder=None,
        cache_dir=tmp_path / 'cache',
        settings=hurried,
        base_url=loopback.url,
    )
    assert (source.kind, source.missing) == ('census', ())


@pytest.mark.parametrize('key', ['auto_deadline_s', 'auto_least_rate'])
def test_the_configuration_wants_some_patience(key):
    configs = Path(__file__).resolve().parents[2] / 'configs'
    with pytest.raises(ConfigError, match=f'data.http.{key} must be above 0'):
        load_config(configs, None, [f'data.http.{key}=0'])
