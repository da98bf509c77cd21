"""Whether a node's parent is the nearest node one level up."""

import torch
from torch import Tensor

from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.ties import expected_hit
from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import check_any, check_index, check_positive

PARENT_CUTOFFS = (1, 5)
BRANCHING = '_branching'
"""Suffix of the metrics without only-child edges, which are trivial to find."""


def parent_metrics(
    distances: DistanceRows, tree: Tree, *, chunk: int, queries: Tensor | None = None
) -> dict[str, float]:
    """Return how well nodes find their parent among all nodes one level up.

    For held-out structure: put the points of codes embedded by text alone into the table, and name
    them in ``queries``.

    Args:
        distances: distances of the n nodes of ``tree``.
        tree: the tree.
        chunk: rows computed at a time.
        queries: int64 positions of the nodes scored; all where None. Those directly under the
            virtual root have no parent and are passed over.

    Returns:
        ``parent_at_1`` and ``parent_at_5``: probability that the parent is among the nearest 1
        and 5, ties broken at random; ``parent_tree_distance``: edges from the nearest candidate
        to the right parent, mean over tied nearest ones. The same with ``_branching`` without
        the only children, where any are left.

    Raises:
        MetricError: no node with a parent is among the queries.
    """
    check_positive('chunk', chunk)
    if queries is None:
        queries = torch.arange(len(tree))
    check_index('queries', queries, len(tree))
    queries = queries[tree.parent[queries] >= 0]
    check_any('parent placement', len(queries))
    only = tree.only_child[queries]
    metrics = torch.empty((len(queries), len(PARENT_CUTOFFS) + 1), dtype=torch.float64)
    for level in tree.level[queries].unique().tolist():
        candidates = torch.nonzero(tree.level == level - 1).squeeze(1)
        for part in torch.nonzero(tree.level[queries] == level).squeeze(1).split(chunk):
            metrics[part] = _parent_hits(distances, tree, queries[part], candidates)
    names = [f'parent_at_{cutoff}' for cutoff in PARENT_CUTOFFS] + ['parent_tree_distance']
    result = dict(zip(names, metrics.mean(dim=0).tolist(), strict=True))
    if not bool(only.all()):
        branching = metrics[~only].mean(dim=0).tolist()
        result |= {name + BRANCHING: value for name, value in zip(names, branching, strict=True)}
    return result


def parent_ceiling(tree: Tree, *, chunk: int, queries: Tensor | None = None) -> dict[str, float]:
    """Return `parent_metrics` of the exact tree metric."""
    exact = DistanceRows.of_matrix(tree.tree_distance)
    return parent_metrics(exact, tree, chunk=chunk, queries=queries)


def parent_chance(tree: Tree, *, chunk: int, queries: Tensor | None = None) -> dict[str, float]:
    """Return `parent_metrics` of a table in which all distances are equal."""
    equal = torch.zeros((), dtype=torch.float64).expand(len(tree), len(tree))
    return parent_metrics(DistanceRows.of_matrix(equal), tree, chunk=chunk, queries=queries)


def _parent_hits(distances: DistanceRows, tree: Tree, nodes: Tensor, candidates: Tensor) -> Tensor:
    block = distances.block(nodes, candidates)
    parent = tree.parent[nodes]
    to_parent = block.gather(1, torch.searchsorted(candidates, parent)[:, None])
    above, tied = (block < to_parent).sum(dim=1), (block == to_parent).sum(dim=1)
    nearest = block == block.min(dim=1, keepdim=True).values
    edges = tree.tree_distance[parent][:, candidates]
    off = (edges * nearest).sum(dim=1) / nearest.sum(dim=1).to(torch.float64)
    hits = [expected_hit(above, tied, cutoff) for cutoff in PARENT_CUTOFFS]
    return torch.stack([*hits, off], dim=1)
