"""Assets in Prefect: which events a run leaves on a real server, with what they were made from."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter
from prefect.events.schemas.events import ReceivedEvent
from prefect.types._datetime import now

from flows.pipeline import PIPELINE
from naics_embed.artifacts import Artifact
from tasks.assets import BUNDLE, CODEBOOK, MODEL, OF_STAGE
from tasks.engine.remote_cache import RemoteCache
from tasks.engine.stage import Record, Result, Run, Stage
from tasks.engine.tracking import pipeline_run

WAIT_S = 60.0
SETTLE_S = 5.0


def test_the_assets_are_those_of_the_stages_that_make_them():
    assert {'codebook': CODEBOOK, 'text_training': MODEL, 'export': BUNDLE} == OF_STAGE
    assert set(OF_STAGE) <= set(PIPELINE.names)


class Pipeline:
    """The stages that compute assets and one in between, with small bodies of their own."""

    def __init__(self, root: Path, uri: str, remote_cache: str | None = None) -> None:
        self.root = root
        self.uri = uri
        self.remote_cache = remote_cache
        self.fails = ''
        self.reads = {
            'codebook': 'source',
            'aside': 'source',
            'texts': 'codebook',
            'text_training': 'texts',
            'export': 'text_training aside',
        }
        self.stages = {
            name: Stage(name, self.body(name), reads, name) for name, reads in self.reads.items()
        }

    def body(self, name: str) -> Callable[..., Result]:
        def body(out, context, **inputs) -> Result:
            if name == self.fails:
                raise ValueError('a bug')
            (out / 'file').write_text(name + ''.join(sorted(inputs)))
            return Result({name: 'file'})

        return body

    def run(self, source: Path, *refresh: str) -> dict[str, Record]:
        """Run them all; return the records."""

        @flow(name='assets')
        def assets() -> dict[str, Record]:
            with pipeline_run(self.uri, 'assets', self.root / 'mlartifacts', {}, {}) as tracker:
                remote_cache = RemoteCache.at(self.remote_cache) if self.remote_cache else None
                run = Run(self.root, tracker, frozenset(refresh), remote_cache=remote_cache)
                made: dict[str, Record] = {}

                def call(name: str, *given: str) -> None:
                    inputs = {
                        one: made[one][one] if one in made else Artifact.of(source) for one in given
                    }
                    made[name] = self.stages[name](run, inputs)

                for name, reads in self.reads.items():
                    call(name, *reads.split())
                return made

        return assets()


def events_since(start: Any, wanted: int) -> list[ReceivedEvent]:
    """Return the events of assets, the first one first, once the server has as many of them."""
    end = time.monotonic() + WAIT_S
    while True:
        chosen = EventFilter(
            occurred=EventOccurredFilter(since=start),
            event=EventNameFilter(prefix=['prefect.asset.']),
        )
        with get_client(sync_client=True) as client:
            found = client.read_events(chosen, limit=50).events
        if len(found) >= wanted or time.monotonic() > end:
            return sorted(found, key=lambda event: event.occurred)
        time.sleep(0.2)


def made(events: list[ReceivedEvent], kind: str = 'succeeded') -> dict[str, set[str]]:
    """Asset → what it was made from."""
    return {
        event.resource.id: {one.id for one in event.related if one.role == 'asset'}
        for event in events
        if event.event == f'prefect.asset.materialization.{kind}'
    }


LINEAGE = {
    CODEBOOK.key: set(),
    MODEL.key: {CODEBOOK.key},
    BUNDLE.key: {MODEL.key},
}
EVENTS = 5
"""Three that were made, and two references to one that was read."""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'source'
    path.write_text('codes')
    return path


@pytest.fixture
def pipeline(tmp_path, mlflow_uri, prefect_server):
    return Pipeline(tmp_path / 'root', mlflow_uri)


@pytest.mark.slow
def test_what_a_run_computes_has_its_lineage_and_what_it_finds_is_no_new_version(pipeline, source):
    start = now('UTC')
    records = pipeline.run(source)
    events = events_since(start, EVENTS)
    assert made(events) == LINEAGE
    assert len(events) == EVENTS
    payloads = {
        event.resource.id: event.payload for event in events if 'materialization' in event.event
    }
    record = records['text_training']
    assert payloads[MODEL.key] == {
        'key': record.key,
        'mlflow_run': record.run_id,
        'origin': 'computed',
        'sha256': {'text_training': record['text_training'].sha256},
    }
    for event in events:
        assert str(source.parent) not in event.model_dump_json()

    start = now('UTC')
    found = pipeline.run(source)
    assert all(record.cached for record in found.values())
    time.sleep(SETTLE_S)
    assert events_since(start, 0) == []

    # What is found ready is an input of what is computed all the same.
    start = now('UTC')
    renewed = pipeline.run(source, 'text_training')
    assert [name for name, record in renewed.items() if not record.cached] == [
        'text_training',
        'export',
    ]
    lineage = {name: LINEAGE[name] for name in (MODEL.key, BUNDLE.key)}
    assert made(events_since(start, 4)) == lineage


@pytest.mark.slow
def test_a_stage_that_fails_says_so_of_its_asset(pipeline, source):
    pipeline.fails = 'text_training'
    start = now('UTC')
    with pytest.raises(ValueError, match='a bug'):
        pipeline.run(source)
    events = events_since(start, 3)
    assert made(events) == {CODEBOOK.key: set()}
    assert made(events, 'failed') == {MODEL.key: {CODEBOOK.key}}


@pytest.mark.slow
def test_what_is_fetched_from_the_remote_cache_says_where_it_came_from(tmp_path, pipeline, source):
    pipeline.remote_cache = f'file://{tmp_path}/share'
    records = pipeline.run(source)
    other = Pipeline(tmp_path / 'other', pipeline.uri, pipeline.remote_cache)
    start = now('UTC')
    fetched = other.run(source)
    assert all(record.cached for record in fetched.values())
    events = events_since(start, EVENTS)
    assert made(events) == LINEAGE
    payloads = [event.payload for event in events if event.resource.id == BUNDLE.key]
    assert [payload['origin'] for payload in payloads] == ['fetched from the remote cache']
    assert payloads[0]['mlflow_run'] == records['export'].run_id
