"""A starter is built once, and never where a bundle is promoted."""

import json

import pytest

from naics_embed.bundle import in_use
from naics_embed.bundle.in_use import STARTER_VARIABLE, bundle_in_use
from naics_embed.bundle.promotion import ROOT_VARIABLE, promote
from naics_embed.config.starter import StarterConfig
from naics_embed.errors import ArtifactError
from naics_embed.starter import cache
from naics_embed.starter.location import starter_folder
from tests.tiny_bundle import change_manifest, write_tiny_bundle, write_tiny_encoder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An artifact root of its own, and builds that are counted and quick."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / 'root'))
    monkeypatch.setenv(STARTER_VARIABLE, 'on')
    encoder = write_tiny_encoder(tmp_path / 'encoder')
    built = []

    def build(out, config, progress):
        built.append(config)
        write_tiny_bundle(out, encoder, coder=True)
        change_manifest(out, starter=True)

    monkeypatch.setattr('naics_embed.starter.build.build_starter', build)
    return tmp_path, built, encoder


def test_a_starter_is_built_once_for_its_settings(place):
    tmp_path, built, _ = place
    first = bundle_in_use()
    assert first.parent == tmp_path / 'root' / 'starter'
    assert bundle_in_use() == first
    assert len(built) == 1
    other = cache.starter_bundle(config=StarterConfig(seed=1))
    assert other != first
    assert len(built) == 2


def test_a_starter_never_replaces_a_promoted_bundle(place):
    tmp_path, built, encoder = place
    bundle_in_use()
    assert not (tmp_path / 'root' / 'promoted.json').exists()
    bundle = write_tiny_bundle(tmp_path / 'root' / 'bundle', encoder)
    promote(tmp_path / 'root', bundle, {})
    assert bundle_in_use() == tmp_path / 'root' / 'bundle'
    assert len(built) == 1
    # One that is promoted and gone is an error, not a reason for a starter.
    (tmp_path / 'root' / 'promoted.json').write_text(json.dumps({'bundle': 'gone'}))
    assert bundle_in_use() == tmp_path / 'root' / 'gone'


def test_starters_can_be_off(place, monkeypatch):
    for word in in_use.OFF:
        monkeypatch.setenv(STARTER_VARIABLE, word)
        with pytest.raises(ArtifactError, match='no table has been promoted'):
            bundle_in_use()
    assert not place[1]


def test_without_a_root_it_lies_in_the_cache_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert starter_folder() == tmp_path / 'naics-embed' / 'starter'
