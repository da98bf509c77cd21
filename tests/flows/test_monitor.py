"""Coded texts against earlier ones, by a flow run on a server of its own."""

import asyncio
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import get_client

from naics_embed.errors import UserError
from naics_embed.monitoring.observations import SCHEMA, write_observations
from tasks.monitoring import EVENT

pytestmark = pytest.mark.slow


@pytest.fixture
def observed(tmp_path):
    def write(name, start, words=8.0, rows=600):
        rng = np.random.default_rng(len(name))
        frame = pl.DataFrame(
            {
                'time': [start] * rows,
                'code': ['722511'] * rows,
                'probability': rng.beta(6, 2, rows).tolist(),
                'status': ['coded'] * rows,
                'words': rng.poisson(words, rows).tolist(),
                'unknown_words': [0.0] * rows,
                'familiarity': rng.beta(9, 3, rows).tolist(),
                'bundle': ['b'] * rows,
            },
            schema=SCHEMA,
        )
        write_observations(frame, tmp_path / name)
        return str(tmp_path / name)

    return write


def test_an_alarm_becomes_an_event(observed, mlflow_uri, prefect_server, tmp_path):
    from flows.monitor import monitor

    day = datetime(2026, 3, 2)
    sources = [
        observed('one.parquet', day),
        observed('second.parquet', day + timedelta(weeks=1), words=16),
    ]
    reference = [observed('reference.parquet', day - timedelta(weeks=9))]
    options = {
        'overrides': [f'runtime.root={tmp_path / "artifacts"}', f'tracking.uri={mlflow_uri}'],
        'prometheus': str(tmp_path / 'drift.prom'),
        'subject': 'claims',
    }
    summary = monitor(sources, reference, **options)
    assert (summary['alarms'], summary['last_alarms']) == (1, 1)
    client = MlflowClient(mlflow_uri)
    history = client.get_metric_history(summary['run_id'], 'drift/length')
    assert [metric.value > 0.1 for metric in history] == [False, True]
    assert {file.path for file in client.list_artifacts(summary['run_id'])} == {'drift.html'}
    assert 'naics_embed_drift_alarm{quantity="length"} 1' in (tmp_path / 'drift.prom').read_text()

    event = asyncio.run(_event(timedelta(seconds=60)))
    assert event['payload']['quantity'] == 'length'
    assert event['resource']['prefect.resource.id'] == 'naics-embed.monitor.claims'

    with pytest.raises(UserError, match='the last window has changed: length'):
        monitor(sources, reference, fail=True, **options)


async def _event(limit: timedelta) -> dict:
    """Wait for the event of the alarm on the server."""
    until = datetime.now() + limit
    asked = {'filter': {'event': {'name': [EVENT]}}}
    async with get_client() as client:
        while datetime.now() < until:
            answer = await client._client.post('/events/filter', json=asked)
            found = answer.json()['events']
            if found:
                return found[0]
            await asyncio.sleep(0.5)
    raise AssertionError('no event came')
