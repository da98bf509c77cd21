"""The control that a graph network must beat: each code a step towards its parent and children."""

import torch
from torch import Tensor

from naics_embed.geometry.indexed import grouped_centroid
from naics_embed.geometry.lorentz import exp0, geodesic, log0
from naics_embed.graph.edges import TaxonomyGraph


def smooth(tangents: Tensor, graph: TaxonomyGraph, fraction: float, *, c: float) -> Tensor:
    """Move every code a fraction of the way to the Lorentz centroid of its neighbours.

    Args:
        tangents: ``(n, dim)`` at the origin.
        graph: the edges; each counts the same, whatever its kind.
        fraction: 0 leaves the table as it is, 1 puts each code at the centroid.
        c: curvature is −c.

    Returns:
        float64 ``(n, dim)``; codes without neighbours stay where they are.
    """
    points = exp0(tangents.double(), c=c)
    sender, receiver = graph.edges
    weights = torch.ones(len(sender), dtype=torch.float64)
    curvature = torch.tensor(c, dtype=torch.float64)
    mean = grouped_centroid(points, weights, sender, receiver, graph.size, c=curvature)
    return log0(geodesic(points, mean, fraction * graph.hearing.double(), c=c), c=c)
