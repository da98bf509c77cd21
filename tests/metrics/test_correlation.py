import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.cluster import hierarchy

from naics_embed.metrics.correlation import (
    CopheneticCorrelation,
    mean_ranks,
    spearman,
    spearman_ceiling,
)
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.pairs import PairOrder
from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import MetricError

CHUNK = 256


def ordered(matrix, tree, chunk=CHUNK):
    pairs = PairOrder(tree, chunk)
    for rows, block in DistanceRows.of_matrix(matrix).blocks(chunk):
        pairs.add(rows, block)
    pairs.sort()
    return pairs


def symmetric(matrix):
    return torch.triu(matrix, 1) + torch.triu(matrix, 1).T


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def untied(tree, seed=0):
    """Distances in the exact order of the tree, ties broken by noise."""
    jitter = torch.rand(len(tree), len(tree), generator=torch.Generator().manual_seed(seed))
    return symmetric(tree.tree_distance.double() + 0.9 * jitter.double())


@given(st.lists(st.tuples(st.integers(-3, 3), st.floats(-2, 2, width=16)), min_size=3, max_size=40))
@settings(deadline=None, max_examples=80)
def test_spearman_of_vectors_is_scipys(values):
    x, y = torch.tensor(values, dtype=torch.float64).T
    assert mean_ranks(x).tolist() == stats.rankdata(x.numpy()).tolist()
    if len(x.unique()) > 1 and len(y.unique()) > 1:
        expected = stats.spearmanr(x.numpy(), y.numpy()).statistic
        assert spearman(x, y) == pytest.approx(expected, abs=1e-12)
    else:
        assert math.isnan(spearman(x, y))


@given(
    parent=st.lists(st.integers(0, 10**6), min_size=3, max_size=16),
    steps=st.integers(1, 4),
    chunk=st.integers(1, 5),
    seed=st.integers(0, 10),
)
@settings(deadline=None, max_examples=80)
def test_spearman_over_pairs_is_scipys_with_ties_at_any_chunk(parent, steps, chunk, seed):
    tree = Tree.from_parents(torch.tensor([p % (i + 1) - 1 for i, p in enumerate(parent)]))
    n = len(tree)
    drawn = torch.randint(0, steps + 1, (n, n), generator=torch.Generator().manual_seed(seed))
    matrix = symmetric(drawn.double() / 3)
    pairs = ordered(matrix, tree, chunk)
    edges = upper(tree.tree_distance.numpy())
    same = upper((tree.sector[:, None] == tree.sector[None, :]).numpy())
    for keep, result in (
        (np.ones_like(same), pairs.spearman()),
        (same, pairs.spearman(within_sectors=True)),
    ):
        d, e = upper(matrix.numpy())[keep], edges[keep]
        if len(np.unique(d)) > 1 and len(np.unique(e)) > 1:
            assert result == pytest.approx(stats.spearmanr(d, e).statistic, abs=1e-12)
        else:
            assert math.isnan(result)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_two_million_pairs_do_not_overflow(naics_tree, dtype):
    # A float table rounded to 1/8: tied groups of hundreds of thousands, whose cubes pass 2⁶³ in
    # sum, while int32 overflows at the first.
    level = torch.rand(len(naics_tree), len(naics_tree), generator=torch.Generator().manual_seed(1))
    matrix = symmetric((8 * (naics_tree.tree_distance + 4 * level)).round() / 8).to(dtype)
    d, e = upper(matrix.numpy()), upper(naics_tree.tree_distance.numpy())
    total = len(d)
    assert total**3 > 2**63
    assert np.unique(d, return_counts=True)[1].max() ** 2 > 2**31
    pairs = ordered(matrix, naics_tree)
    # Ranks by scipy in float64; its own spearmanr is slow at this size.
    expected = np.corrcoef(stats.rankdata(d), stats.rankdata(e))[0, 1]
    assert pairs.spearman() == pytest.approx(expected, abs=1e-12)
    same = upper((naics_tree.sector[:, None] == naics_tree.sector[None, :]).numpy())
    assert same.sum() == 272_103
    within = stats.spearmanr(d[same], e[same]).statistic
    assert pairs.spearman(within_sectors=True) == pytest.approx(within, abs=1e-12)


def test_ceiling_is_what_a_perfect_order_without_ties_gets(naics_tree):
    sizes = np.bincount(upper(naics_tree.tree_distance.numpy())).tolist()
    ceiling = spearman_ceiling(sizes)
    assert ceiling == pytest.approx(0.977, abs=5e-4)
    for seed in (0, 1):
        result = ordered(untied(naics_tree, seed), naics_tree).spearman()
        assert result == pytest.approx(ceiling, abs=1e-9)
    assert ordered(naics_tree.tree_distance, naics_tree).spearman() == pytest.approx(1, abs=1e-12)
    assert spearman_ceiling([1, 1, 1]) == 1.0
    assert math.isnan(spearman_ceiling([1]))


