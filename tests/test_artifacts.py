import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed import artifacts
from naics_embed.artifacts import (
    Artifact,
    atomic_directory,
    atomic_file,
    checksum,
    content_key,
    read_json,
    write_json,
)
from naics_embed.errors import ArtifactError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / 'deep' / 'metrics.parquet'
    with atomic_file(target) as temporary:
        temporary.write_bytes(b'new')
        assert not target.exists()
        assert temporary.suffix == target.suffix
    assert target.read_bytes() == b'new'
    assert names(target.parent) == ['metrics.parquet']
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / 'metrics.json'
    target.write_text('old')

    def fail() -> None:
        with atomic_file(target) as temporary:
            temporary.write_text('half')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == 'old'
    assert names(tmp_path) == ['metrics.json']


def test_a_directory_appears_whole_and_replaces_the_old_one(tmp_path):
    target = tmp_path / 'stage' / 'key'
    for content in ('first', 'second'):
        with atomic_directory(target) as temporary:
            (temporary / f'{content}.txt').write_text(content)
            (temporary / 'inner').mkdir()
            (temporary / 'inner' / 'same').write_text(content)
        assert names(target) == sorted([f'{content}.txt', 'inner'])
        assert (target / 'inner' / 'same').read_text() == content
        assert names(target.parent) == ['key']


def test_a_failed_directory_leaves_the_old_one_and_no_litter(tmp_path):
    target = tmp_path / 'key'
    target.mkdir()
    (target / 'old').write_text('old')

    def interrupt() -> None:
        with atomic_directory(target) as temporary:
            (temporary / 'new').write_text('half')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert names(tmp_path) == ['key']
    assert names(target) == ['old']


OTHER_PROCESS = """
import sys
from pathlib import Path
from naics_embed.artifacts import atomic_directory
name, target = sys.argv[1], Path(sys.argv[2])
for n in range(300):
    with atomic_directory(target) as out:
        (out / 'a').write_text(name)
        (out / 'b').write_text(name)
"""


def test_processes_that_no_lock_keeps_apart_replace_a_directory_whole(tmp_path):
    target = tmp_path / 'stage' / 'key'
    command = [sys.executable, '-c', OTHER_PROCESS]
    environment = {**os.environ, 'PYTHONPATH': str(Path(artifacts.__file__).parents[1])}
    processes = [
        subprocess.Popen(
            [*command, name, str(target)], env=environment, stderr=subprocess.PIPE, text=True
        )
        for name in ('one', 'other')
    ]
    complaints = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], complaints
    assert (target / 'a').read_text() == (target / 'b').read_text()
    assert names(target.parent) == ['key'], 'the last one stays, and nothing else'


def test_what_a_killed_process_left_is_removed_but_not_what_another_host_is_writing(
    tmp_path, monkeypatch
):
    target = tmp_path / 'key'
    host = socket.gethostname()
    unfinished = []

    def killed(path: Path) -> Path:
        unfinished.append(atomic_directory(path))
        out = unfinished[-1].__enter__()
        (out / 'half').write_text('half')
        os.utime(out, (0, 0))
        return out

    other_key, here = killed(tmp_path / 'key2'), killed(target)
    monkeypatch.setattr(socket, 'gethostname', lambda: 'other.host')
    there = killed(target)
    monkeypatch.setattr(socket, 'gethostname', lambda: host)
    for older in ('.key.abcd1234', '.key.old.abcd1234'):
        (tmp_path / older).mkdir()
    artifacts.discard_leftovers(target)
    assert names(tmp_path) == sorted([there.name, other_key.name])
    assert not here.exists()

    os.utime(there / 'half', (0, 0))
    artifacts.discard_leftovers(target)
    assert names(tmp_path) == [other_key.name], 'the other host is dead for days'


def test_a_directory_takes_the_place_of_a_file(tmp_path):
    target = tmp_path / 'key'
    target.write_text('a file')
    with atomic_directory(target) as out:
        (out / 'new').write_text('new')
    assert names(tmp_path) == ['key']
    assert names(target) == ['new']


def test_checksum_of_a_file_is_sha256_of_its_bytes(tmp_path):
    file = tmp_path / 'a'
    file.write_bytes(b'abc' * 100_000)
    assert checksum(file) == (hashlib.sha256(b'abc' * 100_000).hexdigest(), 300_000)


