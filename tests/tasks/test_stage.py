"""What a stage computes, finds ready, repairs, retries and logs, in real flows."""

import base64
import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import TaskRunSort
from prefect.settings import PREFECT_API_URL

from flows.pipeline import PIPELINE
from naics_embed.artifacts import Artifact
from naics_embed.errors import ArtifactError
from naics_embed.supervision.sampling import TripletSettings
from tasks.engine import cached_task
from tasks.engine import stage as stage_module
from tasks.engine.declaration import Fact
from tasks.engine.failures import DiskFullError, StageTimeoutError, explained
from tasks.engine.locks import FlockLockManager
from tasks.engine.record import Record
from tasks.engine.stage import Result, Run, Stage
from tasks.engine.tracking import Tracker, pipeline_run

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENT = 'stages'


@dataclass
class Laboratory:
    """Runs stages in flows on one artifact root, and keeps what was tracked."""

    root: Path
    uri: str
    trackers: list[Tracker] = field(default_factory=list)

    def flow(
        self,
        *calls: Callable[[Run], Record],
        refresh: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> list[Record]:
        """Make the calls inside one flow run and one pipeline run."""

        @flow(name='laboratory')
        def laboratory() -> list[Record]:
            with pipeline_run(self.uri, EXPERIMENT, self.root / 'mlartifacts', {}, {}) as tracker:
                self.trackers.append(tracker)
                run = Run(self.root, tracker, frozenset(refresh), timeout_s=timeout_s)
                return [call(run) for call in calls]

        return laboratory()

    def runs(self, pipeline: int = -1) -> list[MlflowRun]:
        """The nested runs of a pipeline run, the first one first."""
        tracker = self.trackers[pipeline]
        return MlflowClient(self.uri).search_runs(
            [tracker.experiment_id],
            f"tags.mlflow.parentRunId = '{tracker.parent_run_id}'",
            order_by=['attributes.start_time ASC'],
        )


@pytest.fixture
def laboratory(tmp_path, mlflow_uri, prefect_server):
    return Laboratory(tmp_path / 'artifacts', mlflow_uri)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'source.txt'
    path.write_text('dog grooming')
    return path


@dataclass
class Words:
    """A stage that writes its input in capitals, and counts how often it does."""

    computed: int = 0
    before: Callable[[int], None] = lambda attempt: None
    metrics: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stage = Stage('words', self.body, 'source', 'words')

    def body(self, out, context, *, source, suffix='', **_settings) -> Result:
        self.computed += 1
        (out / 'half-written').write_text('')
        self.before(self.computed)
        text = Path(source.path).read_text().upper() + suffix
        (out / 'words.txt').write_text(text)
        (out / 'half-written').unlink()
        return Result(
            {'words': 'words.txt'}, {'letters': len(text), **self.metrics}, {'language': 'en'}
        )

    def call(self, source: Path, **settings: object) -> Callable[[Run], Record]:
        return lambda run: self.stage(run, {'source': Artifact.of(source)}, **settings)


@pytest.fixture
def words():
    return Words()


def key(stage: Stage, **settings: object) -> str:
    return stage.key({'source': Artifact('here', 'aa', 1)}, settings)


def test_a_key_depends_on_content_not_on_places_or_order(words):
    stage = words.stage
    first = stage.key({'a': Artifact('here', 'aa', 1), 'b': Artifact('b', 'bb', 2)}, {'n': 1})
    same = stage.key({'b': Artifact('c', 'bb', 2), 'a': Artifact('there', 'aa', 1)}, {'n': 1})
    assert first == same
    others = [
        stage.key({'a': Artifact('here', 'ab', 1), 'b': Artifact('b', 'bb', 2)}, {'n': 1}),
        stage.key({'b': Artifact('here', 'aa', 1), 'a': Artifact('b', 'bb', 2)}, {'n': 1}),
        stage.key({'a': Artifact('here', 'aa', 1), 'b': Artifact('b', 'bb', 2)}, {'n': 2}),
        stage.key({'a': Artifact('here', 'aa', 1), 'b': Artifact('b', 'bb', 2)}, {'m': 1}),
        Stage('other', words.body, 'a b', 'words').key(
            {'a': Artifact('here', 'aa', 1), 'b': Artifact('b', 'bb', 2)}, {'n': 1}
        ),
        Stage('words', words.body, 'a b', 'words', resources=(ROOT / 'LICENSE',)).key(
            {'a': Artifact('here', 'aa', 1), 'b': Artifact('b', 'bb', 2)}, {'n': 1}
        ),
        stage.key({'a': Artifact('here', 'aa', 1), 'b': None}, {'n': 1}),
        stage.key({'a': Artifact('here', 'aa', 1), 'b': Fact('bb')}, {'n': 1}),
        stage.key({'a': Artifact('here', 'aa', 1), 'b': {'c': Artifact('b', 'bb', 2)}}, {'n': 1}),
    ]
    assert len({first, *others}) == len(others) + 1


def test_a_key_sees_into_dataclasses_and_sequences(words):
    settings = dict.fromkeys(('positives', 'siblings', 'cousins', 'same_sector', 'other_sector'), 1)
    first = TripletSettings(**settings, margin_scale=0.5, margin_max=3.0)
    second = TripletSettings(**settings, margin_scale=0.5, margin_max=3.5)
    again = TripletSettings(**settings, margin_scale=0.5, margin_max=3.0)
    assert key(words.stage, triplets=first) == key(words.stage, triplets=again)
    assert key(words.stage, triplets=first) != key(words.stage, triplets=second)
    assert key(words.stage, names=('a', 'b')) == key(words.stage, names=['a', 'b'])
    assert key(words.stage, names=('a', 'b')) != key(words.stage, names=('b', 'a'))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A library and a package of tasks in place of the real ones, for keys."""
    root = tmp_path / 'packages'
    files = {
        'tasks/words.py': 'from tasks.frames import frame_of\nimport tasks.engine.tracking\n',
        'tasks/frames.py': 'import naics_embed.deeper\ndef frame_of(): return 1\n',
        'tasks/engine/tracking.py': 'URI = 1\n',
        'naics_embed/deeper.py': 'VALUE = 1\n',
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in stage_module.PACKAGES:
        monkeypatch.setitem(stage_module.PACKAGES, name, root / name)
    return root


def test_a_key_covers_the_file_of_its_stage_and_all_that_it_imports(packages):
    def body(out, context, *, source) -> Result:
        return Result({})

    body.__module__ = 'tasks.words'
    stage = Stage('words', body, 'source')
    keys = [key(stage)]
    for file in ('tasks/words', 'tasks/frames', 'naics_embed/deeper'):
        path = packages / f'{file}.py'
        path.write_text(path.read_text() + 'MORE = 1\n')
        keys.append(key(stage))
    assert len(set(keys)) == 4
    (packages / 'tasks' / 'tracking.py').write_text('URI = 2\n')
    assert key(stage) == keys[-1], 'how a stage is logged decides nothing'


@pytest.mark.slow
def test_computed_then_cached_then_computed_where_something_changed(
    laboratory, words, source, tmp_path
):
    first, second = laboratory.flow(words.call(source), words.call(source))
    assert (first.cached, second.cached, words.computed) == (False, True, 1)
    assert second.files == first.files
    assert (second.metrics, second.facts) == ({'letters': 12}, {'language': 'en'})
    assert first.path('words').read_text() == 'DOG GROOMING'
    assert first.path('words') == laboratory.root / 'words' / first.key / 'words.txt'
    assert [path.name for path in first.path('words').parent.iterdir()] == ['words.txt']

    moved = tmp_path / 'elsewhere.txt'
    moved.write_text(source.read_text())
    (again,) = laboratory.flow(words.call(moved))
    assert again.cached, 'another flow run, and the same content at another place'

    (changed,) = laboratory.flow(words.call(source, suffix='!'))
    assert not changed.cached
    assert changed.path('words').read_text() == 'DOG GROOMING!'
    assert first.path('words').read_text() == 'DOG GROOMING', 'settings never overwrite each other'

    source.write_text('nail salon')
    new, old = laboratory.flow(words.call(source), words.call(moved))
    assert (new.cached, old.cached, words.computed) == (False, True, 3)


@pytest.mark.slow
def test_a_change_in_a_library_module_computes_again(laboratory, words, source, packages):
    def body(out, context, *, source) -> Result:
        return words.body(out, context, source=source)

    body.__module__ = 'tasks.words'
    words.stage = Stage('words', body, 'source', 'words')
    deeper = packages / 'naics_embed' / 'deeper.py'
    laboratory.flow(words.call(source))
    deeper.write_text('VALUE = 2\n')
    (changed,) = laboratory.flow(words.call(source))
    deeper.write_text('VALUE = 1  # as before\n')
    (restored,) = laboratory.flow(words.call(source))
    assert (changed.cached, restored.cached, words.computed) == (False, True, 2)


@pytest.mark.slow
def test_a_lost_or_altered_output_is_repaired(laboratory, words, source):
    (first,) = laboratory.flow(words.call(source))
    output = first.path('words')

    output.unlink()
    (repaired,) = laboratory.flow(words.call(source))
    assert (repaired.cached, words.computed) == (False, 2)
    assert repaired.intact()

    output.write_text('CAT GROOMING')
    (repaired, cached) = laboratory.flow(words.call(source), words.call(source))
    assert (repaired.cached, cached.cached, words.computed) == (False, True, 3)
    assert output.read_text() == 'DOG GROOMING'


@pytest.mark.slow
def test_a_stage_whose_folder_is_gone_is_not_at_hand(laboratory, words, source):
    inputs = {'source': Artifact.of(source)}
    found = []

    def look(run: Run) -> Record:
        found.append(words.stage.at_hand(run, inputs, {}))
        return words.stage(run, inputs)

    laboratory.flow(look)
    laboratory.flow(look)
    shutil.rmtree(laboratory.root / 'words')
    laboratory.flow(look)
    assert (found, words.computed) == ([False, True, False], 2)


@pytest.mark.slow
def test_a_root_may_hold_a_quotation_mark(tmp_path, words, source, mlflow_uri, prefect_server):
    root = tmp_path / "o'brien"
    (record,) = Laboratory(root, mlflow_uri).flow(words.call(source))
    assert record.path('words').is_relative_to(root)


@pytest.mark.slow
def test_refresh_computes_the_named_stage_only(laboratory, words, source):
    other = Words()
    other.stage = Stage('letters', other.body, 'source', 'words')
    laboratory.flow(words.call(source), other.call(source))
    record, kept = laboratory.flow(words.call(source), other.call(source), refresh=['words'])
    assert (record.cached, kept.cached) == (False, True)
    assert (words.computed, other.computed) == (2, 1)


@pytest.mark.slow
def test_refresh_computes_what_depends_on_the_stage_although_its_content_is_the_same(
    laboratory, words, source
):
    after = Words()
    after.stage = Stage('letters', after.body, 'source', 'words')
    aside = Words()
    aside.stage = Stage('aside', aside.body, 'source', 'words')

    def both(run: Run) -> Record:
        first = words.stage(run, {'source': Artifact.of(source)})
        return after.stage(run, {'source': first['words']})

    laboratory.flow(both, aside.call(source))
    laboratory.flow(both, aside.call(source), refresh=['words'])
    assert (words.computed, after.computed, aside.computed) == (2, 2, 1)
    laboratory.flow(both, aside.call(source), refresh=['letters'])
    assert (words.computed, after.computed, aside.computed) == (2, 3, 1)


@pytest.mark.slow
def test_prefect_draws_a_stage_below_those_that_it_reads_and_no_others(laboratory, words, source):
    after, aside = Words(), Words()
    after.stage = Stage('after', after.body, 'source', 'words')
    aside.stage = Stage('aside', aside.body, 'source', 'words')

    def all_three(run: Run) -> Record:
        first = words.stage(run, {'source': Artifact.of(source)})
        aside.stage(run, {'source': Artifact.of(source)})
        return after.stage(run, {'source': first['words']})

    laboratory.flow(all_three)
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(sort=TaskRunSort.END_TIME_DESC, limit=3)
    runs = {run.name: run for run in found}
    names = {run.id: name for name, run in runs.items()}
    reads = {
        name: {names[one.id] for given in run.task_inputs.values() for one in given}
        for name, run in runs.items()
    }
    assert {name: reads[name] for name in ('words', 'aside', 'after')} == {
        'words': set(),
        'aside': set(),
        'after': {'words'},
    }


@pytest.mark.slow
def test_every_stage_is_visible_in_mlflow(laboratory, words, source):
    words.metrics = {'infinite': float('inf'), 'undefined': float('nan'), 'remote_cache': 0.25}
    first, second = laboratory.flow(
        words.call(source, settings={'depth': {'of': 3}}),
        words.call(source, settings={'depth': {'of': 3}}),
    )
    computed, cached = laboratory.runs()
    assert [run.info.run_name for run in (computed, cached)] == ['words', 'words']
    assert [run.info.status for run in (computed, cached)] == ['FINISHED', 'FINISHED']

    assert computed.info.run_id == first.run_id == second.run_id
    assert computed.data.tags['cached'] == 'false'
    assert 'computed_by' not in computed.data.tags
    assert set(computed.data.metrics) == {'letters', 'remote_cache', 'seconds'}
    assert computed.data.tags['key'] == first.key
    assert computed.data.params == {'key': first.key, 'settings.depth.of': '3'}

    assert cached.data.tags['cached'] == 'true'
    assert cached.data.tags['computed_by'] == first.run_id
    assert cached.data.tags['key'] == first.key
    assert cached.data.metrics == {'letters': 12, 'remote_cache': 0.25}

    laboratory.flow(words.call(source, settings={'depth': {'of': 3}}))
    (later,) = laboratory.runs()
    assert later.data.tags['computed_by'] == first.run_id
    parent = MlflowClient(laboratory.uri).get_run(laboratory.trackers[-1].parent_run_id)
    assert parent.info.status == 'FINISHED'


@pytest.mark.slow
def test_a_transient_error_is_tried_again(laboratory, words, source, monkeypatch):
    monkeypatch.setattr(cached_task, 'BACKOFF_S', 0.01)

    def fail_twice(attempt: int) -> None:
        if attempt < 3:
            raise ConnectionError('the database went away')

    words.before = fail_twice
    (record,) = laboratory.flow(words.call(source))
    assert words.computed == 3
    assert record.path('words').read_text() == 'DOG GROOMING'
    assert [run.info.status for run in laboratory.runs()] == ['FAILED', 'FAILED', 'FINISHED']
    assert [path.name for path in record.path('words').parent.parent.iterdir()] == [record.key]


@pytest.mark.slow
def test_a_transient_error_that_stays_ends_the_run(laboratory, words, source, monkeypatch):
    monkeypatch.setattr(cached_task, 'BACKOFF_S', 0.01)

    def fail(_attempt: int) -> None:
        raise TimeoutError('no answer')

    words.before = fail
    with pytest.raises(TimeoutError, match='no answer'):
        laboratory.flow(words.call(source))
    assert words.computed == 1 + cached_task.RETRIES


@pytest.mark.slow
def test_a_stage_that_hangs_is_stopped_once_and_leaves_nothing(laboratory, words, source):
    words.before = lambda attempt: time.sleep(600)
    with pytest.raises(StageTimeoutError, match='words: stopped after 1 s, the limit of platform'):
        laboratory.flow(words.call(source), timeout_s=1.0)
    assert words.computed == 1, 'it would take as long again'
    (run,) = laboratory.runs()
    assert run.info.status == 'FAILED'
    assert list((laboratory.root / 'words').iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_is_told_in_words_and_leaves_nothing(laboratory, words, source):
    def fail(_attempt: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    words.before = fail
    with pytest.raises(
        DiskFullError, match=r'words: no space left .* free some space and run again'
    ):
        laboratory.flow(words.call(source))
    assert words.computed == 1
    assert list((laboratory.root / 'words').iterdir()) == []


def test_libraries_say_that_the_disk_is_full_in_their_own_ways(tmp_path):
    full = RuntimeError('Error while serializing: I/O error: No space left on device (os error 28)')
    wrapped = ValueError('it could not be saved')
    wrapped.__cause__ = full
    for error in (full, wrapped, shutil.Error([('a', 'b', '[Errno 28] No space left on device')])):
        assert isinstance(explained(error, 'words', tmp_path, None), DiskFullError)
    assert explained(ValueError('a bug'), 'words', tmp_path, None) is None


@pytest.mark.slow
def test_a_programming_error_is_not_tried_again(laboratory, words, source):
    def fail(_attempt: int) -> None:
        raise ValueError('a bug')

    words.before = fail
    with pytest.raises(ValueError, match='a bug'):
        laboratory.flow(words.call(source))
    assert words.computed == 1
    (run,) = laboratory.runs()
    assert run.info.status == 'FAILED'
    parent = MlflowClient(laboratory.uri).get_run(laboratory.trackers[-1].parent_run_id)
    assert parent.info.status == 'FAILED'
    assert list((laboratory.root / 'words').iterdir()) == [], 'nothing half-written stays'

    words.before = lambda attempt: None
    (record,) = laboratory.flow(words.call(source))
    assert not record.cached, 'a failure is never cached'


@pytest.mark.slow
def test_an_input_that_changed_under_way_is_named(laboratory, words, source):
    artifact = Artifact.of(source)
    source.write_text('something else')
    with pytest.raises(ArtifactError, match=r'words: its input source at .*source\.txt'):
        laboratory.flow(lambda run: words.stage(run, {'source': artifact}))
    assert words.computed == 0


def chained(first: Words, then: Words, source: Path) -> Callable[[Run], Record]:
    """A stage and one that reads what it wrote."""

    def both(run: Run) -> Record:
        record = first.stage(run, {'source': Artifact.of(source)})
        return then.stage(run, {'source': record['words']})

    return both


@pytest.mark.slow
@pytest.mark.parametrize('way', ['moved', 'copied'])
def test_all_of_a_root_that_lies_elsewhere_is_found_and_checked(laboratory, source, way):
    first, then = Words(), Words()
    then.stage = Stage('after', then.body, 'source', 'words')
    both = chained(first, then, source)
    (record,) = laboratory.flow(both)
    elsewhere = Laboratory(laboratory.root.parent / 'another' / 'place', laboratory.uri)
    if way == 'moved':
        elsewhere.root.parent.mkdir()
        laboratory.root.rename(elsewhere.root)
    else:
        shutil.copytree(laboratory.root, elsewhere.root)
    (found,) = elsewhere.flow(both)
    assert (found.cached, first.computed, then.computed) == (True, 1, 1)
    assert (found.key, found.run_id, found.facts) == (record.key, record.run_id, record.facts)
    assert found.path('words') == elsewhere.root / 'after' / record.key / 'words.txt'

    found.path('words').write_text('CAT GROOMING')
    (repaired,) = elsewhere.flow(both)
    assert (repaired.cached, first.computed, then.computed) == (False, 1, 2)
    assert repaired.path('words').read_text() == 'DOG GROOMING'


@pytest.mark.slow
def test_two_hosts_may_have_one_root_under_different_paths(laboratory, source):
    # To rename the folder is to look at it from the other host.
    first, then = Words(), Words()
    then.stage = Stage('after', then.body, 'source', 'words')
    here = laboratory.root
    there = here.parent / 'mnt' / 'storage'
    there.parent.mkdir()
    laboratory.flow(first.call(source))
    here.rename(there)
    other = Laboratory(there, laboratory.uri)
    other.flow(chained(first, then, source))
    there.rename(here)
    (record,) = laboratory.flow(chained(first, then, source))
    assert (record.cached, first.computed, then.computed) == (True, 1, 1)
    assert record.path('words').is_relative_to(here)


@pytest.mark.slow
def test_neither_records_nor_prefects_server_know_where_the_root_lies(laboratory, words, source):
    with get_client(sync_client=True) as client:
        registered = client.read_block_documents()
    laboratory.flow(words.call(source))
    laboratory.flow(words.call(source))
    stored = [
        path
        for folder in ('.keys', '.results')
        for path in (laboratory.root / folder).rglob('*')
        if path.is_file()
    ]
    assert len(stored) == 2
    for path in stored:
        assert str(laboratory.root) not in path.read_text()
    with get_client(sync_client=True) as client:
        assert client.read_block_documents() == registered
        found = client.read_task_runs(sort=TaskRunSort.END_TIME_DESC, limit=2)
    assert [run.state.name for run in found] == ['Cached', 'Completed']
    for run in found:
        assert str(laboratory.root.parent) not in run.model_dump_json()


def made_by_an_older_version(root: Path) -> None:
    """Write absolute paths into the records of a root, as versions before relative ones did."""
    for path in (root / '.results').iterdir():
        record = json.loads(path.read_text())
        for entry in record['files'].values():
            entry['path'] = str(root / entry['path'])
        path.write_text(json.dumps(record))
    for path in (root / '.keys').iterdir():
        key = json.loads(path.read_text())
        key['storage_block_id'] = '9ced7f17-737e-477b-8228-c00b348ae7a1'
        key['serializer']['object_decoder'] = 'prefect.serializers.prefect_json_object_decoder'
        path.write_text(json.dumps(key))


@pytest.mark.slow
@pytest.mark.parametrize('moved', [False, True])
def test_a_root_of_an_older_version_is_found_ready(laboratory, source, moved):
    first, then = Words(), Words()
    then.stage = Stage('after', then.body, 'source', 'words')
    both = chained(first, then, source)
    (record,) = laboratory.flow(both)
    made_by_an_older_version(laboratory.root)
    root = laboratory.root
    if moved:
        root = root.rename(root.with_name('moved'))
    (found,) = Laboratory(root, laboratory.uri).flow(both)
    assert (found.cached, first.computed, then.computed) == (True, 1, 1)
    assert found.path('words') == root / 'after' / record.key / 'words.txt'


def planted(record: dict) -> bytes:
    return base64.encodebytes(pickle.dumps(Planted()))


class Planted:
    """What a pickle may hold."""

    def __reduce__(self):
        return os.mkdir, ('planted',)


@pytest.mark.slow
@pytest.mark.parametrize(
    'damage',
    [
        lambda record: b'',
        lambda record: json.dumps(record).encode()[:40],
        lambda record: b'[]',
        lambda record: b'{}',
        lambda record: json.dumps({**record, 'key': 'another'}).encode(),
        lambda record: json.dumps(record).replace('words.txt', '../../../source.txt').encode(),
        planted,
    ],
)
def test_a_stored_record_that_is_damaged_or_planted_is_computed_again(
    laboratory, words, source, damage, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    laboratory.flow(words.call(source))
    (stored,) = (laboratory.root / '.results').iterdir()
    stored.write_bytes(damage(json.loads(stored.read_text())))
    if damage is planted:
        (key,) = (laboratory.root / '.keys').iterdir()
        key.write_text(
            json.dumps({**json.loads(key.read_text()), 'serializer': {'type': 'pickle'}})
        )
    record, again = laboratory.flow(words.call(source), words.call(source))
    assert (record.cached, again.cached, words.computed) == (False, True, 2)
    assert record.path('words').read_text() == 'DOG GROOMING'
    assert not (tmp_path / 'planted').exists()
    assert source.read_text() == 'dog grooming'


@pytest.mark.parametrize('file', ['record', 'record_storage', 'assets', 'remote_cache', 'stage'])
def test_how_records_are_stored_takes_no_part_in_the_key_of_any_stage(tmp_path, monkeypatch, file):
    stages = {stage.name: stage for stage in PIPELINE}
    before = {name: key(stage) for name, stage in stages.items()}
    copied = tmp_path / 'tasks'
    shutil.copytree(stage_module.TASKS_ROOT, copied)
    monkeypatch.setitem(stage_module.PACKAGES, 'tasks', copied)
    with (copied / f'{file}.py').open('a') as stream:
        stream.write('FORMAT = 2\n')
    assert {name: key(stage) for name, stage in stages.items()} == before
    with (copied / 'codebook.py').open('a') as stream:
        stream.write('FORMAT = 2\n')
    changed = {name for name, stage in stages.items() if key(stage) != before[name]}
    assert 'codebook' in changed


OTHER_PROCESS = """
import sys, time
from pathlib import Path
from prefect import flow
from naics_embed.artifacts import Artifact
from tasks.engine.stage import Result, Run, Stage
from tasks.engine.tracking import pipeline_run

root, uri, source, signals = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])

