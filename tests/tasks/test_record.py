"""Records: absolute paths in memory, paths relative to the artifact root where they are stored."""

import base64
import json
import os
import pickle
import resource
from dataclasses import replace

import pytest

from naics_embed.artifacts import Artifact
from naics_embed.errors import ArtifactError
from tasks.engine.record import Record
from tasks.engine.record_storage import PLAIN_JSON, record_storage


@pytest.fixture
def record(tmp_path):
    folder = tmp_path / 'root' / 'words' / 'k1'
    (folder / 'model' / 'deep').mkdir(parents=True)
    (folder / 'words.txt').write_text('grain')
    (folder / 'model' / 'deep' / 'weights').write_text('w')
    files = {name: Artifact.of(folder / name) for name in ('words.txt', 'model')}
    return Record('words', 'k1', files, {'letters': 5.0}, {'language': 'en'}, 'run', 1.5)


def test_what_is_stored_holds_in_any_root(record, tmp_path):
    stored = json.loads(json.dumps(record.stored(tmp_path / 'root')))
    assert {name: entry['path'] for name, entry in stored['files'].items()} == {
        'words.txt': 'words/k1/words.txt',
        'model': 'words/k1/model',
    }
    assert str(tmp_path) not in json.dumps(stored)
    assert Record.from_stored(stored, 'words', 'k1', tmp_path / 'root') == record
    (tmp_path / 'root').rename(tmp_path / 'moved')
    moved = Record.from_stored(stored, 'words', 'k1', tmp_path / 'moved', cached=True)
    assert moved.intact()
    assert moved.path('model') == tmp_path / 'moved' / 'words' / 'k1' / 'model'


def test_a_root_behind_a_link_is_the_same_root(record, tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'root')
    assert record.stored(tmp_path / 'link') == record.stored(tmp_path / 'root')
    stored = record.stored(tmp_path / 'root')
    assert Record.from_stored(stored, 'words', 'k1', tmp_path / 'link') == record


@pytest.mark.parametrize(
    'old', ['/gone/root', '/gone/words/k1/root', '/gone/words', '/gone/o\u2019brien/k1']
)
def test_an_older_record_with_absolute_paths_is_found_wherever_its_root_is_now(
    record, tmp_path, old
):
    stored = record.to_dict()
    for name, entry in stored['files'].items():
        entry['path'] = f'{old}/words/k1/{name}'
    assert Record.from_stored(stored, 'words', 'k1', tmp_path / 'root') == record


@pytest.mark.parametrize(
    'path',
    [
        '/etc/passwd',
        '../outside',
        'words/k1/../../../outside',
        'words/k2/words.txt',
        'other/k1/words.txt',
        'deeper/words/k1/words.txt',
        '/gone/words/k1/../../../outside',
        'words/k1/away/passwd',
        '',
    ],
)
def test_a_record_may_not_name_what_is_not_its_own(record, tmp_path, path):
    (tmp_path / 'root' / 'words' / 'k1' / 'away').symlink_to('/etc')
    stored = record.stored(tmp_path / 'root')
    stored['files']['words.txt']['path'] = path
    with pytest.raises(ArtifactError, match=r'^words: its stored record names'):
        Record.from_stored(stored, 'words', 'k1', tmp_path / 'root')


@pytest.mark.parametrize(
    'damage',
    [
        lambda stored: [],
        lambda stored: {},
        lambda stored: {**stored, 'files': []},
        lambda stored: {**stored, 'files': {'words.txt': {'path': 'words/k1/words.txt'}}},
        lambda stored: {**stored, 'more': 1},
        lambda stored: {name: value for name, value in stored.items() if name != 'run_id'},
        lambda stored: {**stored, 'stage': 'other'},
        lambda stored: {**stored, 'key': 'k2'},
    ],
)
def test_a_damaged_record_or_that_of_another_stage_is_refused(record, tmp_path, damage):
    stored = damage(record.stored(tmp_path / 'root'))
    with pytest.raises(ArtifactError, match=r'^words: '):
        Record.from_stored(stored, 'words', 'k1', tmp_path / 'root')


def test_an_output_outside_the_stages_folder_is_named(record, tmp_path):
    outside = tmp_path / 'outside'
    outside.write_text('')
    wrong = replace(record, files={'words': Artifact.of(outside)})
    with pytest.raises(ArtifactError, match=r'words: its output words lies at .*outside'):
        wrong.stored(tmp_path / 'root')


METADATA = {'storage_key': 'words-k1', 'serializer': PLAIN_JSON.model_dump()}


def test_a_key_counts_where_its_result_can_be_read(tmp_path):
    keys, results = record_storage(tmp_path)
    keys.write_path('words-k1', json.dumps(METADATA).encode(), _sync=True)
    with pytest.raises(FileNotFoundError):
        keys.read_path('words-k1', _sync=True)
    for damaged in (b'', b'{"stage": "wor', b'[]', b'\xff'):
        results.write_path('words-k1', damaged)
        with pytest.raises(ValueError):  # noqa: PT011
            keys.read_path('words-k1')
    results.write_path('words-k1', b'{"stage": "words"}')
    assert json.loads(keys.read_path('words-k1')) == METADATA


class Planted:
    """What a pickle may hold."""

    def __reduce__(self):
        return os.mkdir, ('planted',)


def test_a_stored_key_does_not_choose_how_its_result_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys, results = record_storage(tmp_path)
    planted = {**METADATA, 'serializer': {'type': 'pickle'}}
    keys.write_path('words-k1', json.dumps(planted).encode())
    results.write_path('words-k1', base64.encodebytes(pickle.dumps(Planted())))
    with pytest.raises(ValueError):  # noqa: PT011
        keys.read_path('words-k1')
    results.write_path('words-k1', b'{"__class__": "os.system", "data": "mkdir planted"}')
    assert json.loads(keys.read_path('words-k1'))['serializer'] == PLAIN_JSON.model_dump()
    assert not (tmp_path / 'planted').exists()


@pytest.mark.parametrize('name', ['../outside', '/etc/passwd', 'a/b', '', '..', '.'])
def test_a_name_is_no_path(tmp_path, name):
    keys, results = record_storage(tmp_path)
    for folder in (keys, results):
        with pytest.raises(ValueError, match='no name of a record'):
            folder.read_path(name)
        with pytest.raises(ValueError, match='no name of a record'):
            folder.write_path(name, b'')


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path):
    _, results = record_storage(tmp_path)
    results.write_path('words-k1', b'{"old": 1}')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match='too large'):
            results.write_path('words-k1', b'{"new": 1}' * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert results.read_path('words-k1') == b'{"old": 1}'
    assert [path.name for path in (tmp_path / '.results').iterdir()] == ['words-k1']
