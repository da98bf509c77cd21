"""A large file is coded by the deployment of a real Prefect server, and comes back as by `code`."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from naics_embed.bundle.promotion import ROOT_VARIABLE
from naics_embed.config.operation import JobsConfig
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.coded_columns import ColumnOptions
from naics_embed.service.app import create_app
from tests.service.service_help import CONFIG, ROOT, wait_until

pytestmark = pytest.mark.slow

PATIENCE_S = 900
ROWS = 240
DEPLOYMENT = 'code-batch/cpu'
SERVE = """
import sys
from flows.code_batch import code_batch
code_batch.serve('cpu', parameters={'overrides': sys.argv[1:]}, pause_on_shutdown=False)
"""


@pytest.fixture(scope='module')
def deployment(prefect_server, mlflow_uri, tmp_path_factory) -> Iterator[str]:
    """Serve the deployment, as `flow.serve` does; yield the address of the server's API."""
    folder = tmp_path_factory.mktemp('deployment')
    overrides = ['batch.workers=1', 'batch.partition_rows=100', f'tracking.uri={mlflow_uri}']
    environment = {
        **os.environ,
        'PYTHONPATH': str(ROOT),
        'PREFECT_API_URL': prefect_server,
        'PREFECT_RUNNER_POLL_FREQUENCY': '1',
        ROOT_VARIABLE: str(folder / 'artifacts'),
    }
    log = folder / 'serve.log'
    with log.open('w') as output:
        process = subprocess.Popen(
            [sys.executable, '-c', SERVE, *overrides],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: DEPLOYMENT in log.read_text() or _gone(process, log), PATIENCE_S)
        yield prefect_server
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _gone(process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-4000:]
    return False


@pytest.fixture
def client(deployment, engine, tmp_path, monkeypatch) -> Iterator[TestClient]:
    monkeypatch.setenv('PREFECT_API_URL', deployment)
    jobs = JobsConfig(
        folder=str(tmp_path / 'jobs'), large_rows=ROWS, deployment=DEPLOYMENT, poll_s=1.0
    )
    with TestClient(create_app(replace(CONFIG, jobs=jobs), lambda: engine)) as opened:
        wait_until(lambda: opened.get('/readyz').status_code == 200)
        yield opened


@pytest.fixture
def source(engine, tmp_path) -> Path:
    """Titles with their row, a text that comes again, one that says nothing, and none."""
    titles = [engine.coder.searcher.titles[leaf] for leaf in engine.coder.leaves.tolist()]
    texts = [f'{title} {row}' for row, title in enumerate(titles[:ROWS])]
    texts[5], texts[150], texts[7], texts[9] = 'corn farming', 'corn farming', '', 'n/a'
    file = tmp_path / 'firms.csv'
    pl.DataFrame({'id': [f'{row:04d}' for row in range(ROWS)], 'text': texts}).write_csv(file)
    return file


@pytest.mark.parametrize('ending', ['csv', 'parquet'])
def test_a_large_file_comes_back_as_by_code(client, engine, source, tmp_path, ending):
    options = {'filename': 'firms.csv', 'format': ending, 'top': 2, 'confidence': 0.5}
    sent = client.post('/v1/jobs', content=source.read_bytes(), params=options)
    assert sent.status_code == 202, sent.text
    number = sent.json()['id']
    seen = []

    def over() -> bool:
        seen.append(client.get(f'/v1/jobs/{number}').json())
        return seen[-1]['state'] not in ('queued', 'running')

    wait_until(over, PATIENCE_S)
    state = seen[-1]
    assert state['state'] == 'done', state
    assert state['flow_run'], 'the deployment coded it'
    assert (state['rows'], state['bad']) == (ROWS, 1)
    received = client.get('/' + state['result'])
    out = tmp_path / f'coded.{ending}'
    columns = ColumnOptions(top=2)
    code_file(engine.coder, FileJob(source, 'text', out, 6, 0.5, columns=columns))
    read = pl.read_parquet if ending == 'parquet' else _read_csv
    own, expected = read(io.BytesIO(received.content)), read(out)
    numbers = [name for name in expected.columns if 'probability' in name]
    assert own.columns == expected.columns
    assert own.drop(numbers).equals(expected.drop(numbers))
    for name in numbers:
        # Texts are encoded in other batches, which changes the last digits.
        ours, theirs = (frame[name].cast(pl.Float64).to_list() for frame in (own, expected))
        assert ours == pytest.approx(theirs, abs=2e-5), name
    assert client.delete(f'/v1/jobs/{number}').status_code == 204
    assert client.get(f'/v1/jobs/{number}').status_code == 404


def _read_csv(file) -> pl.DataFrame:
    return pl.read_csv(file, infer_schema=False)
