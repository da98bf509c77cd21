"""One bundle for all tests of the package."""

from pathlib import Path

import pytest

from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='session')
def bundle_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('promotion')
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'))
