"""Figures of a run, as matplotlib figures; the caller saves or logs them."""

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.metrics.tree import Tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

SIZE = (7.0, 4.0)


def radius_by_level(tangents: Tensor, tree: Tree) -> 'Plot':
    """Plot the distance from the origin of the codes of each level.

    Args:
        tangents: ``(n, dim)`` at the origin.
        tree: the tree.
    """
    radius = tangents.norm(dim=-1)
    levels = tree.level.unique().tolist()
    plot = _plot(*SIZE)
    axes = plot.subplots()
    axes.boxplot(
        [radius[tree.level == level].numpy() for level in levels],
        tick_labels=[str(level) for level in levels],
    )
    axes.set_xlabel('digits of the code')
    axes.set_ylabel('distance from the origin')
    axes.grid(alpha=0.3)
    return plot


def distance_by_tree_distance(
    tangents: Tensor, tree: Tree, *, curvature: float, sample: int, seed: int
) -> 'Plot':
    """Plot geodesic distance against tree distance, for the pairs of a sample of codes.

    Args:
        tangents: ``(n, dim)`` at the origin.
        tree: the tree.
        curvature: c > 0.
        sample: codes drawn.
        seed: seed of the draw.
    """
    drawn = np.random.default_rng(seed).permutation(len(tree.level))[:sample]
    points = exp0(tangents.double()[drawn], c=curvature)
    rows, columns = np.triu_indices(len(drawn), k=1)
    distances = pairwise_distance(points, points, c=curvature).numpy()[rows, columns]
    edges = tree.tree_distance.numpy()[np.ix_(drawn, drawn)][rows, columns]
    steps = np.unique(edges)
    plot = _plot(*SIZE)
    axes = plot.subplots()
    axes.boxplot(
        [distances[edges == step] for step in steps],
        tick_labels=[str(step) for step in steps],
        showfliers=False,
    )
    axes.set_xlabel('tree distance D*')
    axes.set_ylabel('geodesic distance')
    axes.grid(alpha=0.3)
    return plot


def _plot(width: float, height: float) -> 'Plot':
    # Loaded where something is drawn: a run that finds its stages cached draws nothing.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained')
