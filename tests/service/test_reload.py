"""Another bundle takes the place of the one in use, or is refused; a candidate is compared."""

import gc
import json
import shutil
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from naics_embed.bundle.promotion import promote
from naics_embed.bundle.provenance import Provenance
from naics_embed.bundle.storage import Bundle
from naics_embed.config.operation import ReloadConfig, ShadowConfig
from naics_embed.service.app import create_app
from naics_embed.service.engine import Engine
from naics_embed.service.reload import Source
from naics_embed.service.self_test import SelfTestError, check_engine
from tests.service.bundles import another, broken
from tests.service.service_help import CONFIG, START_S, wait_until

TEXT = {'texts': ['soybean farming'], 'k': 2}


def load(path: Path) -> Engine:
    return Engine.load(path, CONFIG.map_stretch)


def key_of(path: Path) -> str:
    return Provenance.of(Bundle.load(path, verify=False)).bundle


@pytest.fixture(scope='module')
def root(bundle_path, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('root')
    shutil.copytree(bundle_path, root / 'first')
    another(bundle_path, root / 'second')
    broken(bundle_path, root / 'broken')
    return root


@pytest.fixture(scope='module')
def loaded(root, engine):
    """Loads each bundle once."""
    engines = {root / 'first': engine}

    def once(path: Path) -> Engine:
        if path not in engines:
            engines[path] = load(path)
        return engines[path]

    return once


@pytest.fixture
def watching(root, loaded):
    """A service that looks for another bundle all the time."""
    promote(root, root / 'first', {})
    config = replace(CONFIG, reload=ReloadConfig(watch_s=0.05, self_test_texts=16))
    source = Source.promoted(loaded, root / 'first', root=root)
    with TestClient(create_app(config, source.first, source=source)) as client:
        wait_until(lambda: client.get('/readyz').status_code == 200)
        yield client


def used(client) -> str:
    return client.get('/v1/model').json()['provenance']['bundle']


def test_a_promoted_bundle_is_used_and_no_request_fails(watching, root):
    answers, stop = [], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answer = watching.post('/v1/code', json=TEXT)
            answers.append((answer.status_code, answer.json()['provenance']['bundle']))

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    promote(root, root / 'second', {})
    wait_until(lambda: used(watching) == key_of(root / 'second'), START_S)
    count = len(answers)
    wait_until(lambda: len(answers) > count + 8)
    stop.set()
    for client in clients:
        client.join()
    assert {status for status, _ in answers} == {200}
    assert {bundle for _, bundle in answers} == {key_of(root / n) for n in ('first', 'second')}
    model = watching.get('/v1/model').json()
    assert model['reload']['result'] == 'switched'
    assert 'naics_embed_reloads_total{result="switched"} 1.0' in watching.get('/metrics').text


def test_a_bundle_that_fails_its_test_is_refused_and_the_old_one_stays(watching, root):
    promote(root, root / 'broken', {})
    wait_until(lambda: watching.get('/v1/model').json()['reload'] is not None, START_S)
    model = watching.get('/v1/model').json()
    assert model['reload']['result'] == 'refused'
    assert model['provenance']['bundle'] == key_of(root / 'first')
    assert watching.post('/v1/code', json=TEXT).status_code == 200
    # The one after it is used again.
    promote(root, root / 'second', {})
    wait_until(lambda: used(watching) == key_of(root / 'second'), START_S)


def test_a_damaged_bundle_is_refused(watching, root, tmp_path):
    damaged = shutil.copytree(root / 'second', tmp_path / 'damaged')
    (damaged / 'metrics.json').write_text('{}')
    promote(root, damaged, {})
    wait_until(lambda: watching.get('/v1/model').json()['reload'] is not None, START_S)
    assert 'altered' in watching.get('/v1/model').json()['reload']['detail']
    assert used(watching) == key_of(root / 'first')


def test_the_self_test_needs_the_model(root, engine, loaded):
    assert check_engine(engine, 32, 0.9).right >= 29
    with pytest.raises(SelfTestError):
        check_engine(loaded(root / 'broken'), 32, 0.9)


def test_the_memory_of_the_old_bundle_is_freed(bundle_path):
    engine = load(bundle_path)
    engine.search('soybean farming', 1, 6, 0.8)
    engine.suggester()
    gone = weakref.ref(engine), weakref.ref(engine.coder), weakref.ref(engine.coder.evidence)
    del engine
    gc.collect()
    assert [one() for one in gone] == [None, None, None]


def test_only_administrators_ask_for_another_bundle(client):
    answer = client.post('/v1/admin/reload')
    assert answer.status_code == 403
    assert 'SIGHUP' in answer.json()['detail']


def test_a_candidate_answers_too_and_differences_are_counted(root, engine, serve):
    client = serve(shadow=ShadowConfig(bundle=str(root / 'second')))
    wait_until(lambda: client.get('/v1/model').json()['shadow'] is not None, START_S)
    assert client.get('/v1/model').json()['shadow']['bundle'] == key_of(root / 'second')
    for _ in range(3):
        assert client.post('/v1/code', json=TEXT).status_code == 200
    same = 'naics_embed_shadow_texts_total{result="same"} 3.0'
    wait_until(lambda: same in client.get('/metrics').text)


def test_a_candidate_that_cannot_keep_up_is_left_out(engine):
    from naics_embed.service.metrics import Metrics
    from naics_embed.service.shadow import Shadow

    class Slow:
        provenance = engine.provenance

        def code(self, *_):
            time.sleep(0.2)
            raise ZeroDivisionError('a bug')

    metrics = Metrics()
    shadow = Shadow(Slow(), ShadowConfig(queue=1), metrics)
    given = engine.code(['soybean farming'], 1, 6, 0.8, 0).answers
    for _ in range(3):
        shadow.offer(['soybean farming'], given, 6)
    wait_until(lambda: b'shadow_failed_total 1.0' in metrics.text())
    assert b'naics_embed_shadow_skipped_total 2.0' in metrics.text()
    shadow.close()


def test_a_candidate_is_compared_in_the_classification_that_was_asked_for(engine):
    from naics_embed.service.extras import Wanted
    from naics_embed.service.metrics import Metrics
    from naics_embed.service.shadow import Shadow

    metrics = Metrics()
    shadow = Shadow(engine, ShadowConfig(), metrics)
    wanted = Wanted(classification='isic4')
    given = engine.code(['soybean farming'], 1, 4, 0.8, 0, wanted).answers
    assert len(given[0].hits[0].code) == 4
    shadow.offer(['soybean farming'], given, 4, 'isic4')
    wait_until(lambda: b'shadow_texts_total{result="same"} 1.0' in metrics.text())
    shadow.close()


def test_every_answer_names_where_it_comes_from(client, engine):
    names = {'bundle', 'vintage', 'classification', 'version', 'calibration', 'time'}
    for answer in (
        client.post('/v1/code', json=TEXT),
        client.get('/v1/search', params={'q': 'soybean farming'}),
        client.get('/v1/search', params={'q': '111110'}),
        client.get('/v1/model'),
    ):
        stated = answer.json()['provenance']
        assert set(stated) == names
        assert stated['bundle'] == engine.bundle
        assert all(stated.values()), stated
    model = client.get('/v1/model').json()
    assert sum(model['calibration_texts'].values()) > 100
    assert model['codes'] == 2125
    assert json.dumps(model)


def test_suggestions_come_as_one_types(client):
    found = client.get('/v1/suggest', params={'q': 'soyb'}).json()['suggestions']
    assert found[0]['code'] == '111110'
    assert client.get('/v1/suggest', params={'q': 'soyb', 'limit': 0}).status_code == 422
    assert client.get('/v1/suggest', params={'q': ''}).json() == {'suggestions': []}