def make_tree(folder: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


TREE = {'a': 'one', 'b/c': 'two', 'b/d': ''}


@pytest.mark.parametrize(
    'changed',
    [
        {**TREE, 'a': 'One'},
        {'a': 'one', 'b/c': 'two'},
        {**TREE, 'e': ''},
        {'a': 'one', 'b/c2': 'two', 'b/d': ''},
        {'a': 'one', 'c': 'two', 'b/d': ''},
        {'a': 'two', 'b/c': 'one', 'b/d': ''},
    ],
)
def test_checksum_of_a_directory_sees_names_places_and_contents(tmp_path, changed):
    before = checksum(make_tree(tmp_path / 'before', TREE))
    assert checksum(make_tree(tmp_path / 'again', dict(reversed(TREE.items())))) == before
    assert before[1] == 6
    assert checksum(make_tree(tmp_path / 'after', changed))[0] != before[0]


def test_checksum_of_nothing_says_what_to_do(tmp_path):
    with pytest.raises(ArtifactError, match=r'gone does not exist; run the stage'):
        checksum(tmp_path / 'gone')


def test_an_artifact_knows_whether_it_is_intact(tmp_path):
    file = tmp_path / 'codebook.parquet'
    file.write_text('codes')
    artifact = Artifact.of(file)
    assert Path(artifact.path).is_absolute()
    assert artifact.intact()
    assert Artifact.from_dict(json.loads(json.dumps(artifact.to_dict()))) == artifact

    os.utime(file, (0, 0))
    assert artifact.intact(), 'content counts, not its date'
    file.write_text('Codes')
    assert not artifact.intact()
    file.write_text('codes')
    assert artifact.intact()
    file.unlink()
    assert not artifact.intact()


def test_an_artifact_may_be_a_directory(tmp_path):
    artifact = Artifact.of(make_tree(tmp_path / 'model', TREE))
    assert artifact.intact()
    (tmp_path / 'model' / 'b' / 'd').write_text('more')
    assert not artifact.intact()


def test_json_round_trip_and_what_may_be_wrong_with_it(tmp_path):
    path = tmp_path / 'facts.json'
    write_json(path, {'b': [1, 2.5, None], 'a': 'café'})
    assert read_json(path) == {'a': 'café', 'b': [1, 2.5, None]}
    path.write_text('{"a": ')
    with pytest.raises(ArtifactError, match=r'facts\.json is damaged'):
        read_json(path)
    path.unlink()
    with pytest.raises(ArtifactError, match=r'facts\.json does not exist'):
        read_json(path)


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), JSON_LIKE, max_size=4))
def test_a_content_key_does_not_depend_on_order(parts):
    assert content_key(parts) == content_key(dict(reversed(parts.items())))
    assert content_key({'only': parts}) != content_key({'other': parts})


def test_a_content_key_is_stable_and_separates_contents():
    assert content_key({'stage': 'a', 'n': 1}) == content_key({'n': 1, 'stage': 'a'})
    keys = [content_key(parts) for parts in (1, 1.5, '1', [1], [1, 2], [2, 1], {'1': 1}, None)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 20 for key in keys)


def test_a_file_keeps_its_permissions_and_its_link(tmp_path):
    private, link = tmp_path / 'private.csv', tmp_path / 'link.csv'
    private.write_text('before')
    private.chmod(0o600)
    link.symlink_to(private)
    with atomic_file(link) as temporary:
        temporary.write_text('after')
    assert link.is_symlink()
    assert private.read_text() == 'after'
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


@pytest.mark.parametrize(('mask', 'mode'), [('022', 0o644), ('027', 0o640), ('077', 0o600)])
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, mask, mode):
    code = (
        'import sys; from pathlib import Path; from naics_embed.artifacts import write_json; '
        'write_json(Path(sys.argv[1]), {})'
    )
    path = tmp_path / 'new.json'
    command = f'umask {mask}; "{sys.executable}" -c \'{code}\' "{path}"'
    subprocess.run(['sh', '-c', command], check=True, cwd=Path(artifacts.__file__).parents[1])
    assert stat.S_IMODE(path.stat().st_mode) == mode
