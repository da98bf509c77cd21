import math

import numpy as np
import pytest
import torch

from naics_embed.geometry import lorentz
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.placement import parent_ceiling, parent_chance, parent_metrics
from naics_embed.metrics.reconstruction import (
    choose_norm_weight,
    reconstruction_ceiling,
    reconstruction_chance,
    reconstruction_from_distances,
    reconstruction_metrics,
)
from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import MetricError

SETTINGS = {'norm_weight': 1.0, 'chunk': 512}


@pytest.fixture(scope='module')
def ceiling(naics_tree):
    return reconstruction_ceiling(naics_tree, **SETTINGS)


@pytest.fixture(scope='module')
def blurred(naics_tree):
    """The tree metric and its levels, with noise: a fair but imperfect table."""
    generator = torch.Generator().manual_seed(0)
    n = len(naics_tree)
    blur = torch.rand(n, n, generator=generator).double()
    matrix = naics_tree.tree_distance + 2 * torch.triu(blur, 1) + 2 * torch.triu(blur, 1).T
    return matrix, naics_tree.level + torch.rand(n, generator=generator).double()


def test_ceilings_of_the_real_tree(ceiling):
    expected = {
        'spearman': 0.977,
        'spearman_within_sectors': 0.977,
        'level_radius_spearman': 0.925,
        'cophenetic_leaves': 1,
        'map_neighbours': 1,
        'map_ancestors_norm_aware': 1,
        'mean_rank_ancestors_norm_aware': 1,
        'parent_at_1': 1,
        'parent_at_5': 1,
        'parent_tree_distance': 0,
        'mean_distortion': 0,
        'worst_distortion': 1,
        'ndcg': 1,
        'ndcg_at_10': 1,
        'edges_not_outward': 0,
    }
    for name, value in expected.items():
        assert ceiling[name] == pytest.approx(value, abs=6e-4), name


def test_ancestors_by_distance_have_a_low_ceiling(ceiling):
    assert ceiling['map_ancestors'] == pytest.approx(0.616, abs=1e-3)
    # Distances alone cannot tell a grandparent from a sibling; a weight on the radius can.
    assert ceiling['map_ancestors_norm_aware'] == pytest.approx(1, abs=1e-12)


def test_ceiling_depends_on_the_weight(naics_tree):
    low = reconstruction_ceiling(naics_tree, norm_weight=0.25, chunk=512)
    assert 0.62 < low['map_ancestors_norm_aware'] < 0.999


def test_metrics_lie_between_chance_and_ceiling(naics_tree, ceiling, blurred):
    matrix, radii = blurred
    result = reconstruction_from_distances(
        DistanceRows.of_matrix(matrix), naics_tree, radii=radii, **SETTINGS
    )
    chance = reconstruction_chance(naics_tree, **SETTINGS)
    assert result.keys() == ceiling.keys() == chance.keys()
    for name in result.keys() - {'distortion_scale', 'coincident_pairs'}:
        low, high = sorted((chance[name], ceiling[name]))
        assert low - 1e-12 <= result[name] <= high + 1e-12, name
        assert low < high, name
    assert result['coincident_pairs'] == ceiling['coincident_pairs'] == 0


def test_chunk_changes_nothing(noise):
    generator = torch.Generator().manual_seed(4)
    parent = [int(torch.randint(-1, i, (), generator=generator)) if i else -1 for i in range(120)]
    tree = Tree.from_parents(torch.tensor(parent))
    # Coarse distances, so that ties run across the chunks.
    distances = DistanceRows.of_matrix(tree.tree_distance + noise(120, 120).abs().round())
    result = [
        reconstruction_from_distances(
            distances, tree, radii=tree.level, norm_weight=0.7, chunk=chunk
        )
        for chunk in (120, 1, 7, 64, 500)
    ]
    for other in result[1:]:
        assert other == pytest.approx(result[0], rel=1e-11)


