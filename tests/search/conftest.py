"""One bundle for all tests of the package, and copies of it that a test may damage."""

import shutil
from pathlib import Path

import pytest

from naics_embed.search.coder import Coder
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='session')
def encoder(tmp_path_factory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp('search') / 'encoder')


@pytest.fixture(scope='session')
def bundle_path(encoder) -> Path:
    return write_tiny_bundle(encoder.parent / 'bundle', encoder)


@pytest.fixture(scope='session')
def coder(encoder) -> Coder:
    return Coder.load(write_tiny_bundle(encoder.parent / 'with_coder', encoder, coder=True))


@pytest.fixture
def copy(bundle_path, tmp_path) -> Path:
    return shutil.copytree(bundle_path, tmp_path / 'copy')
