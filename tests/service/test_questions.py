"""Questions over HTTP, with nothing remembered between requests."""

import json

import pytest

from tests.service.service_help import is_problem

TEXT = 'furniture'


@pytest.fixture
def client(serve):
    return serve()


def coded(client, **body):
    answer = client.post('/v1/code', json={'texts': TEXT, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()['answers'][0]


def test_a_question_is_sent_back_with_the_answer(client):
    asked = coded(client, ask=True)
    question = asked['question']
    assert question['prompt'].endswith('?')
    assert [option['rest'] for option in question['options'][-2:]] == [True, False]
    for number, option in enumerate(question['options'][:-2]):
        reply = {'question': question, 'option': number}
        answer = coded(client, replies=[reply])
        assert answer['hits'][0]['code'].startswith(tuple(option['codes']))
        assert answer['question'] is None
    assert coded(client)['question'] is None
    assert coded(client, ask=True) == asked


def test_the_page_can_ask_too(client):
    answer = client.get('/v1/search', params={'q': TEXT, 'ask': 'true'}).json()['answer']
    assert answer['question'] == coded(client, ask=True)['question']
    vague = client.get('/v1/search', params={'q': 'n/a', 'ask': 'true'}).json()['answer']
    assert vague['missing'] == ['what the business makes, sells or does']


def test_what_cannot_be_answered_is_a_problem(client):
    question = coded(client, ask=True)['question']
    reply = {'question': question, 'option': 99}
    wrong = client.post('/v1/code', json={'texts': TEXT, 'replies': [reply]})
    assert is_problem(wrong, 422)
    assert 'option must be one of 0:' in wrong.json()['detail']
    several = client.post(
        '/v1/code', json={'texts': [TEXT, 'bakery'], 'replies': [reply | {'option': 0}]}
    )
    assert is_problem(several, 422)
    assert 'one text, not 2' in several.json()['detail']
    for changed in ({'options': []}, {'gain': 'much'}, {'prompt': 'x' * 1000}):
        body = {'texts': TEXT, 'replies': [{'question': question | changed, 'option': 0}]}
        assert is_problem(client.post('/v1/code', json=body), 422)
    without = client.post('/v1/code', json={'texts': TEXT, 'coverage': 0.9})
    assert is_problem(without, 422)
    assert 'run the pipeline again' in without.json()['detail']


def test_codes_of_a_reply_may_be_any_text(client):
    """A client may send codes that do not exist; they stand for nothing."""
    question = coded(client, ask=True)['question']
    question['options'][0]['codes'] = ['nothing', '9-x', '']
    body = json.dumps({'texts': TEXT, 'replies': [{'question': question, 'option': 0}]})
    answer = client.post('/v1/code', content=body, headers={'Content-Type': 'application/json'})
    assert is_problem(answer, 422)
    assert 'nothing' in answer.json()['detail']
