"""A remote cache that somebody else writes to: what is wrong in it is not used, and harms
nothing."""

import ast
import hashlib
import json
import logging
import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from naics_embed.artifacts import Artifact
from tasks.engine import remote_record
from tasks.engine.remote_cache import RemoteCache
from tasks.engine.remote_record import DamagedCacheError, parse_record, relative_path

STAGE, KEY, RUN = 'letters', '0123456789abcdef0123', 'f' * 32
ROOT = Path(__file__).resolve().parents[2]


def described(content: bytes, path: str) -> dict:
    return {'path': path, 'sha256': hashlib.sha256(content).hexdigest(), 'size': len(content)}


def record_of(*outputs: dict, **changes) -> dict:
    return {
        'stage': STAGE,
        'key': KEY,
        'run_id': RUN,
        'files': {f'output{n}': output for n, output in enumerate(outputs)},
        'metrics': {'loss': 0.5, 'n': 3},
        'facts': {'effects': [1, {'a': None}]},
        'seconds': 1.5,
        'cached': False,
        **changes,
    }


class Host:
    """A host with an artifact root, beside a folder that is a remote cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / 'common'
        self.outputs = self.folder / STAGE / KEY / RUN
        self.outputs.mkdir(parents=True)
        self.root = folder / 'host' / 'root'
        self.target = self.root / STAGE / KEY
        self.remote_cache = RemoteCache.at(f'file://{self.folder}')

    def put(self, record: object) -> None:
        content = record if isinstance(record, bytes) else json.dumps(record).encode()
        (self.folder / STAGE / f'{KEY}.json').write_bytes(content)

    def fetch(self) -> dict | None:
        return self.remote_cache.fetch(STAGE, KEY, self.target)

    def everything(self) -> set[str]:
        """All files next to the remote cache."""
        place = self.folder.parent
        return {p.relative_to(place).as_posix() for p in (place / 'host').rglob('*') if p.is_file()}


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def refused(host, caplog):
    """Fetch, and return the reason of the warning; nothing may have been written."""

    def call() -> str:
        before = host.everything()
        with caplog.at_level(logging.WARNING):
            assert host.fetch() is None
        assert host.everything() == before
        assert not list(host.root.rglob('.*')), 'nothing temporary is left'
        (message,) = [entry.getMessage() for entry in caplog.records]
        assert message.startswith(f'{STAGE} {KEY}: the remote cache is not used: ')
        assert message.endswith('; computing again')
        return message

    return call


def test_a_good_record_is_fetched(host, caplog):
    (host.outputs / 'a.txt').write_bytes(b'aaa')
    (host.outputs / 'model' / 'deep').mkdir(parents=True)
    (host.outputs / 'model' / 'deep' / '.hidden').write_bytes(b'w')
    model = Artifact.of(host.outputs / 'model')
    host.put(
        record_of(
            described(b'aaa', 'a.txt'),
            {'path': 'model', 'sha256': model.sha256, 'size': model.size},
            metrics={'loss': float('nan')},
        )
    )
    found = host.fetch()
    assert found['files']['output0']['path'] == str(host.target / 'a.txt')
    assert (host.target / 'model' / 'deep' / '.hidden').read_bytes() == b'w'
    assert {p.name for p in host.target.rglob('*')} == {'a.txt', 'model', 'deep', '.hidden'}
    assert host.remote_cache.has(STAGE, KEY)
    assert not [record for record in caplog.records if record.levelname == 'WARNING']


@pytest.mark.parametrize('kind', ['absolute', 'parents', 'deep parents'])
def test_a_path_of_a_record_leads_nowhere_else(host, refused, tmp_path, kind):
    evil = tmp_path / 'host' / 'evil.txt'
    path = {
        'absolute': str(evil),
        'parents': '../../../evil.txt',
        'deep parents': 'model/../../../../evil.txt',
    }[kind]
    source = Path(f'{host.outputs}/{path}')
    source.parent.mkdir(parents=True, exist_ok=True)
    source = Path(os.path.normpath(source))
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(b'owned')
    if kind == 'absolute':
        # Joined as text it lies in the remote cache.
        copy = Path(f'{host.outputs}/{path.lstrip("/")}')
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(b'owned')
    host.put(record_of(described(b'owned', path)))
    assert 'is not a plain one below its folder' in refused()
    assert not evil.exists()


@pytest.mark.parametrize(
    'path',
    [
        '',
        '.',
        '..',
        '/',
        'a/',
        '/a',
        'a//b',
        './a',
        'a/./b',
        'a/..',
        'a\\..\\b',
        'C:',
        'C:/a',
        'c:a',
        'a\0b',
        'a\nb',
        'a\x7f',
        'a.',
        'a ',
        '.. ',
        'x' * 256,
        'a/' * 600 + 'a',
        '\udce9',
        '\\\\h\\s',
    ],
)
def test_paths_that_are_refused(path):
    with pytest.raises(DamagedCacheError, match='is not a plain one below its folder'):
        relative_path(path)


@settings(max_examples=1000, deadline=None)
@given(
    st.text(max_size=40)
    | st.text(alphabet='./\\a:~ \0', max_size=12)
    | st.lists(
        st.sampled_from(['..', '.', '', 'a', 'a.b', '...', '~', '-x', 'C:']), max_size=6
    ).map('/'.join)
)
@example('a/../../b')
@example('~/x')
@example('\u2024\u2024/x')
@example('\uff0e\uff0e/x')
def test_whatever_is_accepted_lies_below(path):
    folder = Path('/root/stage/key')
    try:
        accepted = relative_path(path)
    except DamagedCacheError:
        return
    joined = os.path.normpath(folder / accepted)
    assert Path(joined).is_relative_to(folder)
    assert Path(joined) != folder
    assert Path(joined) == folder / path, 'what is checked is what is used'
    assert PurePosixPath(path) == accepted
    assert '\\' not in path
    assert '\0' not in path


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    ),
    st.sampled_from(sorted(record_of(described(b'', 'a')))),
)
def test_any_value_in_a_record_is_valid_or_refused(value, field):
    record = {**record_of(described(b'', 'a')), field: value}
    try:
        found = parse_record(json.dumps(record).encode(), STAGE, KEY)
    except DamagedCacheError:
        return
    assert set(found) == set(record)
    assert (found['stage'], found['key']) == (STAGE, KEY)
    assert all(isinstance(metric, float) for metric in found['metrics'].values())


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'stage': 'other'}, "its record is that of 'other'"),
        ({'key': '../../x'}, r"its record is that of 'letters' '../../x'"),
        ({'run_id': '../../other'}, 'run_id: '),
        ({'run_id': ''}, 'run_id: '),
        ({'run_id': 'a/b'}, 'run_id: '),
        ({'run_id': None}, 'run_id: '),
        ({'files': []}, 'files: '),
        ({'files': {'a': 'b'}}, 'files.a: '),
        ({'files': {'a': {'path': 'x', 'sha256': '0', 'size': 1}}}, 'files.a.sha256: '),
        ({'files': {'a': {**described(b'', 'x'), 'size': -1}}}, 'files.a.size: '),
        ({'files': {'a': {**described(b'', 'x'), 'size': 10**30}}}, 'files.a.size: '),
        ({'files': {'a': {**described(b'', 'x'), 'size': '3'}}}, 'files.a.size: '),
        ({'files': {'a': {**described(b'', 'x'), 'size': 1.0}}}, 'files.a.size: '),
        ({'files': {'a': {**described(b'', 'x'), 'mode': 'x'}}}, 'files.a.mode: '),
        ({'files': {'a': described(b'', 'm'), 'b': described(b'', 'm/x')}}, "two outputs at 'm/x'"),
        ({'files': {'a': described(b'', 'm'), 'b': described(b'', 'm')}}, "two outputs at 'm'"),
        ({'metrics': {'loss': 'low'}}, 'metrics.loss: '),
        ({'metrics': {'loss': True}}, 'metrics.loss: '),
        ({'metrics': None}, 'metrics: '),
        ({'facts': [1]}, 'facts: '),
        ({'seconds': 'long'}, 'seconds: '),
        ({'seconds': -1.0}, 'seconds: '),
        ({'cached': 'no'}, 'cached: '),
        ({'serializer': 'pickle'}, 'serializer: '),
    ],
)
def test_records_of_another_form_are_refused(host, refused, changes, reason):
    host.put(record_of(described(b'aaa', 'a.txt'), **changes))
    assert reason in refused()
    assert not host.remote_cache.has(STAGE, KEY)


@pytest.mark.parametrize(
    'content',
    [b'', b'{', b'null', b'[]', b'"x"', b'\xff\xfe{', b'[' * 100_000, b'{"files": ' + b'9' * 9000],
)
def test_what_is_no_record_is_refused(host, refused, content):
    host.put(content)
    assert 'its record is damaged: ' in refused()


def test_a_record_without_a_field_is_refused(host, refused):
    record = record_of()
    del record['facts']
    host.put(record)
    assert 'its record is damaged: facts: Field required' in refused()


def test_a_huge_record_is_not_read(host, refused, monkeypatch):
    monkeypatch.setattr('tasks.engine.remote_cache.MAX_RECORD_BYTES', 1000)
    assert remote_record.MAX_RECORD_BYTES > 1000
    host.put(record_of(facts={'long': 'x' * 2000}))
    assert f'{KEY}.json has more than the 1,000 bytes' in refused()


@pytest.mark.parametrize('content', [b'xyz', b'', b'aaa and more', None])
def test_a_mismatch_leaves_what_was_there(host, refused, content):
    host.target.mkdir(parents=True)
    (host.target / 'a.txt').write_bytes(b'good')
    if content is not None:
        (host.outputs / 'a.txt').write_bytes(content)
    host.put(record_of(described(b'aaa', 'a.txt')))
    reason = refused()
    if content is None:
        assert 'its output output0 is not there' in reason
    elif len(content) > 3:
        assert 'a.txt has more than the 3 bytes it may have' in reason
    else:
        assert 'its output output0 is not as recorded' in reason
    assert (host.target / 'a.txt').read_bytes() == b'good'


def test_the_first_outputs_are_not_kept_where_the_last_is_wrong(host, refused):
    (host.outputs / 'a').write_bytes(b'a')
    (host.outputs / 'b').write_bytes(b'X')
    host.put(record_of(described(b'a', 'a'), described(b'b', 'b')))
    assert 'its output output1 is not as recorded' in refused()
    assert not host.target.exists()


def test_a_larger_directory_is_not_copied_whole(host, refused):
    (host.outputs / 'm').mkdir()
    for name in ('a', 'b', 'c'):
        (host.outputs / 'm' / name).write_bytes(b'12345')
    host.put(record_of({**described(b'', 'm'), 'size': 9}))
    assert 'has more than the 4 bytes it may have' in refused()


def test_a_size_beyond_the_disk_is_refused(host, refused):
    host.put(
        record_of({**described(b'', 'm'), 'size': 2**40}, {**described(b'', 'n'), 'size': 2**40})
    )
    if os.statvfs(host.folder).f_bavail * os.statvfs(host.folder).f_frsize > 2**41:
        pytest.skip('the disk has 2 TiB free')
    assert 'its outputs have 2,199,023,255,552 bytes, and ' in refused()


@pytest.mark.parametrize('place', ['file', 'in a directory', 'directory', 'run', 'record', 'fifo'])
def test_links_and_devices_are_not_followed(host, refused, tmp_path, place):
    secret = tmp_path / 'elsewhere'
    secret.mkdir()
    (secret / 'a').write_bytes(b'secret')
    path = 'a'
    if place == 'file':
        (host.outputs / 'a').symlink_to(secret / 'a')
    elif place == 'in a directory':
        path = 'm'
        (host.outputs / 'm').mkdir()
        (host.outputs / 'm' / 'a').symlink_to(secret / 'a')
    elif place == 'directory':
        path = 'm'
        (host.outputs / 'm').symlink_to(secret)
    elif place == 'run':
        host.outputs.rmdir()
        host.outputs.symlink_to(secret)
    elif place == 'fifo':
        os.mkfifo(host.outputs / 'a')
    content = described(b'secret', 'a')
    if path == 'm':
        content = {**Artifact.of(secret).to_dict(), 'path': 'm'}
    if place == 'record':
        (host.outputs / 'a').write_bytes(b'secret')
        (secret / 'record').write_text(json.dumps(record_of(content)))
        (host.folder / STAGE / f'{KEY}.json').symlink_to(secret / 'record')
    else:
        host.put(record_of(content))
    assert 'is not a plain file' in refused()


def test_a_remote_cache_that_gives_no_answer_is_an_error(host, monkeypatch):
    def away(*_arguments, **_options):
        raise ConnectionError('away')

    host.put(record_of())
    monkeypatch.setattr(type(host.remote_cache.files), 'info', away)
    with pytest.raises(ConnectionError, match='away'):
        host.fetch()
    with pytest.raises(ConnectionError, match='away'):
        host.remote_cache.has(STAGE, KEY)


READS_OBJECTS = {'pickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal'}


def test_no_output_is_unpickled():
    """What docs/platform.md says of the remote cache: writing to it runs no code elsewhere."""
    calls = []
    for folder in ('naics_embed', 'tasks', 'flows'):
        for path in sorted((ROOT / folder).rglob('*.py')):
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if isinstance(node, ast.Call):
                    calls.append((path, node, ast.unparse(node.func)))
    assert len(calls) > 1000
    loads = [(path, node) for path, node, name in calls if name == 'torch.load']
    assert loads, 'checkpoints, which stay on their host'
    for path, node in loads:
        safe = {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert safe.get('weights_only') == 'True', path
    for path, node, name in calls:
        first, _, last = name.rpartition('.')
        assert not (first in READS_OBJECTS and last.startswith(('load', 'Unpickler', 'open'))), path
        assert not any(word.arg in ('allow_pickle', 'trust_remote_code') for word in node.keywords)