def test_table_and_its_distances_get_the_same_metrics(small_tree, noise):
    space, c = noise(len(small_tree), 5), 2.0
    matrix = lorentz.pairwise_distance(space, space, c=c)
    from_matrix = reconstruction_from_distances(
        DistanceRows.of_matrix(matrix),
        small_tree,
        radii=lorentz.radius(space, c=c),
        norm_weight=0.5,
        chunk=4,
    )
    result = reconstruction_metrics(space, small_tree, c=c, norm_weight=0.5, chunk=4)
    assert result == pytest.approx(from_matrix, rel=1e-9)


def test_curvature_only_rescales(small_tree, noise):
    space, c = noise(len(small_tree), 4), 4.0
    one = reconstruction_metrics(space, small_tree, c=1.0, norm_weight=0.5, chunk=4)
    other = reconstruction_metrics(space / 2, small_tree, c=c, norm_weight=0.5, chunk=4)
    # Distances are half as long, so the fitted factor is twice as large.
    assert other.pop('distortion_scale') == pytest.approx(2 * one.pop('distortion_scale'))
    assert other == pytest.approx(one)


def test_float32_table_is_measured_in_float64(small_tree, noise):
    space = noise(len(small_tree), 4).float()
    result = reconstruction_metrics(space, small_tree, c=1.0, norm_weight=1.0, chunk=4)
    wide = reconstruction_metrics(space.double(), small_tree, c=1.0, norm_weight=1.0, chunk=4)
    assert result == wide


def test_without_radii_their_metrics_are_left_out(small_tree, noise):
    distances = DistanceRows.of_space(noise(len(small_tree), 3), c=1.0)
    result = reconstruction_from_distances(
        distances, small_tree, radii=None, norm_weight=1.0, chunk=4
    )
    full = reconstruction_ceiling(small_tree, norm_weight=1.0, chunk=4)
    left_out = full.keys() - result.keys()
    assert result.keys() <= full.keys()
    assert left_out == {
        name for name in full if any(w in name for w in ('norm_aware', 'radius', 'outward'))
    }


def test_edges_not_outward_counts_children_no_farther_out(small_tree):
    radii = small_tree.level.double()
    radii[2] = radii[1]
    radii[3] = 0
    result = reconstruction_from_distances(
        DistanceRows.of_matrix(small_tree.tree_distance),
        small_tree,
        radii=radii,
        norm_weight=1.0,
        chunk=4,
    )
    assert result['edges_not_outward'] == pytest.approx(2 / 7)
    assert result['edges_not_outward_branching'] == pytest.approx(1 / 5)


def test_only_children_are_no_evidence(small_tree):
    # Only the edges to only children (0-1 and 2-3) are short: everything that counts is lost.
    matrix = torch.full((10, 10), 2.0)
    for a, b in ((0, 1), (2, 3)):
        matrix[a, b] = matrix[b, a] = 0.1
    result = parent_metrics(DistanceRows.of_matrix(matrix), small_tree, chunk=4)
    chance = parent_chance(small_tree, chunk=4)
    assert result['parent_at_1'] > chance['parent_at_1'] + 0.1
    assert result['parent_at_1_branching'] == pytest.approx(chance['parent_at_1_branching'])
    settings = {'norm_weight': 1.0, 'chunk': 4}
    result = reconstruction_from_distances(
        DistanceRows.of_matrix(matrix), small_tree, radii=torch.zeros(10), **settings
    )
    chance = reconstruction_chance(small_tree, **settings)
    for name in ('map_neighbours', 'map_ancestors', 'map_ancestors_norm_aware'):
        assert result[name] > chance[name] + 0.1
        assert result[name + '_branching'] == pytest.approx(chance[name + '_branching'])


def test_a_tree_of_only_children_has_no_branching_metrics():
    tree = Tree.from_parents(torch.tensor([-1, 0, 1]))
    result = reconstruction_ceiling(tree, norm_weight=1.0, chunk=4)
    assert not [name for name in result if name.endswith('_branching')]


