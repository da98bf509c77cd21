"""Each check, on a machine that is fit and on one that is not."""

import fcntl
import json
import socket
import sqlite3
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from naics_embed.bundle.promotion import promote
from naics_embed.census.edition import read_edition
from naics_embed.cli import main as entry
from naics_embed.cli.doctor import _print
from naics_embed.config.load import load_config
from naics_embed.config.model import BackboneConfig
from naics_embed.doctor import census, machine, packages, servers, storage
from naics_embed.doctor.examine import examine
from naics_embed.doctor.finding import Level, ok, size_text, warn
from naics_embed.sqlite_address import sqlite_address
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(status: int, body: bytes = b'"3.8.8"', password: str | None = None) -> Iterator[str]:
    """A server on loopback that gives every request one status, and one answer to who may ask."""
    expected = None if password is None else f'Basic {b64encode(password.encode()).decode()}'

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            refused = expected is not None and self.headers['Authorization'] != expected
            self.send_response(401 if refused else status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ('status', 'level'), [(200, Level.OK), (401, Level.WARN), (403, Level.WARN), (500, Level.FAIL)]
)
def test_servers_that_answer(status, level, tmp_path):
    with serving(status) as url:
        prefect = servers.check_prefect({'PREFECT_API_URL': f'{url}/api'})
        mlflow = servers.check_mlflow({'MLFLOW_TRACKING_URI': url}, tmp_path)
    for found in (prefect, mlflow):
        assert found.level is level
        assert str(status) in found.found
        assert bool(found.remedy) is (level is not Level.OK)
    assert '/api/admin/version' in prefect.found


def test_the_password_of_prefect_is_given_and_asked_for():
    with serving(200, password='naics:secret') as url:
        named = {'PREFECT_API_URL': f'{url}/api'}
        without = servers.check_prefect(named)
        assert without.level is Level.WARN
        assert 'PREFECT_API_AUTH_STRING' in without.remedy
        assert 'source .platform/env' in without.remedy
        wrong = servers.check_prefect({**named, 'PREFECT_API_AUTH_STRING': 'naics:other'})
        assert wrong.level is Level.WARN
        right = servers.check_prefect({**named, 'PREFECT_API_AUTH_STRING': 'naics:secret'})
        assert right.level is Level.OK
        address = url.replace('//', '//naics:secret@')
        inside = servers.check_prefect({'PREFECT_API_URL': f'{address}/api'})
        assert inside.level is Level.OK
        assert 'secret' not in inside.found


def test_an_address_of_pages_is_not_that_of_the_api():
    with serving(200, b'<!DOCTYPE html>') as url:
        found = servers.check_prefect({'PREFECT_API_URL': url})
    assert found.level is Level.FAIL
    assert 'ends in /api' in found.remedy


