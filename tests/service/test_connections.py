"""Clients that keep a real server waiting: slow, idle, too many."""

import contextlib
import json
import logging
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from naics_embed.errors import UserError
from naics_embed.service.app import create_app
from naics_embed.service.listening import listen, make_server
from naics_embed.service.open_files import RESERVE, connection_limit
from naics_embed.service.rare import RareWarnings
from tests.service.service_help import CONFIG, ROOT, START_S, wait_until

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
del sys.argv[1]
from naics_embed.cli.main import main
main()
"""
SHORT = {
    'header_timeout_s': 1.0,
    'body_timeout_s': 1.0,
    'keep_alive_s': 1.0,
    'write_timeout_s': 1.0,
}
LONG_S = 600.0
SMALL = 4096
WAIT_S = 30
HEAD = b'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n'
WHOLE = HEAD + b'\r\n'
POST = b'POST /v1/code HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n'
CORN = json.dumps({'texts': 'corn farming'}).encode()


@pytest.fixture
def start(engine) -> Iterator[Callable[..., int]]:
    """Start servers in threads of this process; returns the port of each."""
    running = []

    def begin(limit: int = 100, *, send_buffer: int | None = None, **settings) -> int:
        config = replace(CONFIG, **settings)
        listening = listen(config.host, 0)
        if send_buffer is not None:
            # Connections inherit it; it would grow to megabytes by itself.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        port = listening.getsockname()[1]
        server = make_server(create_app(config, lambda: engine), config, listening, limit)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        shown = '[::1]' if ':' in config.host else '127.0.0.1'
        wait_until(lambda: is_ready(port, shown), START_S)
        return port

    yield begin
    for server, thread in running:
        server.should_exit = True
        thread.join(WAIT_S)
        assert not thread.is_alive()


def connect(port: int, first: bytes = b'') -> socket.socket:
    client = socket.create_connection(('127.0.0.1', port), WAIT_S)
    client.sendall(first)
    return client


def get(port: int, path: str, host: str = '127.0.0.1', **headers: str) -> int:
    request = urllib.request.Request(f'http://{host}:{port}{path}', headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def is_ready(port: int, host: str) -> bool:
    """Whether it answers; on a busy machine the request itself may miss a short deadline."""
    try:
        return get(port, '/readyz', host) == 200
    except OSError:
        return False


def dropped(port: int) -> dict[str, float]:
    """Reason → connections that the server closed itself."""
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=WAIT_S) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        sample.labels['reason']: sample.value
        for family in families
        for sample in family.samples
        if sample.name == 'naics_embed_connections_dropped_total'
    }


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed a connection; what it sent before is read."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


def seconds_open(client: socket.socket, begun: float, drip: bytes = b'') -> float:
    """Seconds from ``begun`` until the server closes; ``drip`` is sent every tenth of a second.

    A deadline that was not the short one would be LONG_S: on a busy machine only that is certain.
    """
    while not is_closed(client):
        assert time.monotonic() < begun + WAIT_S, 'the connection stays open'
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(drip)
        time.sleep(0.1)
    client.close()
    return time.monotonic() - begun


def read_answer(client: socket.socket) -> tuple[int, bytes]:
    """Status and body of an answer that has a length."""
    content = b''
    while b'\r\n\r\n' not in content:
        content += (part := client.recv(65536))
        assert part, content
    head, _, body = content.partition(b'\r\n\r\n')
    length = int(re.search(rb'(?i)content-length: (\d+)', head).group(1))
    while len(body) < length:
        body += client.recv(65536)
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    ('first', 'drip'),
    [
        (b'', b''),
        (HEAD, b''),
        (HEAD + b'X-a: ', b'b'),
        (b'G', b''),
    ],
    ids=['nothing', 'half', 'byte by byte', 'one byte'],
)
def test_headers_have_a_deadline(start, first, drip):
    port = start(**SHORT | {'keep_alive_s': LONG_S})
    begun = time.monotonic()
    assert seconds_open(connect(port, first), begun, drip) > 0.5
    assert dropped(port) == {'header': 1}


@pytest.mark.parametrize(
    ('second', 'drip'),
    [(HEAD + b'X-a: ', b'b'), (b'G', b'')],
    ids=['byte by byte', 'one byte'],
)
def test_headers_of_a_further_request_have_a_deadline(start, second, drip):
    port = start(**SHORT | {'keep_alive_s': 20.0})
    client = connect(port, WHOLE)
    assert read_answer(client)[0] == 200
    # A rest is not part of the deadline.
    time.sleep(1.5)
    assert not is_closed(client)
    begun = time.monotonic()
    client.sendall(second)
    assert 0.5 < seconds_open(client, begun, drip) < 15
    assert dropped(port) == {'header': 1}


def test_a_connection_rests_no_longer_than_it_may(start):
    port = start(**SHORT | {'header_timeout_s': LONG_S})
    begun = time.monotonic()
    client = connect(port, WHOLE)
    assert read_answer(client)[0] == 200
    assert seconds_open(client, begun) > 0.5


def test_the_body_of_a_post_has_a_deadline(start):
    port = start(**SHORT | {'header_timeout_s': LONG_S, 'keep_alive_s': LONG_S})
    client = connect(port, POST + b'Content-Length: 1000\r\n\r\n{')
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.1):
            with contextlib.suppress(OSError):
                client.send(b' ')

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        status, body = read_answer(client)
    finally:
        stop.set()
        thread.join()
    assert status == 408
    assert b'within 1 s' in body
    seconds_open(client, time.monotonic())


def test_a_body_that_nobody_reads_has_a_deadline(start):
    port = start(**SHORT | {'keep_alive_s': LONG_S})
    begun = time.monotonic()
    client = connect(port, HEAD + b'Content-Length: 100000\r\n\r\n')
    assert read_answer(client)[0] == 200
    assert seconds_open(client, begun, b'x') > 0.5
    assert dropped(port) == {'header': 1}


def reader(port: int, request: bytes) -> socket.socket:
    """A client whose system takes little before it is read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    client.settimeout(WAIT_S)
    client.connect(('127.0.0.1', port))
    client.sendall(request)
    return client


