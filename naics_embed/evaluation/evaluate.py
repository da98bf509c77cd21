"""Every metric of a trained table, beside the baseline or ceiling to compare it with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.evaluation.queries import QueryGroup
from naics_embed.geometry.lorentz import exp0, pairwise_distance, radius
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.health import health_report
from naics_embed.metrics.placement import parent_chance, parent_metrics
from naics_embed.metrics.reconstruction import (
    EXACT_NORM_WEIGHT,
    choose_norm_weight,
    reconstruction_ceiling,
    reconstruction_metrics,
)
from naics_embed.metrics.tree import Tree

CEILING = 'ceiling'
CHANCE = 'chance'
NORM_WEIGHT_STRIDE = 10
"""The norm weight is fitted on every so many supervised codes."""


@dataclass(frozen=True)
class Metric:
    """A metric and what to compare it with.

    Attributes:
        value: what was measured.
        reference: baseline or ceiling; None where there is none.
        reference_name: ``ceiling``, ``chance`` or the name of a baseline.
    """

    value: float
    reference: float | None = None
    reference_name: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of code points.

    Attributes:
        tangents: float64 ``(n, dim)`` at the origin.
        curvature: c > 0.
        r_max: bound of the radius.
        structure_split: ``(n,)`` of ``supervised``, ``validation`` or ``test``.
    """

    tangents: Tensor
    curvature: float
    r_max: float
    structure_split: Sequence[str]

    @property
    def points(self) -> Tensor:
        """Space parts, float64 ``(n, dim)``."""
        return exp0(self.tangents.double(), c=self.curvature)


def retrieval_metrics(
    table: Table,
    groups: Sequence[QueryGroup],
    points: Sequence[Tensor],
    tree: Tree,
    baselines: Mapping[str, Mapping[str, float]],
) -> dict[str, Metric]:
    """Score queries by distance to the candidates, each metric beside the best baseline.

    Args:
        table: the codes.
        groups: held-out queries.
        points: float64 ``(q, dim)`` space parts of each group's queries.
        tree: the tree.
        baselines: name → metrics under the same keys.
    """
    codes = table.points
    result: dict[str, Metric] = {}
    for group, queries in zip(groups, points, strict=True):
        scores = -pairwise_distance(queries, codes[group.candidates], c=table.curvature)
        for key, value in group.metrics(scores, tree).items():
            result[key] = beside(key, value, baselines)
    return result


def norm_weight_of(table: Table, tree: Tree, weights: Sequence[float], *, chunk: int) -> float:
    """Return the weight of the radius in the norm-aware ancestor score that suits a table.

    It is fitted on a tenth of the supervised codes; hidden ones are too few, and embedded by text
    alone.
    """
    supervised = [code for code, split in enumerate(table.structure_split) if split == 'supervised']
    points = table.points
    return choose_norm_weight(
        DistanceRows.of_space(points, c=table.curvature),
        tree,
        radii=radius(points, c=table.curvature),
        weights=list(weights),
        queries=torch.tensor(supervised[::NORM_WEIGHT_STRIDE]),
        chunk=chunk,
    )


def tree_metrics(
    table: Table, tree: Tree, *, norm_weights: Sequence[float], chunk: int
) -> dict[str, Metric]:
    """Return the tree diagnostics of all codes and of the supervised ones, beside their ceilings.

    Keys are ``tree/metric`` for the whole table as shipped, where hidden codes are embedded by
    text alone, and ``tree/supervised_metric`` without those. ``tree/norm_weight`` is
    the `norm_weight_of` the table; the exact tree, the ceiling, has its own, 1.
    """
    norm_weight = norm_weight_of(table, tree, norm_weights, chunk=chunk)
    supervised = torch.tensor([split == 'supervised' for split in table.structure_split])
    result = {'tree/norm_weight': Metric(norm_weight)}
    for prefix, chosen in (('', torch.ones_like(supervised)), ('supervised_', supervised)):
        part = subtree(tree, chosen)
        metrics = reconstruction_metrics(
            table.points[chosen], part, c=table.curvature, norm_weight=norm_weight, chunk=chunk
        )
        ceiling = reconstruction_ceiling(part, norm_weight=EXACT_NORM_WEIGHT, chunk=chunk)
        result |= {
            f'tree/{prefix}{name}': Metric(value, ceiling.get(name), CEILING)
            for name, value in metrics.items()
        }
    return result


def holdout_metrics(table: Table, tree: Tree, *, chunk: int) -> dict[str, Metric]:
    """Return whether hidden chains, embedded by text alone, are nearest to their parent.

    Keys are ``validation/holdout_parent_at_1`` and so on, scored for the top of each hidden chain
    among all codes one level up, beside chance.
    """
    rows = DistanceRows.of_space(table.points, c=table.curvature)
    result: dict[str, Metric] = {}
    for split in ('validation', 'test'):
        tops = [
            code
            for code, structure in enumerate(table.structure_split)
            if structure == split and table.structure_split[int(tree.parent[code])] == 'supervised'
        ]
        if tops:
            queries = torch.tensor(tops)
            metrics = parent_metrics(rows, tree, chunk=chunk, queries=queries)
            chance = parent_chance(tree, chunk=chunk, queries=queries)
            result |= {
                f'{split}/holdout_{name}': Metric(value, chance.get(name), CHANCE)
                for name, value in metrics.items()
            } | {f'{split}/holdout_chains': Metric(float(len(tops)))}
    return result


def health_metrics(table: Table, tree: Tree) -> dict[str, Metric]:
    """Return the health of the table as ``health/metric``."""
    report = health_report(table.points, c=table.curvature, level=tree.level, r_max=table.r_max)
    return {f'health/{name}': Metric(value) for name, value in report.items()}


def subtree(tree: Tree, chosen: Tensor) -> Tree:
    """Return the tree of the chosen nodes, bool ``(n,)``; a chosen node's parent must be chosen."""
    kept = chosen.nonzero().squeeze(1)
    position = torch.full((len(chosen) + 1,), -1, dtype=torch.int64)
    position[kept] = torch.arange(len(kept))
    return Tree(
        level=tree.level[kept],
        parent=position[tree.parent[kept]],
        sector=tree.sector[kept],
        tree_distance=tree.tree_distance[kept][:, kept].contiguous(),
    )


def beside(
    key: str, value: float, baselines: Mapping[str, Mapping[str, float]], *, prefix: str = ''
) -> Metric:
    """Return a metric beside the best baseline.

    Args:
        key: ``split/metric`` of the metric.
        value: the metric.
        baselines: name → metrics.
        prefix: prefix of the metric's name that those of the baselines lack.
    """
    if key.endswith(('_se', 'queries')):
        return Metric(value)
    plain = key.replace(f'/{prefix}', '/', 1)
    of_baselines = {name: metrics[plain] for name, metrics in baselines.items() if plain in metrics}
    if not of_baselines:
        return Metric(value)
    best = max(of_baselines, key=lambda name: of_baselines[name])
    return Metric(value, of_baselines[best], best)
