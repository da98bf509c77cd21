"""The registered model on a small bundle, as MLflow saves and loads it."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from naics_embed.search.code_table import CodeTable
from naics_embed.search.coder import Coder
from tasks.registry.models import CODE, EXAMPLE, signature
from tasks.registry.served_model import COLUMNS, ORIGIN
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

START_S = 300


@pytest.fixture(scope='module')
def encoder(tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp('served') / 'encoder')


@pytest.fixture(scope='module')
def bundle(encoder):
    return write_tiny_bundle(encoder.with_name('bundle'), encoder, coder=True)


def loaded(bundle, folder):
    """The model after a way through MLflow's own format."""
    mlflow.pyfunc.save_model(
        path=str(folder),
        python_model=str(CODE),
        artifacts={'bundle': str(bundle)},
        signature=signature(),
        input_example=(EXAMPLE, {'k': 2}),
        pip_requirements=['naics-embed'],
    )
    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture(scope='module')
def model_path(tmp_path_factory):
    return tmp_path_factory.mktemp('saved') / 'model'


@pytest.fixture(scope='module')
def model(bundle, model_path):
    return loaded(bundle, model_path)


def test_answers_say_where_they_come_from_if_asked(model, bundle):
    rows = pd.DataFrame({'text': ['corn farming', None], 'code': [None, '541330']})
    found = model.predict(rows, params={'k': 1, 'provenance': True})
    assert tuple(found.columns) == (*COLUMNS, *ORIGIN)
    stated = Coder.load(bundle).provenance.lasting()
    for name, value in stated.items():
        assert found[name].unique().tolist() == [value]
    assert found['time'].notna().all()


def test_texts_are_answered_by_the_coder(model, bundle):
    texts = ['corn farming', 'xylophone zzz']
    found = model.predict(pd.DataFrame({'text': texts}), params={'k': 3, 'confidence': 0.2})
    assert tuple(found.columns) == COLUMNS
    assert found['rank'].to_list() == [1, 2, 3, 1, 2, 3]
    for row, answer in enumerate(Coder.load(bundle).search(texts, 3, confidence=0.2)):
        part = found[found['row'] == row]
        assert part['code'].to_list() == [hit.official for hit in answer.hits]
        assert part['probability'].to_list() == pytest.approx(
            [hit.probability for hit in answer.hits]
        )
        sure = None if answer.confident is None else answer.confident.official
        assert {None if pd.isna(code) else code for code in part['confident_code']} == {sure}
    four = model.predict(pd.DataFrame({'text': texts}), params={'k': 1, 'level': 4})
    assert four['level'].to_list() == [4, 4]


def test_codes_get_title_coordinates_and_similar_codes(model, bundle):
    found = model.predict(pd.DataFrame({'code': ['31-33', '541330']}), params={'k': 2})
    table = CodeTable.load(bundle)
    assert found['rank'].to_list() == [0, 1, 2, 0, 1, 2]
    assert found['title'].to_list()[0] == 'Manufacturing'
    assert found['code'].to_list()[3:] == [
        '541330',
        *(near.official for near in table.similar('541330', 2)),
    ]
    row = table.position('541330')
    assert found['coordinates'].to_list()[3] == table.tangents[row].tolist()
    assert found['probability'].isna().all()


def test_no_row_is_dropped(model):
    rows = [
        {'text': 'corn farming'},
        {'text': ' '},
        {'code': '511210'},
        {'code': 'corn'},
        {'text': 'corn', 'code': '11'},
        {},
        {'code': '11'},
        {'text': 'caf\udce9'},
    ]
    found = model.predict(pd.DataFrame(rows, dtype=object), params={'k': 1})
    assert sorted(set(found['row'])) == list(range(len(rows)))
    reasons = dict(zip(found['row'], found['error'], strict=True))
    assert pd.isna(reasons[0])
    assert pd.isna(reasons[6])
    for row, part in {
        1: 'is empty',
        2: 'became 513210',
        3: 'two to six digits',
        4: 'give one of them',
        5: 'neither text nor code',
        7: 'not valid Unicode',
    }.items():
        assert part in reasons[row]


@pytest.mark.parametrize(
    'given',
    [
        ['corn farming', 'bakery'],
        {'text': ['corn farming', 'bakery']},
        [{'text': 'corn farming'}, {'text': 'bakery'}],
        np.array(['corn farming', 'bakery']),
        pd.DataFrame([['corn farming'], ['bakery']]),
        pd.DataFrame({'id': [1, 2], 'text': ['corn farming', 'bakery']}),
    ],
)
def test_texts_may_come_in_any_form(model, given):
    found = model.predict(given, params={'k': 1})
    assert found['query'].to_list() == ['corn farming', 'bakery']
    assert found['title'][0] == 'Corn Farming'
    assert found['error'].isna().all()


