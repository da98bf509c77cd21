"""A bucket whose address and settings only Prefect's server knows, on an S3 server on loopback."""

import os
from pathlib import Path

import pytest
from prefect import flow
from prefect.filesystems import LocalFileSystem, RemoteFileSystem

from naics_embed.artifacts import Artifact
from naics_embed.config.platform import PlatformConfig
from naics_embed.errors import ConfigError
from tasks.engine.remote_cache import RemoteCache
from tasks.engine.stage import Record, Result, Run, Stage
from tasks.engine.tracking import pipeline_run

SIGN_IN = {'key': 'someone', 'secret': 'secret'}


@pytest.fixture(scope='module')
def bucket():
    """Options of fsspec for an S3 server with the bucket ``records``; the environment has none."""
    s3fs = pytest.importorskip('s3fs', reason='s3fs is not installed')
    server = pytest.importorskip('moto.server', reason='moto is not installed')
    running = server.ThreadedMotoServer('127.0.0.1', 0)
    running.start()
    host, port = running.get_host_and_port()
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith('AWS_')]:
        patch.delenv(name)
    options = {**SIGN_IN, 'endpoint_url': f'http://{host}:{port}'}
    s3fs.S3FileSystem(**options).mkdir('records')
    yield options
    patch.undo()
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


def on_host(root: Path, uri: str, source: Path, computed: list[str]) -> Record:
    """Run a stage on a host that knows the name of the block only."""

    def body(out, context, *, source) -> Result:
        computed.append(root.name)
        (out / 'letters').mkdir()
        (out / 'letters' / 'deep').write_text(Path(source.path).read_text())
        return Result({'letters': 'letters'})

    @flow(name='host')
    def host() -> Record:
        with pipeline_run(uri, 'blocks', root / 'mlartifacts', {}, {}) as tracker:
            run = Run(root, tracker, remote_cache=RemoteCache.at('remote-file-system/records'))
            return Stage('letters', body, 'source', 'letters')(run, {'source': Artifact.of(source)})

    return host()


@pytest.mark.slow
def test_hosts_find_each_others_outputs_through_a_block(
    tmp_path, prefect_server, mlflow_uri, bucket
):
    RemoteFileSystem(basepath='s3://records/naics', settings=bucket).save('records', overwrite=True)
    source = tmp_path / 'source'
    source.write_text('grain')
    computed: list[str] = []
    first = on_host(tmp_path / 'one', mlflow_uri, source, computed)
    fetched = on_host(tmp_path / 'other', mlflow_uri, source, computed)
    assert computed == ['one']
    assert (fetched.cached, fetched.key, fetched.run_id) == (True, first.key, first.run_id)
    assert fetched.path('letters').is_relative_to(tmp_path / 'other')
    assert (fetched.path('letters') / 'deep').read_text() == 'grain'


@pytest.mark.slow
def test_a_block_that_is_absent_or_of_another_kind_is_named(tmp_path, prefect_server):
    with pytest.raises(ConfigError, match=r"remote-file-system/gone: Prefect's server has no such"):
        RemoteCache.at('remote-file-system/gone')
    LocalFileSystem(basepath=str(tmp_path)).save('here', overwrite=True)
    with pytest.raises(ConfigError, match='kind local-file-system cannot be used; save one of the'):
        RemoteCache.at('local-file-system/here')
    RemoteFileSystem(basepath='nope://bucket').save('nope', overwrite=True)
    with pytest.raises(ConfigError, match='remote-file-system/nope: Protocol not known: nope'):
        RemoteCache.at('remote-file-system/nope')


@pytest.mark.parametrize('remote_cache', [None, 's3://bucket/folder', 'remote-file-system/naics'])
def test_the_remote_cache_is_an_address_or_a_block(remote_cache):
    assert PlatformConfig({}, remote_cache, None).remote_cache == remote_cache


@pytest.mark.parametrize(
    'remote_cache', ['', 'bucket', '/folder', 'a/b/c', '../b', 'Remote/B', 'a/']
)
def test_what_is_neither_address_nor_block_is_refused(remote_cache):
    with pytest.raises(
        ConfigError, match=r'platform\.remote_cache must be .*remote-file-system/NAME'
    ):
        PlatformConfig({}, remote_cache, None)
