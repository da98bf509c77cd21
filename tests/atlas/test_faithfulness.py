import math

import numpy as np
import pytest

from naics_embed.atlas.faithfulness import faithfulness
from naics_embed.taxonomy import Taxonomy


@pytest.fixture(scope='module')
def taxonomy() -> Taxonomy:
    codes = ['11', '111', '112', '113', '21', '211', '212', '213', '22', '221']
    return Taxonomy(codes)


@pytest.fixture(scope='module')
def plane(taxonomy) -> np.ndarray:
    """Tangents of a table that is a plane already: sectors apart, children beyond them."""
    angle = 2.0 * taxonomy.sector + 0.1 * np.arange(len(taxonomy)) ** 1.1
    radius = taxonomy.level - 1.0 + 0.01 * np.sqrt(np.arange(len(taxonomy)))
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def in_disk(tangents: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(tangents, axis=1, keepdims=True)
    return tangents / norm * np.tanh(norm / 2)


def test_a_plane_is_kept_whole(taxonomy, plane):
    found = faithfulness(taxonomy, plane, in_disk(plane), curvature=1.0)
    assert found['spearman_table'] == pytest.approx(1)
    assert found['spearman_tree'] == pytest.approx(found['table_spearman_tree'])
    assert found['parent_at_1'] == found['table_parent_at_1']
    assert found['neighbours_kept'] == 1
    assert found['scale'] == pytest.approx(1)


def test_distances_are_compared_in_the_curvature_of_the_table(taxonomy, plane):
    found = faithfulness(taxonomy, plane / math.sqrt(4), in_disk(plane), curvature=4.0)
    assert found['spearman_table'] == pytest.approx(1)
    assert found['scale'] == pytest.approx(2)


def test_shuffled_points_keep_little(taxonomy, plane):
    mixed = in_disk(plane)[np.random.default_rng(0).permutation(len(plane))]
    found = faithfulness(taxonomy, plane, mixed, curvature=1.0)
    assert found['spearman_table'] < 0.6
    assert found['parent_at_1'] < found['table_parent_at_1']