def test_order_resolves_what_it_says(small_tree):
    base = symmetric(torch.ones(len(small_tree), len(small_tree)).double())

    def with_relative_steps(step):
        # Grows with the tree distance by this step: seen, it is a perfect order with ties.
        return base * (1 + step * small_tree.tree_distance.double())

    assert ordered(with_relative_steps(1e-12), small_tree).spearman() == pytest.approx(1.0)
    assert math.isnan(ordered(with_relative_steps(1e-15), small_tree).spearman())


def test_rounding_noise_does_not_break_ties(naics_tree):
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(2125, 2125, generator=generator, dtype=torch.float64) - 0.5
    matrix = symmetric(naics_tree.tree_distance * (1 + 2e-15 * noise))
    assert len(matrix.unique()) > 50
    assert ordered(matrix, naics_tree).spearman() == pytest.approx(1, abs=1e-12)


def test_distortion_is_its_definition(small_tree, noise):
    matrix = symmetric(noise(len(small_tree), len(small_tree)).abs() + 0.1)
    result = ordered(matrix, small_tree, chunk=3).distortion()
    ratio = upper(matrix.numpy()) / upper(small_tree.tree_distance.numpy())
    scale = ratio.sum() / (ratio**2).sum()
    assert result['distortion_scale'] == pytest.approx(scale)
    assert result['mean_distortion'] == pytest.approx(np.abs(scale * ratio - 1).mean())
    assert result['worst_distortion'] == pytest.approx(ratio.max() / ratio.min())
    squares = [((s * ratio - 1) ** 2).sum() for s in (0.99 * scale, scale, 1.01 * scale)]
    assert min(squares) == squares[1]


def test_distortion_of_a_scaled_tree_is_none_and_coincident_nodes_are_counted(small_tree):
    exact = ordered(small_tree.tree_distance.double() * 3, small_tree).distortion()
    assert exact['mean_distortion'] == pytest.approx(0, abs=1e-12)
    assert exact['worst_distortion'] == pytest.approx(1)
    assert exact['distortion_scale'] == pytest.approx(1 / 3)
    assert exact['coincident_pairs'] == 0
    matrix = small_tree.tree_distance.double()
    matrix[5, 6] = matrix[6, 5] = 0
    result = ordered(matrix, small_tree).distortion()
    assert result['coincident_pairs'] == 1
    assert result['worst_distortion'] == pytest.approx(1), 'of the others'
    everywhere = ordered(torch.zeros_like(matrix), small_tree).distortion()
    assert math.isnan(everywhere['worst_distortion'])
    assert everywhere['coincident_pairs'] == matrix.numel() / 2 - len(matrix) / 2


def test_missing_rows_are_noticed(small_tree):
    pairs = PairOrder(small_tree, CHUNK)
    rows, block = next(DistanceRows.of_matrix(small_tree.tree_distance).blocks(4))
    pairs.add(rows, block)
    with pytest.raises(MetricError, match='pairs were added'):
        pairs.sort()


def cophenetic(matrix, tree, chunk):
    part = CopheneticCorrelation(tree)
    for rows, block in DistanceRows.of_matrix(matrix).blocks(chunk):
        part.add(rows, block)
    return part.result()


def test_cophenetic_correlation_is_scipys(naics_tree, noise):
    # A dendrogram of the leaves: the distance at which two join is the height of their ancestor.
    leaves = naics_tree.leaves[:60]
    height = 6 - naics_tree.lca_level(leaves, leaves).double()
    matrix = naics_tree.tree_distance.double() + symmetric(noise(2125, 2125).abs())
    linkage = hierarchy.linkage(upper(height.numpy()), method='single')
    expected, _ = hierarchy.cophenet(linkage, upper(matrix[leaves][:, leaves].numpy()))
    tree = Tree(
        level=naics_tree.level[leaves],
        parent=torch.full((len(leaves),), -1),
        sector=naics_tree.sector[leaves],
        tree_distance=naics_tree.tree_distance[leaves][:, leaves].contiguous(),
    )
    result = [cophenetic(matrix[leaves][:, leaves], tree, chunk) for chunk in (1, 7, 100)]
    assert result == pytest.approx([expected] * 3, abs=1e-12)


def test_cophenetic_correlation_looks_at_leaves_only(small_tree):
    assert small_tree.leaves.tolist() == [3, 5, 6, 7, 8, 9]
    leaves = small_tree.leaves
    matrix = small_tree.tree_distance.double()
    before = cophenetic(matrix, small_tree, 4)
    matrix[:3] += 100
    matrix[:, :3] += 100
    assert cophenetic(matrix, small_tree, 4) == before
    height = small_tree.level.max() - small_tree.lca_level(leaves, leaves)
    exact = upper(height.numpy())
    assert before == pytest.approx(np.corrcoef(exact, upper(matrix[leaves][:, leaves]))[0, 1])
    scaled = torch.zeros_like(matrix)
    scaled[leaves[:, None], leaves] = 2.5 * height.double()
    assert cophenetic(scaled, small_tree, 4) == pytest.approx(1)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(MetricError, match='1 of 3 values'):
        spearman(torch.tensor([1.0, math.nan, 2.0]), torch.arange(3))
    with pytest.raises(MetricError, match='one length'):
        spearman(torch.arange(3), torch.arange(4))
