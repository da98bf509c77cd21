import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.metrics.tree import MAX_DEPTH, Tree
from naics_embed.metrics.validation import MetricError


@st.composite
def parents(draw, most=14):
    size = draw(st.integers(2, most))
    return torch.tensor([-1] + [draw(st.integers(-1, i - 1)) for i in range(1, size)])


def path_to_root(parent, node):
    path = [node]
    while parent[path[-1]] >= 0:
        path.append(int(parent[path[-1]]))
    return [*path, 'root']


@given(parents())
@settings(deadline=None, max_examples=60)
def test_distances_levels_and_ancestors_follow_the_paths(parent):
    tree = Tree.from_parents(parent)
    paths = [path_to_root(parent, node) for node in range(len(parent))]
    for a, path_a in enumerate(paths):
        assert int(tree.level[a]) == len(path_a)
        for b, path_b in enumerate(paths):
            shared = len(set(path_a) & set(path_b))
            assert int(tree.tree_distance[a, b]) == len(path_a) + len(path_b) - 2 * shared
            assert bool(tree.sector[a] == tree.sector[b]) == (shared > 1)
    node, ancestor = tree.ancestor_pairs
    result = set(zip(node.tolist(), ancestor.tolist(), strict=True))
    assert result == {(a, b) for a, path in enumerate(paths) for b in path[1:-1]}
    assert torch.equal(node, node.sort().values)
    everything = torch.arange(len(tree))
    lca = tree.lca_level(everything, everything)
    assert all(
        int(lca[a, b]) == len(set(paths[a]) & set(paths[b]))
        for a in range(len(paths))
        for b in range(len(paths))
    )


def test_tree_of_a_taxonomy_equals_tree_of_its_parents(naics_tree):
    again = Tree.from_parents(naics_tree.parent)
    for name in ('level', 'parent', 'sector', 'tree_distance'):
        assert torch.equal(getattr(again, name), getattr(naics_tree, name)), name


def test_facts_of_naics(naics_tree):
    assert torch.bincount(naics_tree.level).tolist() == [0, 0, 20, 96, 308, 689, 1012]
    assert int(naics_tree.only_child.sum()) == 690
    assert torch.equal(naics_tree.level[naics_tree.leaves], torch.full((1012,), 6))
    upper = np.triu_indices(len(naics_tree), 1)
    counts = np.bincount(naics_tree.tree_distance.numpy()[upper])
    assert counts.tolist() == [
        *(0, 2105, 4593, 10938, 30175, 78544, 183454, 347006, 549103, 613307, 437525)
    ]


def test_chains_join_only_children(small_tree):
    assert small_tree.only_child.tolist() == [False, True, False, True] + [False] * 6
    assert small_tree.chain.tolist() == [0, 0, 2, 2, 4, 5, 6, 7, 8, 9]
    node, other = small_tree.chain_pairs
    assert list(zip(node.tolist(), other.tolist(), strict=True)) == [(0, 1), (1, 0), (2, 3), (3, 2)]


def test_neighbours_are_the_pairs_at_distance_one(naics_tree):
    node, neighbour = naics_tree.neighbour_pairs
    expected = torch.nonzero(naics_tree.tree_distance == 1)
    result = torch.stack([node, neighbour], dim=1)
    order = np.lexsort((neighbour.numpy(), node.numpy()))
    assert torch.equal(result[order], expected)


@pytest.mark.parametrize('parent', [[0], [-1, 2, -1], [-2]])
def test_parent_out_of_order_is_refused(parent):
    with pytest.raises(MetricError, match='earlier position'):
        Tree.from_parents(torch.tensor(parent))


def test_tree_whose_distances_do_not_fit_is_refused():
    deepest = Tree.from_parents(torch.tensor([*range(-1, MAX_DEPTH - 1), -1]))
    assert int(deepest.tree_distance.max()) == MAX_DEPTH + 1
    with pytest.raises(MetricError, match='depth'):
        Tree.from_parents(torch.arange(-1, MAX_DEPTH))


def test_wrong_shapes_and_dtypes_are_refused(small_tree):
    n = len(small_tree)
    with pytest.raises(MetricError, match='tree_distance must be uint8'):
        Tree(small_tree.level, small_tree.parent, small_tree.sector, torch.zeros(n, n))
    with pytest.raises(MetricError, match='parent must be int64'):
        Tree(
            small_tree.level,
            small_tree.parent.int(),
            small_tree.sector,
            small_tree.tree_distance,
        )
