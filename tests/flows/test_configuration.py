"""What the environment of a host adds to a configuration, and what another host is given of it."""

from pathlib import Path

import pytest

from flows.configuration import (
    artifact_root,
    configured,
    for_another_host,
    same_tracker,
    tracking_uri,
)
from flows.runtime import CHECKOUT
from naics_embed.bundle.promotion import ROOT_VARIABLE
from naics_embed.config.load import load_config
from naics_embed.errors import ConfigError

CONFIGS = CHECKOUT / 'configs'
SERVER = 'http://server:5000'
SHARED = 'platform.remote_cache=s3://bucket/folder'


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def root_of(profile: str, *overrides: str) -> Path:
    return artifact_root(configured(CONFIGS, profile, overrides))


def test_without_a_home_roots_lie_in_this_directory(tmp_path):
    assert root_of('cpu') == tmp_path / 'artifacts'
    assert root_of('smoke') == tmp_path / 'artifacts' / 'smoke'
    assert root_of('smoke', 'runtime.root=here') == tmp_path / 'here'


def test_a_home_takes_the_place_of_artifacts_and_an_override_stands(tmp_path, monkeypatch):
    home = tmp_path / 'home'
    monkeypatch.setenv(ROOT_VARIABLE, str(home))
    assert root_of('cpu') == home
    assert root_of('smoke') == home / 'smoke', 'not in the place of the real report and map'
    assert root_of('ablation') == home / 'ablation'
    for profile in ('cpu', 'smoke'):
        assert root_of(profile, 'runtime.root=here') == tmp_path / 'here'
        assert root_of(profile, 'runtime={root: artifacts/other}') == tmp_path / 'artifacts/other'
    monkeypatch.setenv(ROOT_VARIABLE, '~/home')
    assert root_of('smoke') == Path.home() / 'home' / 'smoke'


@pytest.mark.parametrize(
    ('named', 'lies'),
    [
        ('artifacts', 'home'),
        ('./artifacts/', 'home'),
        ('artifacts/smoke', 'home/smoke'),
        ('mine', 'home/mine'),
        ('artifacts-of-mine', 'home/artifacts-of-mine'),
    ],
)
def test_a_relative_root_of_a_file_lies_under_the_home(named, lies, tmp_path, monkeypatch):
    (tmp_path / 'configs' / 'profiles').mkdir(parents=True)
    base = (CONFIGS / 'base.yaml').read_text(encoding='utf-8')
    (tmp_path / 'configs' / 'base.yaml').write_text(base, encoding='utf-8')
    own = tmp_path / 'configs' / 'profiles' / 'own.yaml'
    own.write_text(f'runtime: {{root: {named}}}\n', encoding='utf-8')
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / 'home'))
    folder = tmp_path / 'configs'
    assert artifact_root(configured(folder, 'own', None)) == tmp_path / lies
    own.write_text(f'runtime: {{root: {tmp_path}/elsewhere}}\n', encoding='utf-8')
    assert artifact_root(configured(folder, 'own', None)) == tmp_path / 'elsewhere'


def test_the_address_of_the_tracker(tmp_path, monkeypatch):
    config = configured(CONFIGS, 'cpu', [])
    own = configured(CONFIGS, 'cpu', [f'tracking.uri={SERVER}'])
    assert tracking_uri(config, tmp_path) == f'sqlite:///{tmp_path}/mlflow.db'
    assert tracking_uri(own, tmp_path) == SERVER
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://other:5000')
    assert tracking_uri(config, tmp_path) == 'http://other:5000'
    assert tracking_uri(own, tmp_path) == SERVER
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://someone:Pl4nted@other:5000')
    assert tracking_uri(own, tmp_path) == SERVER
    with pytest.raises(ConfigError, match=r'MLFLOW_TRACKING_URI in the .*_USERNAME') as caught:
        tracking_uri(config, tmp_path)
    assert 'Pl4nted' not in str(caught.value)


def sent(*overrides: str, profile: str = 'cpu') -> tuple[str, ...]:
    config = configured(CONFIGS, profile, overrides)
    return for_another_host(overrides, config, artifact_root(config))


def test_another_host_is_given_the_root_and_the_database_in_it(tmp_path, monkeypatch):
    folder = tmp_path / 'a: b #c'
    folder.mkdir()
    monkeypatch.chdir(folder)
    given = sent('model.dim=8', profile='smoke')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ROOT_VARIABLE, '/home/of/the/other/host')
    there = configured(CONFIGS, 'smoke', given)
    assert artifact_root(there) == folder / 'artifacts' / 'smoke'
    assert tracking_uri(there, artifact_root(there)) == (
        f'sqlite:///{folder}/artifacts/smoke/mlflow.db'
    )
    assert there.model.dim == 8


def test_the_environment_of_this_host_is_not_given_to_another(monkeypatch, tmp_path):
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://this-host-only:5000')
    assert sent('model.dim=8') == ('model.dim=8', f'runtime.root="{tmp_path}/artifacts"')
    assert sent(SHARED) == (SHARED,)
    assert same_tracker(configured(CONFIGS, 'cpu', []), tmp_path) == ()
    assert same_tracker(configured(CONFIGS, 'cpu', [f'tracking.uri={SERVER}']), tmp_path) == (
        f'tracking.uri="{SERVER}"',
    )


def test_with_a_remote_cache_each_host_has_a_root_and_a_database_of_its_own(monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, '/of/this/host')
    assert sent(SHARED) == (SHARED,)
    assert sent(SHARED, 'runtime.root=/of/this/host', 'model.dim=8') == (SHARED, 'model.dim=8')
    assert sent(SHARED, f'tracking.uri={SERVER}')[-1] == f'tracking.uri="{SERVER}"'
    there = load_config(CONFIGS, 'cpu', sent(SHARED, f'tracking.uri={SERVER}')).config
    assert there.tracking.uri == SERVER


def test_hosts_may_have_one_root_under_a_path_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, '/mnt/of/this/host')
    given = sent('model.dim=8', profile='smoke')
    assert given == ('model.dim=8',)
    assert sent(f'tracking.uri={SERVER}')[-1] == f'tracking.uri="{SERVER}"'
    monkeypatch.setenv(ROOT_VARIABLE, '/mnt/of/the/other/host')
    there = configured(CONFIGS, 'smoke', given)
    assert artifact_root(there) == Path('/mnt/of/the/other/host/smoke')
    for override in (f'runtime.root={tmp_path}', f'runtime={{root: {tmp_path}}}'):
        assert artifact_root(configured(CONFIGS, 'cpu', sent(override))) == tmp_path, 'said so'