def test_one_text_no_text_and_codes_that_are_numbers(model):
    assert model.predict('corn farming', params={'k': 1})['code'].to_list() == ['111150']
    assert len(model.predict([])) == 0
    found = model.predict({'code': [541330, 11.0, True]}, params={'k': 1})
    assert found[found['rank'] == 0]['code'].to_list() == ['541330', '11']
    assert "'True' is not a NAICS code" in found['error'].to_list()[-1]


def test_the_answer_to_the_example_is_json(model):
    found = model.predict(EXAMPLE)
    text = found.to_json(orient='records')

    def refuse(constant: str) -> None:
        raise AssertionError(f'{constant} is no JSON')

    rows = json.loads(text, parse_constant=refuse)
    assert rows[0]['query'] == EXAMPLE['text'][0]
    assert rows[0]['coordinates'] is None
    assert all(math.isfinite(value) for value in rows[-6]['coordinates'])


@pytest.mark.parametrize(
    ('frame', 'params', 'message'),
    [
        (pd.DataFrame({'text': ['a']}), {'k': 0}, 'k must be at least 1'),
        (pd.DataFrame({'text': ['a']}), {'level': 7}, 'level must be one of'),
        (pd.DataFrame({'text': ['a']}), {'confidence': 2.0}, 'confidence must be'),
        (pd.DataFrame({'text': ['a']}), {'k': 'many'}, 'Invalid parameters'),
        (pd.DataFrame({'name': ['a'], 'n': 1}), {}, "text or code; its columns are: 'name', 'n'"),
        (pd.DataFrame(), {}, 'its columns are: none'),
        ([['a', 'b'], ['c', 'd']], {}, 'give a list of texts'),
        ({'text': ['a', 'b'], 'code': ['11']}, {}, 'all of one length'),
    ],
)
def test_bad_input_is_told(model, frame, params, message):
    with pytest.raises(MlflowException, match=message):
        model.predict(frame, params=params)


@pytest.mark.slow
def test_mlflow_serves_it(model, model_path):
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    command = ['mlflow', 'models', 'serve', '-m', model_path, '--env-manager', 'local']
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    server = subprocess.Popen(
        [sys.executable, '-m', *command, '-h', '127.0.0.1', '-p', str(port)],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {'PATH': path},
        start_new_session=True,
    )
    try:
        base = f'http://127.0.0.1:{port}'
        end = time.monotonic() + START_S
        while not answers(f'{base}/ping'):
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)

        def send(**content):
            return httpx.post(f'{base}/invocations', json=content, timeout=60)

        rows = [{'text': 'corn farming'}, {'code': '11'}, {'text': ''}]
        found = send(dataframe_records=rows, params={'k': 1}).json()['predictions']
        assert [row['row'] for row in found] == [0, 1, 1, 2]
        assert found[0]['title'] == 'Corn Farming'
        assert found[1]['coordinates']
        assert 'is empty' in found[3]['error']
        texts = ['corn farming', 'bakery']
        for content in (
            {'inputs': texts},
            {'inputs': {'text': texts}},
            {'instances': texts},
            {'dataframe_split': {'columns': ['text'], 'data': [[text] for text in texts]}},
            {'dataframe_split': {'data': [[text] for text in texts]}},
            {'dataframe_records': [{'text': text, 'id': 7} for text in texts]},
        ):
            found = send(**content, params={'k': 1}).json()['predictions']
            assert [row['query'] for row in found] == texts, content
            assert found[0]['title'] == 'Corn Farming', content
        for content in (
            {'inputs': {'description': texts, 'city': texts}},
            {'dataframe_records': [{'description': text, 'city': text} for text in texts]},
        ):
            refused = send(**content)
            assert refused.status_code == 400
            assert "its columns are: 'description', 'city'" in refused.json()['message']
        refused = send(dataframe_records=rows, params={'k': 0})
        assert refused.status_code == 400
        assert 'k must be at least 1' in refused.json()['message']
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_a_bundle_without_a_coder_is_searched_by_distance(encoder, tmp_path):
    plain = write_tiny_bundle(tmp_path / 'bundle', encoder)
    found = loaded(plain, tmp_path / 'model').predict(pd.DataFrame({'text': ['corn farming']}))
    assert found['distance'].to_list() == sorted(found['distance'])
    assert found['confident_code'].isna().all()