@pytest.mark.parametrize('answer', [b'', b'HTTP/1.1 200 OK\r\n'])
def test_a_server_that_is_silent_or_trickles_is_given_up_in_time(answer):
    ended = threading.Event()

    def trickle(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            for byte in answer * 20:
                if ended.wait(0.1):
                    return
                connection.sendall(bytes([byte]))
            ended.wait(30)

    with socket.create_server(('127.0.0.1', 0)) as server:
        thread = threading.Thread(target=trickle, args=(server,))
        thread.start()
        start = time.monotonic()
        named = {'PREFECT_API_URL': f'http://127.0.0.1:{server.getsockname()[1]}/api'}
        found = servers.check_prefect(named, timeout=0.5)
        seconds = time.monotonic() - start
        ended.set()
        thread.join()
    assert found.level is Level.FAIL
    assert 'gives no answer' in found.found
    assert seconds < 3


def test_a_proxy_is_not_asked_for_a_server_of_this_machine(monkeypatch):
    monkeypatch.setenv('http_proxy', f'http://127.0.0.1:{free_port()}')
    monkeypatch.delenv('no_proxy', raising=False)
    monkeypatch.delenv('NO_PROXY', raising=False)
    with serving(200) as url:
        assert servers.check_prefect({'PREFECT_API_URL': f'{url}/api'}).level is Level.OK


def test_the_database_of_prefect(tmp_path):
    assert servers.check_prefect_database({}, tmp_path).level is Level.OK
    (tmp_path / 'prefect.db').write_bytes(b'no database, whatever its name says' * 100)
    damaged = servers.check_prefect_database({}, tmp_path)
    assert damaged.level is Level.FAIL
    assert 'damaged' in damaged.found
    named = {'PREFECT_API_URL': 'http://127.0.0.1:4200/api'}
    assert servers.check_prefect_database(named, tmp_path).level is Level.OK


def test_servers_that_do_not(tmp_path):
    url = f'http://127.0.0.1:{free_port()}'
    prefect = servers.check_prefect({'PREFECT_API_URL': url})
    assert prefect.level is Level.FAIL
    assert 'PREFECT_API_URL' in prefect.remedy
    assert servers.check_mlflow({'MLFLOW_TRACKING_URI': url}, tmp_path).level is Level.FAIL
    assert servers.check_prefect({'PREFECT_API_URL': 'nonsense'}).level is Level.FAIL
    assert servers.check_prefect({}).level is Level.OK


def test_the_tracking_database(tmp_path):
    assert servers.check_mlflow({}, tmp_path).level is Level.OK
    file = tmp_path / 'mlflow.db'
    file.write_text('this is no database, whatever its name says; it is long enough to be read')
    damaged = servers.check_mlflow({}, tmp_path)
    assert damaged.level is Level.FAIL
    assert 'damaged' in damaged.found
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute('create table runs (id text)')
        connection.execute("insert into runs values ('a')")
    assert 'holds 1 runs' in servers.check_mlflow({}, tmp_path).found
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute('begin exclusive')
    locked = servers.check_mlflow({}, tmp_path, timeout=0.1)
    writer.close()
    assert locked.level is Level.WARN
    assert 'make platform' in locked.remedy
    other = servers.check_mlflow({'MLFLOW_TRACKING_URI': 'postgresql://x'}, tmp_path)
    assert 'not tried' in other.found


def versions(**installed):
    return lambda name: installed.get(name.replace('-', '_'))


def test_packages_against_requirements(monkeypatch, tmp_path):
    lines = [
        'numpy>=2',
        'rich>=13',
        'prefect>=3.8,<4; extra == "train"',
        'mlflow; extra == "train"',
    ]
    monkeypatch.setattr(packages, 'requires', lambda name: lines)

    def levels(constraints=None, **installed):
        found = packages.check_packages(constraints, versions(**installed))
        return {finding.subject: finding for finding in found}

    good = {'numpy': '2.4.6', 'rich': '15.0'}
    found = levels(**good)
    assert found['packages'].level is Level.OK
    assert (found['extra train'].level, found['extra train'].remedy) == (Level.OK, '')
    assert levels(**good, prefect='3.8.8')['extra train'].level is Level.WARN
    assert levels(**good, prefect='3.8.8', mlflow='3')['extra train'].found == 'installed'
    old = levels(**good, prefect='2.0', mlflow='3')['extra train']
    assert (old.level, old.found) == (Level.FAIL, 'prefect 2.0 (needs <4,>=3.8)')
    lacking = levels(numpy='1.0')['packages']
    assert lacking.level is Level.FAIL
    assert 'rich is not installed' in lacking.found
    assert 'numpy 1.0' in lacking.found
    pins = tmp_path / 'constraints.txt'
    pins.write_text('# tested\nnumpy==2.4.6\nRich==15.0\nabsent==1\n')
    assert levels(pins, **good)['tested versions'].level is Level.OK
    assert levels(pins, numpy='2.4.6+cpu', rich='15.0')['tested versions'].level is Level.OK
    other = levels(pins, numpy='2.5', rich='15.0')['tested versions']
    assert other.level is Level.WARN
    assert 'numpy 2.5 (tested 2.4.6)' in other.found


def test_extras_are_told_apart():
    found = packages.requirements_by_extra(['a>=1', "b; extra == 'x'", 'c; extra == "y"'])
    assert {extra: [r.name for r in names] for extra, names in found.items()} == {
        '': ['a'],
        'x': ['b'],
        'y': ['c'],
    }
    assert found[''] == [Requirement('a>=1')]


def test_the_artifact_root(tmp_path, monkeypatch):
    assert 'is new' in storage.check_root(tmp_path / 'new' / 'root').found
    assert not (tmp_path / 'new').exists()
    assert storage.check_root(tmp_path).level is Level.OK
    tmp_path.chmod(0o777)
    assert 'chmod o-w' in storage.check_root(tmp_path).remedy
    tmp_path.chmod(0o755)
    (tmp_path / 'file').write_text('')
    assert storage.check_root(tmp_path / 'file').level is Level.FAIL

    def refuse(**_):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(storage.tempfile, 'TemporaryFile', refuse)
    refused = storage.check_root(tmp_path)
    assert refused.level is Level.FAIL
    assert 'Permission denied' in refused.found


def test_free_space_on_the_disk(tmp_path):
    assert storage.check_disk(tmp_path, free=100 * 2**30).level is Level.OK
    full = storage.check_disk(tmp_path / 'none', free=10)
    assert full.level is Level.FAIL
    assert '10 B free' in full.found
    assert storage.check_disk(tmp_path).subject == 'disk'


def test_sizes(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'b').write_bytes(b'x' * 2048)
    (tmp_path / 'link').symlink_to('/usr')
    [found] = storage.check_sizes({'root': tmp_path / 'a'})
    assert found.found.startswith('2.0 KiB')
    assert storage.folder_size(tmp_path) < 4096
    assert storage.folder_size(tmp_path / 'none') == 0
    assert [size_text(n) for n in (5, 2**20, 3 * 2**40)] == ['5 B', '1.0 MiB', '3.0 TiB']


def test_locks_count_only_while_held(tmp_path):
    assert 'none of 0' in storage.check_locks(tmp_path).found
    (tmp_path / '.locks').mkdir()
    file = tmp_path / '.locks' / 'a.lock'
    file.touch()
    assert storage.check_locks(tmp_path).level is Level.OK
    with file.open('w') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        busy = storage.check_locks(tmp_path)
    assert busy.level is Level.WARN
    assert '1 of 1 are held' in busy.found
    assert storage.check_locks(tmp_path).level is Level.OK


def test_leftovers_of_killed_stages(tmp_path):
    (tmp_path / 'tokens' / 'key').mkdir(parents=True)
    (tmp_path / '.results' / '.a.b').mkdir(parents=True)
    assert storage.check_leftovers(tmp_path).level is Level.OK
    (tmp_path / 'tokens' / '.key.x1y2').mkdir()
    left = storage.check_leftovers(tmp_path)
    assert left.level is Level.WARN
    assert f'rm -r {tmp_path}/tokens/.key.x1y2' in left.remedy


def test_the_promoted_bundle(tmp_path):
    assert storage.check_bundle(tmp_path).level is Level.WARN
    write_tiny_bundle(tmp_path / 'bundle', write_tiny_encoder(tmp_path / 'encoder'))
    promote(tmp_path, tmp_path / 'bundle', {})
    assert '2,125 codes, intact' in storage.check_bundle(tmp_path).found
    with (tmp_path / 'bundle' / 'metrics.json').open('a') as stream:
        stream.write(' ')
    assert 'altered' in storage.check_bundle(tmp_path).found
    (tmp_path / 'promoted.json').write_text('{')
    assert storage.check_bundle(tmp_path).level is Level.FAIL


def test_threads_and_device():
    import torch

    threads = torch.get_num_threads()
    assert machine.check_threads({}, cores=threads).level is Level.OK
    assert machine.check_threads({'OMP_WAIT_POLICY': 'active'}, cores=threads).level is Level.WARN
    torch.set_num_threads(3)
    too_many = machine.check_threads({}, cores=2)
    torch.set_num_threads(threads)
    assert too_many.remedy == 'export OMP_NUM_THREADS=2'
    assert machine.check_device().subject == 'device'


def test_the_backbone(tiny_backbone, tmp_path, monkeypatch):
    def look(name, revision=None, **environment):
        return machine.check_backbone(BackboneConfig(name, revision, 8, 0, 8), environment)

    local = look(str(tiny_backbone), HF_HUB_OFFLINE='1')
    assert local.level is Level.OK
    assert 'no hub is needed' in local.found
    assert look(str(tmp_path)).level is Level.FAIL
    monkeypatch.setenv('HF_HUB_CACHE', str(tmp_path))
    assert look('some/model', 'abc', HF_HUB_OFFLINE='1').level is Level.FAIL
    assert 'backbone.revision' in look('some/model').found
    assert look('some/model', 'abc').level is Level.WARN
    packaged = look('sentence-transformers/all-MiniLM-L6-v2')
    assert packaged.level is Level.OK


def test_the_workbooks(tmp_path):
    def look(*overrides):
        data = load_config(ROOT / 'configs', 'cpu', overrides).config.data
        return census.check_workbooks(data)

    folder = f'data.folder={tmp_path}'
    assert look(folder, f'data.cache={tmp_path}/none').level is Level.WARN
    for book in read_edition('naics2022').workbooks.values():
        (tmp_path / book.file_name).touch()
    assert look(folder).level is Level.OK
    assert look('data.source=package').level is Level.OK


def test_everything_together(tmp_path):
    findings = examine(tmp_path, ROOT, {}, overrides=['model.dims=3'])
    subjects = [found.subject for found in findings]
    assert len(set(subjects)) == len(subjects)
    by_subject = {found.subject: found for found in findings}
    assert by_subject['configuration'].level is Level.FAIL
    assert 'did you mean model.dim?' in by_subject['configuration'].found
    assert all(found.remedy for found in findings if found.level is not Level.OK)


@pytest.mark.parametrize('broken', [False, True])
def test_the_command(tmp_path, monkeypatch, capsys, broken):
    monkeypatch.setattr('naics_embed.doctor.examine.check_packages', lambda *_: [])
    for name in ('PREFECT_API_URL', 'MLFLOW_TRACKING_URI'):
        monkeypatch.delenv(name, raising=False)
    if broken:
        monkeypatch.setenv('PREFECT_API_URL', f'http://127.0.0.1:{free_port()}/api')
    outputs = []
    for option in ([], ['--json']):
        monkeypatch.setattr('sys.argv', ['naics-embed', 'doctor', '--root', str(tmp_path), *option])
        with pytest.raises(SystemExit) as stopped:
            entry.main()
        assert bool(stopped.value.code) is broken
        outputs.append(capsys.readouterr().out)
    assert ('1 failed' in outputs[0]) is broken
    levels = {row['subject']: row['level'] for row in json.loads(outputs[1])}
    assert levels['prefect server'] == ('fail' if broken else 'ok')


def test_a_password_in_an_address_is_refused_and_never_shown(tmp_path):
    found = servers.check_mlflow({'MLFLOW_TRACKING_URI': 'http://me:Pl4nted@host:5000'}, tmp_path)
    assert found.level is Level.FAIL
    assert 'MLFLOW_TRACKING_PASSWORD' in found.remedy
    prefect = servers.check_prefect(
        {'PREFECT_API_URL': f'http://me:Pl4nted@127.0.0.1:{free_port()}'}
    )
    assert 'Pl4nted' not in str(found) + str(prefect)


def test_a_tracking_database_in_a_root_of_any_name(tmp_path):
    root = tmp_path / 'why? a%20b'
    root.mkdir()
    with closing(sqlite3.connect(root / 'mlflow.db')) as database, database:
        database.execute('create table runs (id text)')
    found = servers.check_mlflow({}, root)
    assert (found.level, 'holds 0 runs' in found.found) == (Level.OK, True)
    given = servers.check_mlflow({'MLFLOW_TRACKING_URI': sqlite_address(root / 'mlflow.db')}, root)
    assert given == found


@pytest.mark.parametrize(
    ('count', 'said'), [(0, '0 warnings'), (1, '1 warning'), (2, '2 warnings')]
)
def test_the_last_line_counts(capsys, count, said):
    _print([ok('a', 'b'), *[warn('c', 'd', 'e')] * count])
    assert capsys.readouterr().out.splitlines()[-1] == f'{1 + count} checks, 0 failed, {said}'
