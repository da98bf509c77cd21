from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from naics_embed.metrics import ties
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.ranking import RelevanceRanking, TreeGain
from naics_embed.metrics.validation import MetricError


def run(part, matrix, chunk=3):
    for rows, block in DistanceRows.of_matrix(matrix).blocks(chunk):
        part.add(rows, block)
    return part


def by_node(pairs, n):
    table = np.zeros((n, n), dtype=bool)
    table[pairs[0].numpy(), pairs[1].numpy()] = True
    return table


def precision_of_orders(values, relevant):
    """Average precision under every order of tied candidates, by brute force."""
    result = []
    for order in permutations(range(len(values))):
        sorted_values = [values[i] for i in order]
        if sorted_values == sorted(values):
            hits = np.flatnonzero([relevant[i] for i in order]) + 1
            result.append(np.mean(np.arange(1, len(hits) + 1) / hits))
    return np.mean(result)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6).filter(
        lambda rows: any(wanted for _, wanted in rows)
    )
)
@settings(deadline=None, max_examples=60)
def test_average_precision_with_ties_is_the_mean_over_all_orders(rows):
    values, relevant = [v for v, _ in rows], [r for _, r in rows]
    n = len(rows) + 1
    matrix = torch.zeros(n, n, dtype=torch.float64)
    matrix[0, 1:] = torch.tensor(values)
    target = torch.nonzero(torch.tensor(relevant)).squeeze(1) + 1
    part = RelevanceRanking((torch.zeros_like(target), target))
    part.add(torch.tensor([0]), matrix[:1])
    expected = precision_of_orders(values, relevant)
    assert part.mean_average_precision() == pytest.approx(expected, abs=1e-12)


@given(above=st.integers(0, 30), tied=st.integers(1, 8), cutoff=st.integers(1, 12))
def test_tie_formulas_are_means_over_the_places_of_the_tie(above, tied, cutoff):
    ranks = np.arange(above + 1, above + tied + 1)
    a, t = torch.tensor([above]), torch.tensor([tied])
    assert ties.expected_hit(a, t, cutoff).item() == pytest.approx((ranks <= cutoff).mean())
    assert ties.expected_reciprocal_rank(a, t).item() == pytest.approx((1 / ranks).mean())


@pytest.mark.parametrize('name', ['neighbour_pairs', 'ancestor_pairs'])
def test_mean_average_precision_is_scikit_learns_without_ties(naics_tree, noise, name):
    n = len(naics_tree)
    matrix = naics_tree.tree_distance.double() + 3 * noise(n, n).abs()
    offset = noise(n, seed=3)
    relevant = by_node(getattr(naics_tree, name), n)
    part = RelevanceRanking(getattr(naics_tree, name), offset=offset)
    queries = torch.arange(0, n, 9)
    for rows, block in DistanceRows.of_matrix(matrix).blocks(100, queries):
        part.add(rows, block)
    score = (matrix + offset).numpy()
    expected, ranks = [], []
    for u in queries.tolist():
        if not relevant[u].any():
            continue
        others = np.arange(n) != u
        expected.append(average_precision_score(relevant[u][others], -score[u][others]))
        wrong = score[u][others & ~relevant[u]]
        ranks += [1 + (wrong < score[u, v]).sum() for v in np.flatnonzero(relevant[u])]
    assert part.mean_average_precision() == pytest.approx(np.mean(expected), abs=1e-12)
    assert part.mean_rank() == pytest.approx(np.mean(ranks), abs=1e-9)


def test_pairs_left_out_are_neither_right_nor_wrong(small_tree, noise):
    n = len(small_tree)
    matrix = noise(n, n).abs()
    relevant = by_node(small_tree.neighbour_pairs, n)
    chain = by_node(small_tree.chain_pairs, n)
    expected = []
    for u in range(n):
        kept = (np.arange(n) != u) & ~chain[u]
        if (relevant[u] & kept).any():
            expected.append(average_precision_score(relevant[u][kept], -matrix[u].numpy()[kept]))
    part = run(
        RelevanceRanking(small_tree.neighbour_pairs, left_out=small_tree.chain_pairs), matrix
    )
    assert part.mean_average_precision() == pytest.approx(np.mean(expected), abs=1e-12)


def test_tied_wrong_nodes_count_half_a_rank(small_tree):
    part = run(RelevanceRanking(small_tree.ancestor_pairs), torch.ones(10, 10))
    node, _ = small_tree.ancestor_pairs
    wrong = 9 - torch.bincount(node)[node]
    assert part.mean_rank() == pytest.approx(float((1 + wrong / 2).mean()))


@pytest.mark.parametrize('levels', [None, 4])
def test_ndcg_is_scikit_learns_ties_included(naics_tree, noise, levels):
    matrix = naics_tree.tree_distance.double() + 2 * noise(2125, 2125).abs()
    if levels is not None:
        matrix = (matrix / levels).round()
    queries = torch.arange(0, 2125, 30)
    part = TreeGain(naics_tree, (1, 10))
    for rows, block in DistanceRows.of_matrix(matrix).blocks(16, queries):
        part.add(rows, block)
    others = ~torch.eye(2125, dtype=torch.bool)[queries]
    gain = torch.exp2(1 - naics_tree.tree_distance[queries].double())[others].view(-1, 2124)
    score = -matrix[queries][others].view(-1, 2124)
    for name, cutoff in (('ndcg', None), ('ndcg_at_1', 1), ('ndcg_at_10', 10)):
        expected = ndcg_score(gain.numpy(), score.numpy(), k=cutoff)
        assert part.result()[name] == pytest.approx(expected, abs=1e-10), name


def test_nothing_relevant_is_an_error():
    nothing = torch.empty(0, dtype=torch.int64)
    with pytest.raises(MetricError, match='nothing to measure'):
        run(RelevanceRanking((nothing, nothing)), torch.ones(4, 4)).mean_average_precision()
