"""A miniature of the Census source: three real sectors, with texts made up on the spot."""

import pytest

from benchmarks.miniature import Miniature
from benchmarks.miniature import miniature as make_miniature


@pytest.fixture(scope='session')
def miniature() -> Miniature:
    return make_miniature()
