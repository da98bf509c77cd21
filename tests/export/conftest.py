"""One bundle for all tests of the package."""

from pathlib import Path

import pytest

from naics_embed.bundle.storage import Bundle
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='session')
def bundle(tmp_path_factory) -> Bundle:
    folder: Path = tmp_path_factory.mktemp('export')
    return Bundle.load(write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder')))