def body(out, context, *, source):
    (signals / 'inside').touch()
    deadline = time.monotonic() + 120
    while not (signals / 'go').exists():
        assert time.monotonic() < deadline, 'the other process never waited for the lock'
        time.sleep(0.05)
    (out / 'words.txt').write_text('by the other process')
    return Result({'words': 'words.txt'})

@flow
def laboratory():
    with pipeline_run(uri, 'stages', root / 'mlartifacts', {}, {}) as tracker:
        stage = Stage('words', body, 'source', 'words')
        stage(Run(root, tracker), {'source': Artifact.of(source)})

laboratory()
"""


@pytest.mark.slow
def test_two_processes_compute_one_key_once(laboratory, words, source, tmp_path, monkeypatch):
    signals = tmp_path / 'signals'
    signals.mkdir()
    laboratory.flow()
    try_lock = FlockLockManager._try

    def tried(manager: FlockLockManager, key: str, holder: str) -> bool:
        taken = try_lock(manager, key, holder)
        if not taken:
            # This process waits for the lock now, so the other one may finish.
            (signals / 'go').touch()
        return taken

    arguments = [str(laboratory.root), laboratory.uri, str(source), str(signals)]
    other = subprocess.Popen(
        [sys.executable, '-c', OTHER_PROCESS, *arguments],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PREFECT_API_URL': PREFECT_API_URL.value()},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (signals / 'inside').exists():
            assert other.poll() is None, other.stderr.read()
            assert time.monotonic() < deadline, 'the other process never began the stage'
            time.sleep(0.05)
        monkeypatch.setattr(FlockLockManager, '_try', tried)
        (record,) = laboratory.flow(words.call(source))
        _, complaints = other.communicate(timeout=120)
        assert other.returncode == 0, complaints
    finally:
        other.kill()
        other.wait()
    assert (signals / 'go').exists(), 'this process waited for the lock'
    assert (record.cached, words.computed) == (True, 0)
    assert record.path('words').read_text() == 'by the other process'


def test_a_record_survives_json():
    files = {'words': Artifact('/a/words.txt', 'aa', 3)}
    record = Record('words', 'k', files, {'letters': 3.0}, {'epochs': 2}, 'run', 1.5)
    again = Record.from_dict(json.loads(json.dumps(record.to_dict())), cached=True)
    assert again.cached
    assert Record.from_dict(again.to_dict(), cached=False) == record
    assert again['words'] == files['words']
