"""The shape of a table: radii, distances between groups of codes, distances by tree distance."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.report.contents import CodeTable
from naics_embed.taxonomy import LEVELS

GROUP_LEVEL = 4
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class GroupDistances:
    """Mean distances between the leaves of groups, in the order of the taxonomy.

    Attributes:
        groups: int64 ``(g,)``, positions of the four-digit codes.
        geodesic: float64 ``(g, g)``, mean over pairs of different leaves; 0 where there are none.
        tree: float64 ``(g, g)``, the same of D*.
        scale: geodesic length of an edge of D* that fits best, by least squares.
    """

    groups: np.ndarray
    geodesic: np.ndarray
    tree: np.ndarray
    scale: float

    @property
    def excess(self) -> np.ndarray:
        """How much farther than the tree says, float64 ``(g, g)``; negative where nearer."""
        return self.geodesic - self.scale * self.tree


@dataclass(frozen=True)
class StepDistances:
    """Quantiles of the geodesic distance of all pairs at one tree distance.

    Attributes:
        step: D*.
        pairs: how many.
        quantiles: at `QUANTILES`.
    """

    step: int
    pairs: int
    quantiles: tuple[float, ...]


def distances(table: CodeTable) -> Tensor:
    """Return the geodesic distances of all codes, float64 ``(n, n)``."""
    points = exp0(table.tangents.double(), c=table.curvature)
    return pairwise_distance(points, points, c=table.curvature)


def group_distances(table: CodeTable, away: Tensor) -> GroupDistances:
    """Average distances over the six-digit codes of each pair of four-digit codes."""
    taxonomy = table.taxonomy
    groups = taxonomy.at_level(GROUP_LEVEL)
    leaves = taxonomy.at_level(LEVELS[-1])
    group_of_leaf = taxonomy.ancestors[leaves, GROUP_LEVEL - LEVELS[0]]
    member = torch.from_numpy((groups[:, None] == group_of_leaf[None, :]).astype(np.float64))
    index = torch.from_numpy(leaves)
    size = member.sum(dim=1)
    pairs = size[:, None] * size[None, :] - torch.diag(size)
    tree = torch.from_numpy(taxonomy.tree_distance[np.ix_(leaves, leaves)].astype(np.float64))
    # A point is at rounding distance from itself, and is no pair.
    geodesic = away[index][:, index].clone().fill_diagonal_(0.0)
    means = [
        (member @ matrix @ member.T / pairs.clamp_min(1)).numpy() for matrix in (geodesic, tree)
    ]
    scale = float((geodesic * tree).sum() / tree.square().sum().clamp_min(1))
    return GroupDistances(groups, means[0], means[1], scale)


def near_across_sectors(table: CodeTable, distances: GroupDistances, count: int) -> list[dict]:
    """Return the pairs of groups of different sectors that lie nearest, as names and distance."""
    sector = table.taxonomy.sector[distances.groups]
    rows, columns = np.triu_indices(len(distances.groups), k=1)
    across = sector[rows] != sector[columns]
    rows, columns = rows[across], columns[across]
    order = np.argsort(distances.geodesic[rows, columns], kind='stable')[:count]
    codes = table.taxonomy.codes
    return [
        {
            'first': table.name(codes[distances.groups[rows[at]]]),
            'second': table.name(codes[distances.groups[columns[at]]]),
            'distance': float(distances.geodesic[rows[at], columns[at]]),
        }
        for at in order
    ]


def distances_by_step(table: CodeTable, away: Tensor) -> list[StepDistances]:
    """Return the quantiles of the geodesic distance for each value of D*."""
    rows, columns = np.triu_indices(len(table.taxonomy), k=1)
    tree = table.taxonomy.tree_distance[rows, columns]
    geodesic = away.numpy()[rows, columns]
    result = []
    for step in np.unique(tree):
        pairs = geodesic[tree == step]
        quantiles = tuple(float(value) for value in np.quantile(pairs, QUANTILES))
        result.append(StepDistances(int(step), len(pairs), quantiles))
    return result


def radii(table: CodeTable) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return level → radii of its supervised codes, and of its hidden ones."""
    radius = table.tangents.norm(dim=-1).numpy()
    level = table.taxonomy.level
    return {
        int(each): (
            radius[(level == each) & table.supervised],
            radius[(level == each) & ~table.supervised],
        )
        for each in LEVELS
        if (level == each).any()
    }
