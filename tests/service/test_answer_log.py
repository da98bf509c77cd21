"""The log of answers: what monitoring needs, and no text."""

import json
import stat
from dataclasses import replace

import pytest

from naics_embed.config.operation import LogsConfig
from naics_embed.monitoring.files import read_files
from naics_embed.service.answer_log import SALT
from tests.service.service_help import CONFIG

TEXTS = ['dog grooming salon', 'zzyzx', 'dog grooming salon']


def logged(folder):
    [path] = folder.glob('*.jsonl')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_answer_has_a_line_without_its_text(serve, tmp_path, engine):
    folder = tmp_path / 'answers'
    client = serve(logs=replace(CONFIG.logs, answers=str(folder)))
    answer = client.post('/v1/code', json={'texts': TEXTS}).json()['answers']
    client.get('/v1/search', params={'q': 'dog grooming salon'})
    client.get('/v1/search', params={'q': answer[0]['hits'][0]['code']})
    # Codes of another classification would look like drift.
    client.post('/v1/code', json={'texts': TEXTS, 'classification': 'isic4'})
    client.get('/v1/search', params={'q': 'dog grooming salon', 'classification': 'isic4'})
    lines = logged(folder)
    assert len(lines) == 4
    assert [line['code'] for line in lines[:3]] == [one['hits'][0]['code'] for one in answer]
    assert lines[0]['familiarity'] == pytest.approx(answer[0]['familiarity'], abs=1e-4)
    assert lines[1]['unknown_words'] == 1.0
    assert len({line['text_hash'] for line in lines}) == 2
    content = next(folder.glob('*.jsonl')).read_text()
    assert 'grooming' not in content
    assert 'zzyzx' not in content
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    frame = read_files([folder])
    assert frame['status'].to_list() == [line['status'] for line in lines]
    assert frame['time'].null_count() == 0


def test_texts_are_kept_where_their_owner_wants_it(serve, tmp_path):
    logs = LogsConfig(answers=str(tmp_path), answer_texts=True)
    client = serve(logs=logs)
    client.post('/v1/code', json={'texts': TEXTS})
    assert [line['text'] for line in logged(tmp_path)] == TEXTS


def test_the_secret_of_a_folder_stays(serve, tmp_path):
    logs = LogsConfig(answers=str(tmp_path))
    for _ in range(2):
        serve(logs=logs).post('/v1/code', json={'texts': TEXTS[:1]})
    assert (tmp_path / SALT).is_file()
    assert len({line['text_hash'] for line in logged(tmp_path)}) == 1


def test_nothing_is_logged_by_default(serve, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    serve().post('/v1/code', json={'texts': TEXTS})
    assert list(tmp_path.iterdir()) == []
