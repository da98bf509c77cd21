"""Files are coded for clients: every format, progress, stops and restarts, limits, expiry."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from naics_embed.artifacts import write_json
from naics_embed.config.operation import JobsConfig, KeysConfig
from naics_embed.errors import RemoteRunError, UserError
from naics_embed.search.coder import Coder
from naics_embed.search.partitions import (
    PartitionSettings,
    bundle_key,
    code_partition,
    plan_partitions,
)
from naics_embed.service.app import create_app
from naics_embed.service.jobs.deployment import PARTITIONS, Deployment, collect, rows_coded
from naics_embed.service.jobs.record import CANCELLED, Job, JobOptions
from naics_embed.service.jobs.runner import JobRunner
from naics_embed.service.jobs.store import JobStore
from naics_embed.service.key_file import create_key
from naics_embed.service.running import Service
from tests.service.service_help import CONFIG, wait_until

TEXTS = ['soybean farming', 'dog grooming', '', 'custom software', 'soybean farming']
CSV = 'id,text\n' + ''.join(f'{i},{text}\n' for i, text in enumerate(TEXTS))


def config_of(folder, **settings):
    return replace(CONFIG, jobs=JobsConfig(folder=str(folder), part_rows=2, **settings))


@pytest.fixture
def client(engine, tmp_path):
    with TestClient(create_app(config_of(tmp_path / 'jobs'), lambda: engine)) as opened:
        wait_until(lambda: opened.get('/readyz').status_code == 200)
        yield opened


def send(client, content, **options):
    return client.post('/v1/jobs', content=content, params={'filename': 'in.csv'} | options)


def ended(client, number):
    wait_until(lambda: client.get(f'/v1/jobs/{number}').json()['state'] not in WAITING)
    return client.get(f'/v1/jobs/{number}').json()


WAITING = ('queued', 'running')


def table_of(content: bytes, ending: str) -> pl.DataFrame:
    if ending == 'csv':
        return pl.read_csv(content, infer_schema=False)
    if ending == 'parquet':
        return pl.read_parquet(content)
    return pl.read_excel(content)


@pytest.mark.parametrize('ending', ['csv', 'parquet', 'xlsx'])
def test_a_file_goes_in_and_comes_back_with_codes(client, ending, engine):
    answer = send(client, CSV, format=ending, provenance=True)
    assert answer.status_code == 202
    number = answer.json()['id']
    assert answer.headers['location'] == f'/v1/jobs/{number}'
    state = ended(client, number)
    assert state['state'] == 'done', state
    assert (state['rows'], state['total'], state['bundle']) == (5, 5, engine.bundle)
    result = client.get('/' + state['result'])
    assert result.headers['content-disposition'].endswith(f'.{ending}"')
    table = table_of(result.content, ending)
    assert [text or '' for text in table['text']] == TEXTS
    assert table['naics_code'][0] == '111110'
    assert table['naics_bundle'].unique().to_list() == [engine.bundle]


def test_a_parquet_file_is_answered_in_its_own_format(client):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({'what': TEXTS}), sink)
    content = sink.getvalue().to_pybytes()
    number = send(client, content, filename='in.parquet', text_column='what').json()['id']
    state = ended(client, number)
    assert state['state'] == 'done', state
    assert pl.read_parquet(client.get('/' + state['result']).content).height == len(TEXTS)


@pytest.mark.parametrize(
    ('content', 'options', 'status', 'says'),
    [
        (CSV, {'filename': 'in.doc'}, 422, 'must end in'),
        (CSV, {'format': 'doc'}, 422, 'format'),
        (CSV, {'text_column': 'description'}, 422, 'description'),
        (CSV, {'columns': 'colour'}, 422, 'colour'),
        (CSV, {'weight': 'text=7'}, 422, 'weight'),
        (CSV, {'level': 7}, 422, 'schema'),
        (b'', {}, 422, 'empty'),
    ],
)
def test_what_cannot_be_coded_is_refused_at_once(client, tmp_path, content, options, status, says):
    answer = send(client, content, **options)
    assert answer.status_code == status, answer.text
    assert says in answer.json()['detail']
    assert str(tmp_path) not in answer.text, 'folders of the machine are private'
    assert list((tmp_path / 'jobs').iterdir()) == []


def test_a_file_that_is_too_large_is_refused(engine, tmp_path):
    with TestClient(create_app(config_of(tmp_path, max_bytes=20), lambda: engine)) as client:
        assert send(client, CSV).status_code == 413
        pieces = (piece for piece in [CSV.encode()] * 3)
        assert send(client, pieces).status_code == 413
        assert list(tmp_path.iterdir()) == []


def test_too_many_jobs_are_refused(engine, tmp_path):
    gate = threading.Event()

    def load():
        gate.wait(60)
        return engine

    with TestClient(create_app(config_of(tmp_path, max_waiting=1), load)) as client:
        # The bundle is loading: the job waits.
        number = send(client, CSV).json()['id']
        assert send(client, CSV).status_code == 503
        assert client.get(f'/v1/jobs/{number}').json()['state'] == 'queued'
        assert client.get(f'/v1/jobs/{number}/result').status_code == 409
        gate.set()
        assert ended(client, number)['state'] == 'done'


def test_a_job_of_a_killed_service_goes_on(engine, tmp_path):
    """What a killed process leaves: a job that runs, and the parts that it has written."""
    store = JobStore(tmp_path, JobsConfig(folder=str(tmp_path), part_rows=2))
    service = Service(CONFIG, lambda: engine)
    service.use(engine)
    first = JobRunner(store, service)
    job, folder = store.incoming('in.csv', None)
    (folder / job.source).write_text(CSV)
    store.add(first.check(job, folder), folder)
    [job] = store
    coded = []
    real = engine.coder.search

    def search(texts, **options):
        coded.extend(texts)
        if len(coded) > 2:
            # The process dies in the second part.
            raise KeyboardInterrupt
        return real(texts, **options)

    engine.coder.search = search
    try:
        with pytest.raises(KeyboardInterrupt):
            first._run(job, False)
    finally:
        del engine.coder.search
    first.close()
    assert Job.read(tmp_path / job.id).state == 'running'
    again = JobStore(tmp_path, store.config)
    second = JobRunner(again, service)
    seen = []
    engine.coder.search = lambda texts, **options: seen.extend(texts) or real(texts, **options)
    try:
        second.start()
        wait_until(lambda: next(iter(again)).state == 'done')
    finally:
        del engine.coder.search
    second.close()
    # The first part was not coded again.
    assert seen == ['custom software', 'soybean farming']
    table = pl.read_csv(tmp_path / job.id / 'result.csv', infer_schema=False)
    assert [text or '' for text in table['text']] == TEXTS
    assert not list((tmp_path / job.id).glob('input*'))


def test_a_running_job_is_cancelled_and_leaves_nothing(engine, tmp_path):
    begun, go = threading.Event(), threading.Event()
    real = engine.coder.search

    def search(texts, **options):
        begun.set()
        assert go.wait(60)
        return real(texts, **options)

    with TestClient(create_app(config_of(tmp_path), lambda: engine)) as client:
        wait_until(lambda: client.get('/readyz').status_code == 200)
        engine.coder.search = search
        try:
            number = send(client, CSV).json()['id']
            assert begun.wait(60)
            assert client.delete(f'/v1/jobs/{number}').status_code == 204
            go.set()
            wait_until(lambda: [p.name for p in (tmp_path / number).iterdir()] == ['job.json'])
        finally:
            del engine.coder.search
        assert client.get(f'/v1/jobs/{number}').json()['state'] == 'cancelled'
        assert client.delete(f'/v1/jobs/{number}').status_code == 204
        assert client.get(f'/v1/jobs/{number}').status_code == 404


def test_classification_and_prior_codes_are_options_of_a_job(client, engine):
    answer = send(client, CSV, classification='ISIC Rev. 4', format='parquet')
    state = ended(client, answer.json()['id'])
    table = table_of(client.get('/' + state['result']).content, 'parquet')
    [own] = engine.coder.search([TEXTS[0]], k=1, classification='isic4')
    assert table['isic4_code'][0] == own.hits[0].official
    rows = ''.join(f'{i},{text},722511\n' for i, text in enumerate(TEXTS))
    answer = send(client, 'id,text,old\n' + rows, prior_column='old', format='parquet')
    state = ended(client, answer.json()['id'])
    table = table_of(client.get('/' + state['result']).content, 'parquet')
    expected = engine.coder.search([TEXTS[1]], k=1, prior_codes=['722511'])
    assert table['naics_code'][1] == expected[0].hits[0].official
    for options, message in (
        ({'classification': 'isic9'}, 'choose from naics2022, '),
        ({'classification': 'isic4', 'level': 6}, 'level must be one of 1, 2, 3, 4'),
        ({'prior_column': 'older'}, "no column 'older'"),
        ({'prior_column': 'old', 'prior_vintage': '1997'}, 'the vintage of prior codes'),
    ):
        refused = send(client, CSV, **options)
        assert (refused.status_code, message in refused.json()['detail']) == (422, True), refused


def test_results_expire(engine, tmp_path):
    store = JobStore(tmp_path, JobsConfig(folder=str(tmp_path), keep_hours=1))
    job, folder = store.incoming('in.csv', None)
    job.state, job.ended = 'done', datetime.now(UTC).isoformat()
    store.add(job, folder)
    assert store.expire() == 0
    assert store.expire(datetime.now(UTC) + timedelta(hours=2)) == 1
    assert list(store) == []
    assert list(tmp_path.iterdir()) == []


def test_jobs_belong_to_the_key_that_made_them(engine, tmp_path):
    file = tmp_path / 'keys.json'
    one, other = (create_key(file, name, ['jobs'])[0] for name in ('one', 'other'))
    config = replace(config_of(tmp_path / 'jobs'), keys=KeysConfig(file=str(file)))
    with TestClient(create_app(config, lambda: engine)) as client:
        headers = {'X-API-Key': one}
        number = client.post(
            '/v1/jobs', content=CSV, params={'filename': 'in.csv'}, headers=headers
        ).json()['id']
        foreign = {'X-API-Key': other}
        assert client.get(f'/v1/jobs/{number}', headers=foreign).status_code == 404
        assert client.delete(f'/v1/jobs/{number}', headers=foreign).status_code == 404
        assert client.get('/v1/jobs', headers=foreign).json() == {'jobs': []}
        [job] = client.get('/v1/jobs', headers=headers).json()['jobs']
        assert job['id'] == number


class Prefect:
    """The three answers of a Prefect server, and what a worker would do."""

    def __init__(self, bundle) -> None:
        self.bundle = bundle
        self.asked = []
        self.states = ['PENDING', 'RUNNING']
        self.runs = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix('/api/')
        self.asked.append((request.method, path, request.headers.get('authorization')))
        if path == 'deployments/name/code-batch/cpu':
            return httpx.Response(200, json={'id': 'd1'})
        if path == 'deployments/d1/create_flow_run':
            content = json.loads(request.content)
            self.runs.setdefault(content['idempotency_key'], content['parameters'])
            return httpx.Response(201, json={'id': 'r1'})
        if path == 'flow_runs/r1' and self.states:
            return httpx.Response(200, json={'state': {'type': self.states.pop(0)}})
        if path == 'flow_runs/r1':
            [parameters] = self.runs.values()
            self.work(parameters)
            return httpx.Response(200, json={'state': {'type': 'COMPLETED'}})
        return httpx.Response(404)

    def work(self, parameters) -> None:
        from pathlib import Path

        coder = Coder.load(Path(parameters['table']))
        out = Path(parameters['out'])
        settings = PartitionSettings(parameters['text_column'][0], 6, 0.8, 100)
        for partition in plan_partitions(parameters['source'], out, 2):
            code_partition(
                partition, out, settings, bundle_key(coder.searcher.bundle), lambda: coder
            )


@pytest.mark.parametrize('ending', ['csv', 'parquet'])
def test_a_large_file_is_coded_by_the_deployment(engine, bundle_path, tmp_path, ending):
    prefect = Prefect(bundle_path)
    environment = {
        'PREFECT_API_URL': 'http://prefect.test/api',
        'PREFECT_API_AUTH_STRING': 'admin:secret',
    }
    deployment = Deployment('code-batch/cpu', environment, httpx.MockTransport(prefect))
    config = JobsConfig(folder=str(tmp_path), large_rows=5, poll_s=0.01)
    service = Service(CONFIG, lambda: engine)
    service.use(engine)
    store = JobStore(tmp_path, config)
    runner = JobRunner(store, service, deployment)
    job, folder = store.incoming('in.csv', ending)
    (folder / job.source).write_text(CSV)
    store.add(runner.check(job, folder), folder)
    [job] = store
    runner.add(job)
    wait_until(lambda: job.state == 'done')
    runner.close()
    assert (job.rows, job.flow_run) == (5, 'r1')
    assert list(prefect.runs) == [job.id]
    assert all(authorization.startswith('Basic ') for _, _, authorization in prefect.asked)
    table = table_of((tmp_path / job.id / job.result).read_bytes(), ending)
    assert [text or '' for text in table['text']] == TEXTS
    assert table['naics_code'][0] == '111110'


def test_a_large_file_with_a_dialect_of_its_own_is_coded_here(engine, bundle_path, tmp_path):
    prefect = Prefect(bundle_path)
    environment = {'PREFECT_API_URL': 'http://prefect.test/api'}
    deployment = Deployment('code-batch/cpu', environment, httpx.MockTransport(prefect))
    config = JobsConfig(folder=str(tmp_path), large_rows=5)
    service = Service(CONFIG, lambda: engine)
    service.use(engine)
    store = JobStore(tmp_path, config)
    runner = JobRunner(store, service, deployment)
    job, folder = store.incoming('in.csv', 'csv')
    job.options = JobOptions(skip_rows=1)
    (folder / job.source).write_text(f'made by hand\n{CSV}')
    store.add(runner.check(job, folder), folder)
    [job] = store
    runner.add(job)
    wait_until(lambda: job.state == 'done')
    runner.close()
    assert (job.rows, job.flow_run, prefect.runs) == (5, None, {})


def test_a_server_that_lacks_the_deployment_is_named(tmp_path):
    environment = {'PREFECT_API_URL': 'http://prefect.test/api'}
    missing = httpx.MockTransport(lambda _: httpx.Response(404))
    deployment = Deployment('code-batch/cpu', environment, missing)
    with pytest.raises(RemoteRunError, match='code-batch/cpu exists'):
        deployment.start(Job('1', 'input.csv', 'result.csv'), tmp_path, tmp_path)
    with pytest.raises(UserError, match='PREFECT_API_URL'):
        Deployment('code-batch/cpu', {})


def test_a_busy_server_is_asked_again(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr('naics_embed.service.jobs.deployment.time.sleep', waits.append)
    busy = iter([503, 502])

    def answer(request):
        if request.method == 'POST' and (status := next(busy, None)):
            return httpx.Response(status)
        return httpx.Response(200, json={'id': 'r1'})

    environment = {'PREFECT_API_URL': 'http://prefect.test/api'}
    deployment = Deployment('code-batch/cpu', environment, httpx.MockTransport(answer))
    assert deployment.start(Job('1', 'input.csv', 'result.csv'), tmp_path, tmp_path) == 'r1'
    assert waits == [0.5, 1.0]
    always = httpx.MockTransport(lambda _: httpx.Response(503))
    deployment = Deployment('code-batch/cpu', environment, always)
    with pytest.raises(RemoteRunError, match='answers 503'):
        deployment.state('r1')
    assert len(waits) == 2 + 5


def test_progress_of_a_run_is_that_of_its_manifests(tmp_path):
    for number, rows in enumerate((3, 4)):
        path = tmp_path / PARTITIONS / '_manifests' / f'part-{number}.parquet.json'
        write_json(path, {'rows': rows, 'bad': number})
    (tmp_path / PARTITIONS / '_manifests' / 'part-2.parquet.json').write_text('{')
    assert rows_coded(tmp_path) == (7, 1)
    with pytest.raises(UserError, match='no partition'):
        collect(Job('1', 'input.csv', 'result.csv'), tmp_path)


def test_a_record_is_read_as_it_was_written(tmp_path):
    job = Job('1', 'input.csv', 'result.csv', JobOptions(('a', 'b'), ('a=0.5',), columns=('code',)))
    job.state = CANCELLED
    job.write(tmp_path)
    assert Job.read(tmp_path) == job