@pytest.mark.parametrize('reads', [0, 1000])
@pytest.mark.parametrize('path', [b'/v1/map', b'/openapi.json'])
@pytest.mark.parametrize('more', [b'', b'Connection: close\r\n'])
def test_an_answer_must_be_taken_in_time(start, path, more, reads):
    """Also one of less than the 64 KiB after which asyncio speaks of a full buffer."""
    port = start(**SHORT, send_buffer=SMALL)
    client = reader(port, b'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n' % (path, more))
    end = time.monotonic() + WAIT_S
    while not dropped(port).get('write'):
        assert time.monotonic() < end, 'the connection stays open'
        if reads:
            client.recv(reads)
        time.sleep(0.2)
    client.close()
    assert dropped(port) == {'write': 1}


def test_an_answer_may_be_taken_slowly(start):
    port = start(write_timeout_s=WAIT_S, keep_alive_s=LONG_S, send_buffer=SMALL)
    client = reader(port, b'GET /v1/map HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    time.sleep(1)
    status, body = read_answer(client)
    assert status == 200
    assert len(json.loads(body)['code']) > 2000
    client.sendall(WHOLE)
    assert read_answer(client)[0] == 200
    client.close()
    assert dropped(port) == {}


def test_patient_clients_are_served(start):
    """Slow, but within every deadline; and more than one request in one segment."""
    port = start(header_timeout_s=WAIT_S, body_timeout_s=WAIT_S)
    client = connect(port)
    request = POST + b'Content-Length: %d\r\n\r\n' % len(CORN) + CORN
    for byte in request:
        client.sendall(bytes([byte]))
        time.sleep(0.002)
    status, body = read_answer(client)
    assert status == 200
    assert json.loads(body)['answers'][0]['hits'][0]['title'] == 'Corn Farming'
    client.sendall(WHOLE * 3)
    received = b''
    while received.count(b'"alive"') < 3:
        received += client.recv(65536)
    client.sendall(HEAD + b'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    assert read_answer(client)[0] == 200
    client.close()
    assert dropped(port) == {}


@pytest.mark.parametrize(
    ('bound', 'name'),
    [('127.0.0.1', '127.0.0.1'), ('127.0.0.1', 'localhost'), ('::1', '[::1]'), ('0.0.0.0', '')],
)
def test_the_page_has_every_name_of_this_machine(start, bound, name):
    if bound == '::1':
        try:
            listen('::1', 0).close()
        except UserError as error:
            pytest.skip(f'there is no IPv6 here: {error}')
    port = start(host=bound)
    # Any address of this machine will do where all are listened on.
    name = name or '127.3.2.1'
    assert get(port, '/', name) == 200
    assert get(port, '/v1/codes/11', name, Origin=f'http://{name}:{port}') == 200
    assert get(port, '/v1/codes/11', name, Origin=f'http://{name}:{port + 1}') == 403
    assert get(port, '/v1/codes/11', name, Host='evil.example') == 421
    assert get(port, '/healthz', name, Host=f'10.244.1.17:{port}') == 200


def test_new_connections_replace_the_one_that_waited_longest(start):
    port = start(4, header_timeout_s=LONG_S, keep_alive_s=LONG_S, body_timeout_s=LONG_S)
    slow = connect(port, HEAD)
    resting = connect(port, WHOLE)
    assert read_answer(resting)[0] == 200
    body = connect(port, POST + b'Content-Length: 99\r\n\r\n{')
    wait_until(lambda: get(port, '/healthz') == 200)
    # A byte changes nothing about who has waited longest.
    slow.sendall(b'X')
    busy = connect(port, WHOLE)
    assert read_answer(busy)[0] == 200
    gone = []
    for client in (slow, resting, body):
        extra = connect(port, WHOLE)
        assert read_answer(extra)[0] == 200
        gone.append(extra)
        wait_until(lambda one=client: is_closed(one))
    assert not is_closed(busy)
    for client in (slow, resting, body, busy, *gone):
        client.close()


def test_answers_under_way_are_not_given_up_for_new_connections(start, engine, monkeypatch):
    begun, go = threading.Semaphore(0), threading.Event()
    card = engine.card

    def held(code: str, similar: int, by: str = 'tree'):
        begun.release()
        assert go.wait(WAIT_S)
        return card(code, similar, by)

    monkeypatch.setattr(type(engine), 'card', lambda self, *asked: held(*asked))
    port = start(2)
    request = b'GET /v1/codes/11 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
    try:
        clients = [connect(port, request) for _ in range(2)]
        for _ in clients:
            assert begun.acquire(timeout=WAIT_S)
        refused = connect(port)
        status, body = read_answer(refused)
        assert status == 503
        assert b'the limit of connections is reached' in body
        assert refused.recv(1) == b''
    finally:
        go.set()
    for client in clients:
        assert read_answer(client)[0] == 200
        client.close()


def files_of(process: subprocess.Popen[bytes]) -> int:
    return len(list(Path(f'/proc/{process.pid}/fd').iterdir()))


@pytest.fixture(scope='module')
def files() -> Iterator[int]:
    """How many files a server may open, so that this process can open more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(1024, hard // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope='module')
def service(bundle_path, tmp_path_factory, files) -> Iterator[tuple]:
    """Process, port and log of the command under a limit of open files; no traceback at its end."""
    log = tmp_path_factory.mktemp('service') / 'log'
    settings = ('service.header_timeout_s=15', f'service.max_connections={files}')
    with log.open('w') as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, '-c', LIMITED, str(files)),
                *('serve', '--port', '0', '--bundle', str(bundle_path), *settings),
            ],
            stderr=errors,
            cwd=ROOT,
        )
    try:
        end = time.monotonic() + START_S
        while 'ready:' not in (written := log.read_text()):
            assert process.poll() is None, written
            assert time.monotonic() < end, written
            time.sleep(0.1)
        port = re.search(r'listening on http://127\.0\.0\.1:(\d+)', written).group(1)
        yield process, int(port), log
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)
    finally:
        process.kill()
    assert 'Traceback' not in log.read_text()


@contextlib.contextmanager
def many(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections that never finish their headers."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(port, HEAD + b'X-a: ')) for _ in range(count)]


@pytest.mark.slow
def test_more_connections_than_files(service, files):
    process, port, log = service
    limit = files - RESERVE
    assert f'at most {limit} connections instead of service.max_connections' in log.read_text()
    with many(port, files + 76) as clients:
        for _ in range(3):
            begun = time.monotonic()
            assert get(port, '/healthz') == 200
            assert get(port, '/v1/codes/11') == 200
            assert time.monotonic() - begun < 12
        assert files_of(process) < files
        end = time.monotonic() + START_S
        while not all(map(is_closed, clients)):
            assert time.monotonic() < end, 'connections stay open'
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b'b')
            time.sleep(0.5)
        assert get(port, '/healthz') == 200
    counts = dropped(port)
    assert counts['replaced'] + counts['header'] == len(clients)
    assert counts['replaced'] >= 76
    assert log.stat().st_size < 10_000


@pytest.mark.slow
def test_the_system_refuses_more_files(service, files):
    """What the limit of connections cannot prevent: others take the files."""
    process, port, log = service
    used = files_of(process)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 10, files))
    with many(port, 40):
        assert get(port, '/healthz') == 200
        time.sleep(2)
    assert log.read_text().count('no connection can be accepted: [Errno 24]') == 1
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files, files))
    assert get(port, '/healthz') == 200


@pytest.fixture
def limits(monkeypatch):
    """Limits of open files that nobody else has."""
    held = [256, 4096]

    def setrlimit(_: int, wanted: tuple[int, int]) -> None:
        held[:] = wanted

    monkeypatch.setattr(resource, 'getrlimit', lambda _: tuple(held))
    monkeypatch.setattr(resource, 'setrlimit', setrlimit)
    return held


def test_the_soft_limit_is_raised_as_far_as_needed(limits, caplog):
    caplog.set_level(logging.INFO)
    assert connection_limit(1000) == 1000
    assert limits == [1000 + RESERVE, 4096]
    assert 'at most 1000 connections' in caplog.text
    assert connection_limit(500) == 500
    assert limits == [1000 + RESERVE, 4096]
    assert connection_limit(9000) == 4096 - RESERVE
    assert f'ulimit -n {9000 + RESERVE}' in caplog.text
    limits[:] = [resource.RLIM_INFINITY] * 2
    assert connection_limit(9000) == 9000
    limits[:] = [256, resource.RLIM_INFINITY]
    assert connection_limit(9000) == 9000


def test_too_few_files_are_refused(limits):
    limits[:] = [64, 64]
    with pytest.raises(UserError, match=f'only 64 files, .*ulimit -n {1000 + RESERVE}'):
        connection_limit(1000)
    limits[:] = [RESERVE + 2, RESERVE + 2]
    assert connection_limit(2) == 2


def test_warnings_are_written_once_in_a_while(caplog):
    now = [0.0]
    logger = logging.getLogger('tests.rare')
    rare = RareWarnings(30.0, lambda: now[0])
    logger.addFilter(rare)
    try:
        for _ in range(1000):
            logger.warning('full: %d', 7)
            logger.error('a bug')
        logger.warning('another')
        now[0] = 31.0
        logger.warning('full: %d', 8)
    finally:
        logger.removeFilter(rare)
    written = [message for message in caplog.messages if message != 'a bug']
    assert written == ['full: 7', 'another', 'full: 8 (999 more since the last such line)']
    assert caplog.messages.count('a bug') == 1000


def test_what_is_no_http_is_logged_once(start, caplog):
    logger = logging.getLogger('uvicorn.error')
    rare = RareWarnings()
    logger.addFilter(rare)
    try:
        port = start()
        for _ in range(20):
            client = connect(port, b'\x16\x03\x01\r\n\r\n')
            assert select.select([client], [], [], WAIT_S)[0]
            assert client.recv(12) == b'HTTP/1.1 400'
            client.close()
    finally:
        logger.removeFilter(rare)
    assert caplog.messages.count('Invalid HTTP request received.') == 1
