"""Coded texts against earlier ones, by a flow run on a server of its own."""

import asyncio
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from sqlalchemy import select

from naics_embed.bundle.promotion import promote
from naics_embed.errors import UserError
from naics_embed.monitoring.observations import SCHEMA, write_observations
from naics_embed.review.batches import known_batch
from naics_embed.review.store import Store
from naics_embed.review.tables import items
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.coder import Coder
from tasks.monitoring import EVENT
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

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


def test_the_automatic_codes_of_the_last_week_are_queued_for_people(
    mlflow_uri, prefect_server, tmp_path
):
    from flows.monitor import monitor

    encoder = write_tiny_encoder(tmp_path / 'encoder')
    bundle = write_tiny_bundle(tmp_path / 'bundle', encoder, coder=True)
    root = tmp_path / 'artifacts'
    promote(root, bundle, {})
    coder = Coder.load(bundle)
    texts = [coder.searcher.titles[leaf] for leaf in coder.leaves[:40].tolist()]
    source, out = tmp_path / 'in.csv', tmp_path / 'coded.parquet'
    days = ['2026-11-18'] * 15 + ['2026-11-25'] * 25
    pl.DataFrame({'what': texts, 'received': days}).write_csv(source)
    code_file(coder, FileJob(source, 'what', out, confidence=0.5))
    options = {
        'text_column': 'what',
        'time_column': 'received',
        'subject': 'claims',
        'overrides': [
            f'runtime.root={root}',
            f'tracking.uri={mlflow_uri}',
            'monitoring.audit_fraction=0.5',
            'monitoring.least_rows=10',
            f'review.store={tmp_path / "review.db"}',
        ],
    }
    summary = monitor([str(out)], [str(out)], **options)
    coded = pl.read_parquet(out).filter(pl.col('received') == '2026-11-25')
    audit = summary['audit']
    assert audit['accepted'] == (coded['naics_status'] == 'coded').sum() > 10
    assert 0 < audit['rows'] < audit['accepted']
    store = Store.open(str(tmp_path / 'review.db'))
    with store.reading() as connection:
        batch = known_batch(connection, 'audit-claims-2026-11-23')
        shown = connection.execute(select(items.c.text, items.c.state)).all()
    store.close()
    assert batch.drawn_from == audit['accepted']
    assert len(shown) == audit['rows']
    assert {row.text for row in shown} < set(coded['what'])
    again = monitor([str(out)], [str(out)], **options)
    assert again['audit'] == {**audit, 'added': 0}
    options['text_column'] = None
    with pytest.raises(UserError, match='audit_fraction needs text_column'):
        monitor([str(out)], [str(out)], **options)


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
