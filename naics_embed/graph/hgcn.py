"""Hyperbolic graph convolution in the Lorentz model, on torch-geometric.

After Chami et al. (HGCN, NeurIPS 2019) and Chen et al. (Fully Hyperbolic Neural Networks, ACL
2022): neighbours send points, a receiver takes their weighted Lorentz centroid (Law et al., ICML
2019) and moves towards it along the geodesic. Each level learns how far, from 0 on: an untrained
network leaves every code where it is. Nothing is normalised, since the radius is the level.

Tables enter and leave as tangent vectors at the origin, whose length is the radius for every
curvature. In between the points lie at a curvature of the network's own, which is learned: it sets
how sharply a mean of far points bends towards the origin.
"""

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import softmax

from naics_embed.errors import ConfigError
from naics_embed.geometry.centroids import grouped_centroid
from naics_embed.geometry.curvature import CURVATURE_RANGE, LearnedCurvature
from naics_embed.geometry.lorentz import distance, exp0, geodesic, log0
from naics_embed.graph.edges import TaxonomyGraph


class LorentzConv(MessagePassing):
    """One step of every code towards the centroid of its neighbours' messages.

    Args:
        dim: width of the table.
        kinds: number of kinds of edges.
        levels: number of levels, each with a step length of its own.
        attention: weight neighbours by their distance too, the nearer the more, by a learned
            factor that starts at 0.
    """

    def __init__(self, dim: int, kinds: int, levels: int, *, attention: bool) -> None:
        super().__init__(aggr='sum', node_dim=0)
        wide = torch.float64
        self.step = nn.Parameter(torch.zeros(levels, dtype=wide))
        self.kind_logit = nn.Parameter(torch.zeros(kinds, dtype=wide))
        self.transform = nn.Parameter(torch.zeros(kinds, dim, dim, dtype=wide))
        self.nearness = nn.Parameter(torch.zeros((), dtype=wide)) if attention else None

    def forward(self, points: Tensor, graph: TaxonomyGraph, level: Tensor, c: Tensor) -> Tensor:
        """Move points, space parts float64 ``(n, dim)``; ``level`` int64 ``(n,)`` from 0 on."""
        tangents = log0(points, c=c)
        mean = self.propagate(
            graph.edges, points=points, tangents=tangents, kind=graph.kind, c=c, size=None
        )
        fraction = torch.tanh(self.step)[level] * graph.hearing
        return geodesic(points, mean, fraction, c=c)

    def message(
        self,
        points_i: Tensor,
        tangents_j: Tensor,
        kind: Tensor,
        c: Tensor,
        index: Tensor,
        size_i: int,
    ) -> Tensor:
        """Return weight and space part of each message, float64 ``(e, 1 + dim)``."""
        moved = torch.empty_like(tangents_j)
        for number, matrix in enumerate(self.transform):
            rows = kind == number
            moved[rows] = tangents_j[rows] + tangents_j[rows] @ matrix
        sent = exp0(moved, c=c)
        logits = self.kind_logit[kind]
        if self.nearness is not None:
            logits = logits - self.nearness * distance(points_i, sent, c=c)
        weights = softmax(logits, index, num_nodes=size_i)
        return torch.cat([weights.unsqueeze(-1), sent], dim=-1)

    def aggregate(self, inputs: Tensor, index: Tensor, dim_size: int, c: Tensor) -> Tensor:
        """Return the weighted Lorentz centroid of each receiver's messages."""
        return grouped_centroid(inputs[:, 1:], inputs[:, 0], index, dim_size, c=c)


class HGCN(nn.Module):
    """A stack of Lorentz convolutions over the taxonomy; the identity until it is trained.

    Args:
        dim: width of the table.
        layers: number of convolutions.
        kinds: number of kinds of edges.
        level: int64 ``(n,)``, level of every code, in any numbering.
        curvature: where the network's own curvature starts.
        attention: see `LorentzConv`.

    Raises:
        ConfigError: there is no layer, or the curvature is out of range.
    """

    level_index: Tensor

    def __init__(
        self,
        dim: int,
        layers: int,
        kinds: int,
        level: Tensor,
        *,
        curvature: float,
        attention: bool,
    ) -> None:
        super().__init__()
        low, high = CURVATURE_RANGE
        if layers < 1:
            raise ConfigError(f'graph.layers must be at least 1, not {layers}')
        if not low <= curvature <= high:
            raise ConfigError(f'curvature must lie in [{low}, {high}], not {curvature}')
        levels, level_index = level.unique(return_inverse=True)
        self.register_buffer('level_index', level_index, persistent=False)
        self.learned_curvature = LearnedCurvature(curvature)
        self.layers = nn.ModuleList(
            LorentzConv(dim, kinds, len(levels), attention=attention) for _ in range(layers)
        )

    @property
    def curvature(self) -> Tensor:
        """c of the space in which messages are averaged; gradient flows to it."""
        return self.learned_curvature()

    def forward(self, tangents: Tensor, graph: TaxonomyGraph) -> Tensor:
        """Refine a table of tangents at the origin, float64 ``(n, dim)`` to the same."""
        c = self.curvature
        points = exp0(tangents.double(), c=c)
        for layer in self.layers:
            points = layer(points, graph, self.level_index, c)
        return log0(points, c=c)
