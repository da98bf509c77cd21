"""One bundle for both transformers."""

from pathlib import Path

import pytest

from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='session')
def bundle_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('estimators')
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'))
