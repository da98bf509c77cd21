"""Two hosts that share nothing but a bucket: two artifact roots, and an S3 server on loopback."""

import json
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from prefect import flow

from naics_embed.artifacts import Artifact
from naics_embed.errors import ConfigError
from tasks.engine.remote_cache import RemoteCache
from tasks.engine.stage import Result, Run, Stage
from tasks.engine.tracking import pipeline_run


@pytest.fixture(scope='module')
def bucket():
    """The address of an empty bucket, on a server that speaks S3."""
    pytest.importorskip('s3fs', reason='s3fs is not installed')
    server = pytest.importorskip('moto.server', reason='moto is not installed')
    running = server.ThreadedMotoServer('127.0.0.1', 0)
    running.start()
    host, port = running.get_host_and_port()
    patch = pytest.MonkeyPatch()
    patch.setenv('AWS_ENDPOINT_URL', f'http://{host}:{port}')
    patch.setenv('AWS_ACCESS_KEY_ID', 'someone')
    patch.setenv('AWS_SECRET_ACCESS_KEY', 'secret')
    patch.setenv('AWS_DEFAULT_REGION', 'us-east-1')
    import s3fs

    s3fs.S3FileSystem().mkdir('shared')
    yield 's3://shared/naics'
    patch.undo()
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


class Host:
    """A host with an artifact root of its own; it counts what it computes."""

    def __init__(self, root: Path, uri: str, remote_cache: str) -> None:
        self.root = root
        self.uri = uri
        self.remote_cache = remote_cache
        self.computed = 0
        self.stage = Stage('letters', self.body, 'source', 'letters model', constants={'times': 1})

    def body(self, out, context, *, source, times) -> Result:
        self.computed += 1
        (out / 'model' / 'deep').mkdir(parents=True)
        (out / 'model' / 'deep' / 'weights').write_bytes(b'w' * times)
        (out / 'letters.txt').write_text(Path(source.path).read_text() * times)
        return Result({'letters': 'letters.txt', 'model': 'model'}, {'n': float(times)}, {'f': 1})

    def run(self, source: Path, *, refresh: frozenset[str] = frozenset(), times: int = 2):
        @flow(name='host')
        def host():
            with pipeline_run(self.uri, 'hosts', self.root / 'mlartifacts', {}, {}) as tracker:
                run = Run(
                    self.root, tracker, refresh, remote_cache=RemoteCache.at(self.remote_cache)
                )
                self.tracker = tracker
                return self.stage(run, {'source': Artifact.of(source)}, times=times)

        return host()

    def nested(self) -> list[dict[str, str]]:
        client = MlflowClient(self.uri)
        chosen = f"tags.mlflow.parentRunId = '{self.tracker.parent_run_id}'"
        return [run.data.tags for run in client.search_runs([self.tracker.experiment_id], chosen)]


@pytest.fixture
def hosts(tmp_path, mlflow_uri, prefect_server, bucket, request):
    remote_cache = f'{bucket}/{request.node.name}'
    return [Host(tmp_path / name, mlflow_uri, remote_cache) for name in ('one', 'other')]


@pytest.fixture
def sources(tmp_path):
    """The same source in another place on each host."""
    places = [tmp_path / f'source-{n}' for n in range(2)]
    for place in places:
        place.write_text('grain')
    return places


@pytest.mark.slow
def test_what_one_host_computed_another_fetches(hosts, sources):
    one, other = hosts
    first = one.run(sources[0])
    fetched = other.run(sources[1])
    assert (one.computed, other.computed) == (1, 0)
    assert (first.cached, fetched.cached) == (False, True)
    assert fetched.key == first.key
    assert fetched.path('letters').is_relative_to(other.root)
    assert fetched.path('letters').read_text() == 'graingrain'
    assert (fetched.path('model') / 'deep' / 'weights').read_bytes() == b'ww'
    assert {n: a.sha256 for n, a in fetched.files.items()} == {
        n: a.sha256 for n, a in first.files.items()
    }
    (tags,) = other.nested()
    assert (tags['cached'], tags['computed_by']) == ('true', first.run_id)
    again = other.run(sources[1])
    assert again == fetched, 'the second time it lies on this host'

    refreshed = one.run(sources[0], refresh=frozenset({'letters'}))
    assert (refreshed.cached, one.computed) == (False, 2)
    fetched.path('letters').unlink()
    assert other.run(sources[1]).run_id == refreshed.run_id, 'a lost output is fetched again'
    assert other.computed == 0


