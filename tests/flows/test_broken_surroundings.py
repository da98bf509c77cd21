"""The command line where a server, a disk or a database fails: one sentence, and status 2."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.prefect_api import check_server, server_error
from flows.runtime import prepare
from naics_embed.errors import DiskFullError, OrchestrationError
from tests.disks import fill, make_read_only, small_disk

ROOT = Path(__file__).resolve().parents[2]
CODEBOOK = ('data', 'codebook', '--profile', 'smoke', 'data.source=package')
FLOWS = (
    ('run',),
    ('data', 'all'),
    ('train',),
    ('evaluate',),
    ('bundle',),
    ('refine',),
    ('regress',),
    ('investigate',),
    ('code-batch', 'in', 'out', '--text-column', 'text'),
)
START = 'import sys; from naics_embed.cli.main import main; sys.argv[0] = "naics-embed"; main()'


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    err: str
    seconds: float

    def sentence(self) -> str:
        """Return what it said, which is one sentence or a few in one line, and no more."""
        assert self.status == 2, self.err[-2000:]
        assert 'Traceback' not in self.err
        assert self.out == ''
        last = self.err.splitlines()[-1]
        assert last.startswith('naics-embed: ')
        assert self.err.count('naics-embed: ') == 1
        return last


def command_line(home: Path, *arguments: str, **env: str) -> Ended:
    start = time.monotonic()
    # Of a user, not of the tests: who chooses a level sees what Prefect logs.
    own = {name: text for name, text in os.environ.items() if 'LOGGING_LEVEL' not in name}
    done = subprocess.run(
        [sys.executable, '-c', START, *arguments],
        cwd=ROOT,
        env={**own, 'PYTHONPATH': str(ROOT), 'PREFECT_HOME': str(home), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - start)


@pytest.fixture(scope='module')
def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize('command', FLOWS, ids=lambda command: command[0])
def test_no_command_waits_for_a_prefect_server_that_is_dead(command, free_port, tmp_path):
    url = f'http://someone:secret@127.0.0.1:{free_port}/api'
    ended = command_line(tmp_path, *command, PREFECT_API_URL=url)
    said = ended.sentence()
    assert f'127.0.0.1:{free_port}/api' in said
    assert 'gives no answer' in said
    assert 'start it (make platform), correct PREFECT_API_URL, or unset it' in said
    assert 'secret' not in said
    assert ended.seconds < 20, 'it takes one second where the machine is not busy'


@pytest.mark.parametrize('accepts', [True, False], ids=['accepts', 'drops packets'])
def test_nor_for_one_that_never_answers(accepts, tmp_path):
    with contextlib.ExitStack() as open_sockets:
        server = open_sockets.enter_context(socket.socket())
        server.bind(('127.0.0.1', 0))
        server.listen(50 if accepts else 0)
        port = server.getsockname()[1]
        for _ in range(0 if accepts else 8):
            client = open_sockets.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(('127.0.0.1', port))
        ended = command_line(tmp_path, *CODEBOOK, PREFECT_API_URL=f'http://127.0.0.1:{port}/api')
    assert 'gives no answer' in ended.sentence()
    assert ended.seconds < 25, 'it takes five seconds where the machine is not busy'


@contextlib.contextmanager
def answering(lines: bytes) -> Iterator[str]:
    """A server that answers everything so."""
    ended = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(lines)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.getsockname()[1]}/api'
        finally:
            ended.set()
            thread.join()


def settings_of(url: str):
    from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

    with temporary_settings({PREFECT_API_URL: url}):
        return get_current_settings()


def test_a_server_that_asks_for_a_password_says_which_variable_has_it():
    with (
        answering(b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n') as url,
        pytest.raises(OrchestrationError, match='asks for a password') as caught,
    ):
        check_server(settings_of(url))
    assert 'PREFECT_API_AUTH_STRING' in str(caught.value)
    assert 'source .platform/env' in str(caught.value)


@pytest.mark.slow
def test_a_real_server_with_a_password(tmp_path):
    """The server that a run starts for itself, with a password, in another process."""
    password = 'someone:secret'
    settings = {'PREFECT_HOME': str(tmp_path / 'there'), 'PREFECT_SERVER_API_AUTH_STRING': password}
    script = (
        'from flows.runtime import prepare; prepare(quiet=True)\n'
        'from flows.server import prefect_server\n'
        'from prefect.settings import PREFECT_API_URL\n'
        'with prefect_server() as ready:\n'
        '    ready(); print(PREFECT_API_URL.value(), flush=True); input()\n'
    )
    server = subprocess.Popen(
        [sys.executable, '-c', script],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = server.stdout.readline().strip()
        assert url
        command = (*CODEBOOK, f'runtime.root={tmp_path / "root"}')
        for given in ({}, {'PREFECT_API_AUTH_STRING': 'someone:else'}):
            said = command_line(tmp_path, *command, PREFECT_API_URL=url, **given).sentence()
            assert 'asks for a password (401)' in said
            assert 'PREFECT_API_AUTH_STRING' in said
        known = command_line(
            tmp_path, *command, PREFECT_API_URL=url, PREFECT_API_AUTH_STRING=password
        )
        assert known.status == 0, known.err[-2000:]
    finally:
        server.communicate('\n', timeout=120)


def test_the_pages_of_a_server_are_not_its_api():
    with (
        answering(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<!DOCTYPE html>') as url,
        pytest.raises(OrchestrationError, match='ends in /api'),
    ):
        check_server(settings_of(url))


@pytest.mark.parametrize(
    ('said', 'message'),
    [
        ('sqlite3.DatabaseError: file is not a database', 'prefect.db is damaged'),
        ('(sqlite3.OperationalError) unable to open database file', 'cannot be opened'),
        ('(sqlite3.OperationalError) attempt to write a readonly database', 'read-only'),
        ("alembic: Can't locate revision identified by 'ab12'", 'newer Prefect'),
    ],
)
def test_the_words_of_a_server_that_cannot_start(tmp_path, said, message):
    error = server_error(f'Traceback\n{said}\nApplication startup failed', tmp_path)
    assert message in str(error)
    assert '\n' not in str(error)


def test_a_full_disk_in_the_words_of_a_server(tmp_path):
    assert isinstance(server_error('database or disk is full', tmp_path), DiskFullError)
    assert server_error('ZeroDivisionError: a bug', tmp_path) is None


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, '127.0.0.1,localhost,::1'),
        ({'NO_PROXY': 'intra.example'}, 'intra.example,127.0.0.1,localhost,::1'),
        ({'no_proxy': 'localhost'}, 'localhost,127.0.0.1,::1'),
        ({'no_proxy': '*'}, '*'),
    ],
)
def test_a_proxy_is_not_asked_for_servers_of_this_machine(monkeypatch, given, expected):
    for name in ('no_proxy', 'NO_PROXY'):
        monkeypatch.setenv(name, '')
    monkeypatch.setenv('http_proxy', 'http://proxy.example:3128')
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    prepare(quiet=False)
    assert os.environ['no_proxy'] == expected


@pytest.fixture(scope='module')
def used(tmp_path_factory) -> Mapping[str, Path]:
    """A Prefect home and an artifact root as a first run leaves them."""
    folder = tmp_path_factory.mktemp('used')
    ended = command_line(folder / 'home', *CODEBOOK, f'runtime.root={folder / "root"}', '--json')
    assert ended.status == 0, ended.err[-2000:]
    assert json.loads(ended.out)['source'] == 'package'
    return {'home': folder / 'home', 'root': folder / 'root'}


def noise(path: Path, start: int = 0) -> None:
    """Overwrite a file from an offset on."""
    content = path.read_bytes()
    kept = content[:start]
    path.write_bytes(kept + bytes(index * 167 % 251 for index in range(len(content) - start)))


@pytest.mark.slow
def test_a_full_disk_under_the_artifact_root(used, tmp_path):
    with small_disk(tmp_path / 'disk', 4) as disk:
        shutil.copy(used['root'] / 'mlflow.db', disk)
        fill(disk)
        ended = command_line(used['home'], *CODEBOOK, f'runtime.root={disk}')
        assert f'no space left on the disk of {disk}' in ended.sentence()
        # There is space for the record of a run, and none for the outputs of the stage.
        fill(disk, leave=150_000)
        command = ('data', 'distances', *CODEBOOK[2:])
        ended = command_line(used['home'], *command, f'runtime.root={disk}', '--json')
        assert 'no space left on the disk of' in ended.sentence()


@pytest.mark.slow
def test_a_read_only_artifact_root(used, tmp_path):
    with small_disk(tmp_path / 'disk', 4) as disk:
        make_read_only(disk)
        for root in (disk, disk / 'folder'):
            ended = command_line(used['home'], *CODEBOOK, f'runtime.root={root}')
            assert 'cannot be written, it is read-only' in ended.sentence()
            assert str(disk) in ended.sentence()


@pytest.mark.slow
def test_a_full_or_read_only_disk_under_the_home_of_prefect(used, tmp_path):
    with small_disk(tmp_path / 'disk', 4) as disk:
        shutil.copytree(used['home'], disk / 'home')
        fill(disk)
        ended = command_line(disk / 'home', *CODEBOOK, f'runtime.root={tmp_path / "root"}')
        assert f'no space left on the disk of {disk}/home' in ended.sentence()
        make_read_only(disk)
        ended = command_line(disk / 'new', *CODEBOOK, f'runtime.root={tmp_path / "root"}')
        assert f'the disk of {disk}/new cannot be written' in ended.sentence()
        assert ended.err.count('\n') == 1


@pytest.mark.slow
@pytest.mark.parametrize('start', [0, 8192], ids=['whole', 'behind its head'])
def test_a_damaged_database_of_prefect(used, tmp_path, start):
    home = shutil.copytree(used['home'], tmp_path / 'home')
    noise(home / 'prefect.db', start)
    ended = command_line(home, *CODEBOOK, f'runtime.root={tmp_path / "root"}')
    assert f'{home}/prefect.db is damaged; move it away' in ended.sentence()
    (home / 'prefect.db').rename(home / 'moved.db')
    again = command_line(home, *CODEBOOK, f'runtime.root={tmp_path / "root"}')
    assert again.status == 0, again.err[-2000:]


@pytest.mark.slow
def test_a_damaged_tracking_database(used, tmp_path):
    root = tmp_path / 'root'
    root.mkdir()
    shutil.copy(used['root'] / 'mlflow.db', root)
    noise(root / 'mlflow.db')
    ended = command_line(used['home'], *CODEBOOK, f'runtime.root={root}')
    assert f'{root}/mlflow.db is damaged' in ended.sentence()
    for command in (('diff', 'latest', 'promoted'), ('visualize',)):
        assert 'is damaged' in command_line(used['home'], *command, '--root', str(root)).sentence()
