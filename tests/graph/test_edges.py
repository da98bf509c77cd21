import numpy as np
import pytest

from naics_embed.errors import ConfigError
from naics_embed.graph.edges import TaxonomyGraph


def edge_set(graph, kind):
    number = graph.kinds.index(kind)
    return {tuple(pair) for pair in graph.edges.T[graph.kind == number].tolist()}


def test_edges_are_those_of_the_tree(taxonomy):
    everyone = np.ones(len(taxonomy), dtype=bool)
    graph = TaxonomyGraph.of(taxonomy, everyone, ('parent', 'child', 'sibling'))
    lineal = {(int(up), code) for code, up in enumerate(taxonomy.parent) if up >= 0}
    assert edge_set(graph, 'parent') == lineal
    assert edge_set(graph, 'child') == {(code, up) for up, code in lineal}
    siblings = {
        (a, b)
        for a in range(len(taxonomy))
        for b in range(len(taxonomy))
        if a != b and taxonomy.parent[a] == taxonomy.parent[b]
    }
    assert edge_set(graph, 'sibling') == siblings
    receivers = graph.edges[1]
    assert bool((receivers[1:] >= receivers[:-1]).all())


def test_a_hidden_code_neither_sends_nor_hears(taxonomy, supervised):
    graph = TaxonomyGraph.of(taxonomy, supervised, ('parent', 'child', 'sibling'))
    hidden = set(np.flatnonzero(~supervised).tolist())
    assert hidden
    assert not hidden & set(graph.edges.flatten().tolist())
    assert not graph.hearing[list(hidden)].any()
    assert graph.hearing.sum() == supervised.sum()


def test_redirections_join_both_ways_once(taxonomy, supervised):
    pairs = np.array([[1, 5], [5, 1], [7, 7], [2, 9]])
    graph = TaxonomyGraph.of(taxonomy, np.ones_like(supervised), ('redirection',), pairs)
    assert edge_set(graph, 'redirection') == {(1, 5), (5, 1), (2, 9), (9, 2)}
    assert graph.edges.shape[1] == 4


@pytest.mark.parametrize('kinds', [(), ('uncle',), ('parent', 'parent')])
def test_wrong_kinds_are_refused(taxonomy, supervised, kinds):
    with pytest.raises(ConfigError, match=r'graph\.edges must be different ones of parent, child'):
        TaxonomyGraph.of(taxonomy, supervised, kinds)


def test_redirections_must_be_given(taxonomy, supervised):
    with pytest.raises(ConfigError, match='no redirections are given'):
        TaxonomyGraph.of(taxonomy, supervised, ('redirection',))