@pytest.mark.slow
def test_nothing_damaged_in_the_bucket_is_believed(hosts, sources):
    one, other = hosts
    record = one.run(sources[0])
    remote_cache = RemoteCache.at(one.remote_cache)
    folder = f'{remote_cache.folder}/letters/{record.key}'
    remote_cache.files.pipe_file(f'{folder}/{record.run_id}/letters.txt', b'grainGRAIN')
    assert not other.run(sources[1]).cached
    assert other.computed == 1
    third = Host(other.root.parent / 'third', other.uri, other.remote_cache)
    assert third.run(sources[0]).cached, 'the host that computed it repaired the remote cache'
    remote_cache.files.pipe_file(f'{folder}.json', b'{"stage": "let')
    assert not remote_cache.has('letters', record.key)
    fourth = Host(other.root.parent / 'fourth', other.uri, other.remote_cache)
    assert not fourth.run(sources[0]).cached
    assert json.loads(remote_cache.files.cat_file(f'{folder}.json'))['run_id'] != record.run_id


@pytest.fixture
def other_writer(bucket, request, tmp_path):
    """Put objects under any names and a record of them, and fetch it as a host would."""
    remote_cache = RemoteCache.at(f'{bucket}/{request.node.name}')
    run = 'f' * 32
    target = tmp_path / 'host' / 'root' / 'letters' / 'key'

    def fetch(objects: dict[str, bytes], output: Artifact):
        name, _, folder = f'{remote_cache.folder}/letters/key/{run}'.partition('/')
        for path, content in objects.items():
            remote_cache.files.call_s3(
                'put_object', Bucket=name, Key=f'{folder}/{path}', Body=content
            )
        record = {
            'stage': 'letters',
            'key': 'key',
            'run_id': run,
            'files': {'output': output.to_dict()},
            'metrics': {},
            'facts': {},
            'seconds': 1.0,
            'cached': False,
        }
        remote_cache.files.pipe_file(
            f'{remote_cache.folder}/letters/key.json', json.dumps(record).encode()
        )
        return remote_cache.fetch('letters', 'key', target)

    fetch.root = tmp_path / 'host'
    fetch.remote_cache = remote_cache
    return fetch


@pytest.mark.parametrize(
    'name',
    ['../evil', '../../../../evil', 'deep/../../evil', 'deep\\..\\..\\evil', '/evil', 'a//b'],
)
def test_names_that_a_bucket_lists_lead_nowhere_else(other_writer, caplog, name):
    output = Artifact('model', '0' * 64, 100)
    assert other_writer({'model/good': b'good', f'model/{name}': b'owned'}, output) is None
    assert 'letters key: the remote cache is not used: ' in caplog.text
    assert not any(path.is_file() for path in other_writer.root.rglob('*'))
    assert not list(other_writer.root.parent.rglob('*evil*'))


def test_a_larger_object_is_not_downloaded(other_writer, caplog, monkeypatch):
    opened = []
    files = type(other_writer.remote_cache.files)
    inner = files.open
    monkeypatch.setattr(
        files,
        'open',
        lambda self, path, *more, **words: opened.append(path) or inner(self, path, *more, **words),
    )
    output = Artifact('letters.txt', '0' * 64, 10)
    assert other_writer({'letters.txt': bytes(3 * 2**20)}, output) is None
    assert 'letters.txt has more than the 10 bytes it may have' in caplog.text
    assert [path.rpartition('/')[2] for path in opened] == ['key.json']


def test_an_object_and_a_folder_of_one_name(other_writer, caplog):
    objects = {'model/a': b'1', 'model/a/b': b'2'}
    assert other_writer(objects, Artifact('model', '0' * 64, 100)) is None
    assert 'two files of a name' in caplog.text or 'is not as recorded' in caplog.text


@pytest.mark.slow
def test_a_folder_will_do_and_what_a_host_has_already_it_brings_along(
    tmp_path, mlflow_uri, prefect_server, sources
):
    one = Host(tmp_path / 'one', mlflow_uri, f'file://{tmp_path}/nobody')
    other = Host(tmp_path / 'other', mlflow_uri, f'file://{tmp_path}/common')
    one.run(sources[0])
    one.remote_cache = other.remote_cache
    assert one.run(sources[0]).cached
    assert other.run(sources[1]).cached
    assert (one.computed, other.computed) == (1, 0)


def test_an_unknown_storage_and_a_missing_package_are_named(monkeypatch):
    with pytest.raises(
        ConfigError, match=r'platform\.remote_cache=nope://a: Protocol not known: nope'
    ):
        RemoteCache.at('nope://a')
    monkeypatch.setitem(sys.modules, 'gcsfs', None)
    with pytest.raises(ConfigError, match='gcsfs'):
        RemoteCache.at('gs://a')
