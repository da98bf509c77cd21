"""How well the distances of a table, and its radii, reproduce the tree.

A diagnostic, not an aim: a construction that has seen no text reaches every ceiling. Keys with
``_branching`` leave out only-child edges, which are trivial (a NAICS code and its only child share
a title): nodes of the query's own only-child chain are not ranked, and only children are no queries
for a parent.
"""

import math

import torch
from torch import Tensor

from naics_embed.geometry import lorentz
from naics_embed.metrics.correlation import CopheneticCorrelation, spearman, spearman_ceiling
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.pairs import PairOrder
from naics_embed.metrics.placement import BRANCHING, parent_metrics
from naics_embed.metrics.ranking import RelevanceRanking, TreeGain
from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import (
    MetricError,
    check_any,
    check_finite,
    check_index,
    check_length,
)

NDCG_CUTOFFS = (10,)
EXACT_NORM_WEIGHT = 1.0
"""Weight of the radius at which the exact tree ranks all ancestors first."""


def reconstruction_metrics(
    space: Tensor, tree: Tree, *, c: float, norm_weight: float, chunk: int
) -> dict[str, float]:
    """Return every reconstruction metric of a table of Lorentz points, in float64.

    Args:
        space: ``(n, d)`` space parts, in the order of ``tree``; float32 or float64.
        tree: the tree.
        c: c > 0, the space has curvature −c.
        norm_weight: w of the ancestor score d(u, a) + w·(r_a − r_u).
        chunk: rows of the distance matrix computed at a time.

    Returns:
        The keys of `reconstruction_from_distances`.

    Raises:
        MetricError: shapes that do not fit, values that are not finite.
    """
    check_finite('coordinates', space)
    distances = DistanceRows.of_space(space, c=c)
    radii = lorentz.radius(space.detach().to(dtype=torch.float64, device='cpu'), c=c)
    return reconstruction_from_distances(
        distances, tree, radii=radii, norm_weight=norm_weight, chunk=chunk
    )


def reconstruction_from_distances(
    distances: DistanceRows,
    tree: Tree,
    *,
    radii: Tensor | None,
    norm_weight: float,
    chunk: int,
) -> dict[str, float]:
    """Return every reconstruction metric of a table in any geometry.

    One pass over the distances. 20,000 nodes peak below 3 GB at ``chunk`` 128 (1.6 GB for the
    order of all pairs, 0.4 GB for the tree).

    Args:
        distances: distances of the n nodes of ``tree``; the upper triangle counts where a matrix
            is not symmetric.
        tree: the tree.
        radii: ``(n,)`` how far out each node is, in the unit of the distances; None where the
            geometry has no origin, and the metrics that need one are left out.
        norm_weight: w of the ancestor score d(u, a) + w·(r_a − r_u).
        chunk: rows of the distance matrix computed at a time.

    Returns:
        - ``spearman``, ``spearman_within_sectors``: rank correlation of distance and D* over all
          pairs, and over all pairs that share a sector; mean ranks for ties.
        - ``map_neighbours``: parent and children among all others, by distance.
        - ``map_ancestors``, ``mean_rank_ancestors``: ancestors among all others, by distance;
          the virtual root is no ancestor here.
        - ``map_ancestors_norm_aware``, ``mean_rank_ancestors_norm_aware``: by the score with the
          radii.
        - ``parent_at_1``, ``parent_at_5``, ``parent_tree_distance``: see `parent_metrics`.
        - ``mean_distortion``, ``worst_distortion``, ``distortion_scale``: see
          `PairOrder.distortion`.
        - ``ndcg``, ``ndcg_at_10``: see `TreeGain`.
        - ``cophenetic_leaves``: see `CopheneticCorrelation`.
        - ``level_radius_spearman``: rank correlation of level and radius.
        - ``edges_not_outward``: fraction of edges whose child is not farther out than its parent.
        - ``…_branching``: the metrics of neighbours, ancestors, parents and edges without
          only-child edges.

    Raises:
        MetricError: shapes that do not fit, values that are not finite, a tree without an edge.
    """
    if distances.size != len(tree):
        raise MetricError(f'{distances.size} points do not match a tree of {len(tree)} nodes')
    check_any('edges of the tree', int((tree.parent >= 0).sum()))
    rankings = _rankings(tree, radii, norm_weight)
    pairs, gain = PairOrder(tree, chunk), TreeGain(tree, NDCG_CUTOFFS)
    cophenetic = CopheneticCorrelation(tree)
    parts: list[PairOrder | TreeGain | CopheneticCorrelation | RelevanceRanking]
    parts = [pairs, gain, cophenetic, *rankings.values()]
    for rows, block in distances.blocks(chunk):
        for part in parts:
            part.add(rows, block)
    pairs.sort()
    result = {
        'spearman': pairs.spearman(),
        'spearman_within_sectors': pairs.spearman(within_sectors=True),
        'cophenetic_leaves': cophenetic.result(),
    }
    for name, ranking in rankings.items():
        result[f'map_{name}'] = ranking.mean_average_precision()
        if name.startswith('ancestors'):
            result[f'mean_rank_{name}'] = ranking.mean_rank()
    result |= parent_metrics(distances, tree, chunk=chunk)
    result |= pairs.distortion() | gain.result()
    return result if radii is None else result | _radius_metrics(radii, tree)


