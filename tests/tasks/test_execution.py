"""What an execution computes, in which order, beside what, and what it does after an error."""

import threading
import time
from pathlib import Path

import pytest
from prefect import flow

from naics_embed.artifacts import Artifact
from naics_embed.config.load import load_config
from tasks.engine.execution import Execution
from tasks.engine.graph import Graph
from tasks.engine.record import Record
from tasks.engine.stage import Result, Run, Stage
from tasks.engine.tracking import pipeline_run

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0


class Diamond:
    """top → left and right → end, and one aside; the bodies note when they begin and end."""

    def __init__(self, root: Path, uri: str) -> None:
        self.root = root
        self.uri = uri
        self.notes: list[str] = []
        self.threads: dict[str, str] = {}
        self.during = dict.fromkeys(('top', 'left', 'right', 'end', 'aside'), lambda: None)
        reads = {
            'top': 'source',
            'left': 'top',
            'right': 'size',
            'end': 'left right',
            'aside': 'source',
        }
        self.graph = Graph(
            *(
                Stage(
                    name,
                    self.body(name),
                    read,
                    name,
                    facts='size' if name == 'top' else '',
                    settings='seed=runtime.seed',
                )
                for name, read in reads.items()
            ),
            given='source',
        )

    def body(self, name: str):
        def body(out, context, *, seed, **inputs) -> Result:
            self.threads[name] = threading.current_thread().name
            self.notes.append(f'{name} begins')
            self.during[name]()
            values = {
                key: Path(given.path).read_text() if isinstance(given, Artifact) else given
                for key, given in inputs.items()
            }
            (out / 'file').write_text(f'{name}({values}, {seed})')
            self.notes.append(f'{name} ends')
            return Result({name: 'file'}, facts={'size': 3} if name == 'top' else {})

        return body

    def run(self, *targets: str, parallel: int = 1, routes=None, then=None) -> dict[str, Record]:
        source = self.root.parent / 'source.txt'
        source.write_text('grain')

        @flow(name='diamond')
        def diamond() -> dict[str, Record]:
            with pipeline_run(self.uri, 'diamond', self.root / 'mlartifacts', {}, {}) as tracker:
                run = Run(self.root, tracker, routes=routes or {})
                config = load_config(ROOT / 'configs', 'smoke', []).config
                given = {'source': lambda: Artifact.of(source)}
                execution = Execution(self.graph, config, run, given, parallel)
                records = execution.compute(targets)
                return records if then is None else then(execution)

        return diamond()


@pytest.fixture
def diamond(tmp_path, mlflow_uri, prefect_server):
    return Diamond(tmp_path / 'artifacts', mlflow_uri)


def wait_until(condition) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, 'it did not come to pass'
        time.sleep(0.01)


@pytest.mark.slow
def test_one_at_a_time_in_the_order_of_the_graph_and_in_the_thread_of_the_flow(diamond):
    records = diamond.run('end')
    assert list(records) == ['top', 'left', 'right', 'end']
    assert diamond.notes == [f'{name} {what}' for name in records for what in ('begins', 'ends')]
    assert set(diamond.threads.values()) == {threading.current_thread().name}
    text = records['end'].path('end').read_text()
    assert "right({'size': 3}, 0)" in text
    assert 'aside' not in text


@pytest.mark.slow
def test_several_at_a_time_where_nothing_stands_between(diamond):
    both = threading.Barrier(2, timeout=DEADLINE_S)
    diamond.during['left'] = diamond.during['right'] = both.wait
    records = diamond.run('end', 'aside', parallel=2)
    assert set(records) == {'top', 'left', 'right', 'end', 'aside'}
    order = diamond.notes
    assert order.index('top ends') < order.index('left begins')
    assert order.index('right ends') < order.index('end begins')
    again = diamond.run('end', 'aside', parallel=2)
    assert all(record.cached for record in again.values())


@pytest.mark.slow
def test_no_more_than_are_allowed(diamond):
    active, most = set(), []

    def note(name: str):
        def during() -> None:
            active.add(name)
            most.append(len(active))
            time.sleep(0.2)
            active.remove(name)

        return during

    for name in ('left', 'right', 'aside', 'top'):
        diamond.during[name] = note(name)
    diamond.run('end', 'aside', parallel=2)
    assert max(most) == 2


@pytest.mark.slow
def test_the_rest_does_not_wait_for_a_stage_on_another_host(diamond):
    done = threading.Event()

    def sender(stage, run, inputs, settings) -> Record:
        # Only when all the others have ended does the other host answer.
        wait_until(lambda: 'aside ends' in diamond.notes and 'right ends' in diamond.notes)
        done.set()
        here = Run(run.root, run.tracker)
        return stage(here, inputs, **settings)

    records = diamond.run('end', 'aside', routes={'left': sender})
    assert done.is_set()
    assert diamond.notes.index('right ends') < diamond.notes.index('left begins')
    assert diamond.threads['left'] == 'left'
    assert diamond.threads['right'] == threading.current_thread().name
    assert set(records) == {'top', 'left', 'right', 'end', 'aside'}


@pytest.mark.slow
@pytest.mark.parametrize('parallel', [1, 2])
def test_after_an_error_nothing_is_begun_and_what_is_under_way_is_kept(diamond, parallel):
    def fail() -> None:
        if parallel == 2:
            wait_until(lambda: 'right begins' in diamond.notes)
        raise ValueError('a bug')

    diamond.during['left'] = fail
    diamond.during['right'] = lambda: time.sleep(0.5)
    with pytest.raises(ValueError, match='a bug'):
        diamond.run('end', parallel=parallel)
    assert 'end begins' not in diamond.notes
    assert ('right ends' in diamond.notes) == (parallel == 2)
    diamond.during['left'] = lambda: None
    records = diamond.run('end', parallel=parallel)
    assert records['right'].cached == (parallel == 2)
    assert records['top'].cached


@pytest.mark.slow
def test_another_configuration_takes_over_what_it_is_told_to(diamond):
    def then(execution: Execution) -> dict[str, Record]:
        config = load_config(ROOT / 'configs', 'smoke', ['runtime.seed=5']).config
        other = execution.derived(execution.graph, config, keep=['top'])
        return {**other.compute(['end']), 'first': execution.records['end']}

    records = diamond.run('end', then=then)
    ended = records['end'].path('end').read_text()
    assert ended.endswith(', 5)')
    assert "'source': 'grain'}, 0)" in ended.replace('\\', ''), 'as the first configuration made it'
    assert records['first'].key != records['end'].key
    assert diamond.notes.count('top begins') == 1