def brute_force_parents(matrix, tree, queries):
    hits, hits_5, edges = [], [], []
    for u in queries:
        parent = int(tree.parent[u])
        candidates = np.flatnonzero(tree.level == tree.level[u] - 1)
        order = candidates[np.argsort(matrix[u, candidates])]
        hits.append(order[0] == parent)
        hits_5.append(parent in order[:5])
        edges.append(int(tree.tree_distance[order[0], parent]))
    return np.mean(hits), np.mean(hits_5), np.mean(edges)


def test_parent_placement_of_chosen_codes(naics_tree, blurred):
    matrix, _ = blurred
    generator = torch.Generator().manual_seed(2)
    queries = torch.randperm(len(naics_tree), generator=generator)[:150]
    scored = queries[naics_tree.parent[queries] >= 0]
    result = parent_metrics(DistanceRows.of_matrix(matrix), naics_tree, chunk=40, queries=queries)
    for suffix, chosen in (('', scored), ('_branching', scored[~naics_tree.only_child[scored]])):
        expected = brute_force_parents(matrix.numpy(), naics_tree, chosen.tolist())
        names = ['parent_at_1', 'parent_at_5', 'parent_tree_distance']
        assert [result[name + suffix] for name in names] == pytest.approx(list(expected))
    best = parent_ceiling(naics_tree, chunk=40, queries=queries)
    assert best['parent_at_1'] == best['parent_at_5'] == 1
    assert best['parent_tree_distance'] == 0


def test_chance_of_a_parent_is_one_in_its_level(naics_tree):
    result = parent_chance(naics_tree, chunk=512, queries=naics_tree.leaves)
    assert result['parent_at_1'] == pytest.approx(1 / 689)
    assert result['parent_at_5'] == pytest.approx(5 / 689)


def test_codes_without_a_parent_are_an_error(naics_tree):
    sectors = torch.nonzero(naics_tree.parent < 0).squeeze(1)
    distances = DistanceRows.of_matrix(naics_tree.tree_distance)
    with pytest.raises(MetricError, match='nothing to measure'):
        parent_metrics(distances, naics_tree, chunk=4, queries=sectors)
    with pytest.raises(MetricError, match='positions from 0 to 2124'):
        parent_metrics(distances, naics_tree, chunk=4, queries=torch.tensor([2125]))


def test_norm_weight_is_chosen_on_the_queries_given(naics_tree):
    chosen = {
        'radii': naics_tree.level,
        'queries': naics_tree.leaves[::20],
        'chunk': 64,
    }
    distances = DistanceRows.of_matrix(naics_tree.tree_distance)
    weights = [0.0, 0.25, 1.0, 0.9]
    # From w = 0.6 or so, all ancestors come before all others: the first such weight is taken.
    assert choose_norm_weight(distances, naics_tree, weights=weights, **chosen) == 1.0
    assert choose_norm_weight(distances, naics_tree, weights=weights[:2], **chosen) == 0.25
    with pytest.raises(MetricError, match='weights'):
        choose_norm_weight(distances, naics_tree, weights=[], **chosen)


def test_bad_tables_are_refused(small_tree, noise):
    space = noise(len(small_tree), 3)
    with pytest.raises(MetricError, match='9 points do not match a tree of 10'):
        reconstruction_metrics(space[:9], small_tree, c=1.0, **SETTINGS)
    space[4, 1] = math.nan
    with pytest.raises(MetricError, match='coordinates: 1 of 30'):
        reconstruction_metrics(space, small_tree, c=1.0, **SETTINGS)
    with pytest.raises(MetricError, match='radii'):
        reconstruction_from_distances(
            DistanceRows.of_matrix(small_tree.tree_distance),
            small_tree,
            radii=torch.zeros(3),
            **SETTINGS,
        )
    with pytest.raises(MetricError, match='edges of the tree'):
        reconstruction_metrics(
            space[:2], Tree.from_parents(torch.tensor([-1, -1])), c=1.0, **SETTINGS
        )