def reconstruction_ceiling(tree: Tree, *, norm_weight: float, chunk: int) -> dict[str, float]:
    """Return the metrics, under the same keys, of the exact tree metric and its levels.

    What a faithful table has, and not always the most that a table can have. Distances of real
    tables hardly have ties, so the two rank correlations with D* and the one with the level are
    those of a perfect order whose ties are broken (`spearman_ceiling`): a table with the tree's
    own ties goes above. So can the cophenetic correlation, which is not linear in D*; the
    metrics of ancestors by distance, whose ties are broken at random; and those of the norm-aware
    score at a weight below `EXACT_NORM_WEIGHT`. All others are bounds.
    """
    level = tree.level.to(torch.float64)
    exact = DistanceRows.of_matrix(tree.tree_distance)
    result = reconstruction_from_distances(
        exact, tree, radii=level, norm_weight=norm_weight, chunk=chunk
    )
    pairs, within = _class_sizes(tree, chunk)
    result['spearman'] = spearman_ceiling(pairs)
    result['spearman_within_sectors'] = spearman_ceiling(within)
    result['level_radius_spearman'] = spearman_ceiling(torch.bincount(tree.level).tolist())
    return result


def reconstruction_chance(tree: Tree, *, norm_weight: float, chunk: int) -> dict[str, float]:
    """Return the metrics, under the same keys, of a table with all distances and radii equal.

    Every correlation is 0 there by convention.
    """
    equal = torch.ones((), dtype=torch.float64).expand(len(tree), len(tree))
    result = reconstruction_from_distances(
        DistanceRows.of_matrix(equal),
        tree,
        radii=torch.zeros(len(tree), dtype=torch.float64),
        norm_weight=norm_weight,
        chunk=chunk,
    )
    return {name: 0.0 if math.isnan(value) else value for name, value in result.items()}


def choose_norm_weight(
    distances: DistanceRows,
    tree: Tree,
    *,
    radii: Tensor,
    weights: list[float],
    queries: Tensor,
    chunk: int,
) -> float:
    """Return the w with the best MAP over ancestors, by d(u, a) + w·(r_a − r_u).

    Args:
        distances: distances of the n nodes of ``tree``.
        tree: the tree.
        radii: ``(n,)`` how far out each node is.
        weights: values of w to try; the first of equally good ones is taken.
        queries: positions of the validation nodes, so that the metric is not chosen on the nodes
            it is reported for.
        chunk: rows of the distance matrix computed at a time.

    Raises:
        MetricError: no weight, or no query with an ancestor.
    """
    check_any('weights', len(weights))
    check_index('queries', queries, len(tree))
    check_length('radii', radii, len(tree))
    radii = radii.to(torch.float64)
    rankings = [RelevanceRanking(tree.ancestor_pairs, offset=w * radii) for w in weights]
    for rows, block in distances.blocks(chunk, queries):
        for ranking in rankings:
            ranking.add(rows, block)
    metrics = [ranking.mean_average_precision() for ranking in rankings]
    return weights[metrics.index(max(metrics))]


def _rankings(tree: Tree, radii: Tensor | None, norm_weight: float) -> dict[str, RelevanceRanking]:
    relevant_pairs: dict[str, tuple[tuple[Tensor, Tensor], Tensor | None]] = {
        'neighbours': (tree.neighbour_pairs, None),
        'ancestors': (tree.ancestor_pairs, None),
    }
    if radii is not None:
        check_length('radii', radii, len(tree))
        check_finite('radii', radii)
        # r_u is the same for all candidates of a query and does not change their order.
        outward = norm_weight * radii.to(torch.float64)
        relevant_pairs['ancestors_norm_aware'] = (tree.ancestor_pairs, outward)
    branching = bool((~tree.only_child[tree.parent >= 0]).any())
    rankings: dict[str, RelevanceRanking] = {}
    for name, (relevant, offset) in relevant_pairs.items():
        rankings[name] = RelevanceRanking(relevant, offset=offset)
        if branching:
            rankings[name + BRANCHING] = RelevanceRanking(
                relevant, left_out=tree.chain_pairs, offset=offset
            )
    return rankings


def _radius_metrics(radii: Tensor, tree: Tree) -> dict[str, float]:
    child = torch.nonzero(tree.parent >= 0).squeeze(1)
    inward = (radii[child] <= radii[tree.parent[child]]).to(torch.float64)
    result = {
        'level_radius_spearman': spearman(tree.level, radii),
        'edges_not_outward': float(inward.mean()),
    }
    branching = inward[~tree.only_child[child]]
    if len(branching):
        result['edges_not_outward' + BRANCHING] = float(branching.mean())
    return result


def _class_sizes(tree: Tree, chunk: int) -> tuple[list[int], list[int]]:
    """Return the number of pairs at each tree distance: all of them, and those in one sector."""
    everything = torch.zeros(256, dtype=torch.int64)
    within = torch.zeros(256, dtype=torch.int64)
    for rows in torch.arange(len(tree)).split(chunk):
        edges = tree.tree_distance[rows]
        everything += torch.bincount(edges.flatten(), minlength=256)
        same = tree.sector[rows, None] == tree.sector[None, :]
        within += torch.bincount(edges[same], minlength=256)
    # Each pair was met twice, and each node once with itself, at distance 0.
    everything[0] = within[0] = 0
    return (everything // 2).tolist(), (within // 2).tolist()
