"""Hyperbolic graph convolution in the Lorentz model.

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

from naics_embed.errors import ConfigError
from naics_embed.geometry.curvature import CURVATURE_RANGE, LearnedCurvature
from naics_embed.geometry.indexed import grouped_centroid, indexed_distance
from naics_embed.geometry.lorentz import exp0, geodesic, log0
from naics_embed.graph.edges import TaxonomyGraph


class LorentzConv(nn.Module):
    """One step of every code towards the centroid of its neighbours' messages.

    Args:
        dim: width of the table.
        kinds: number of kinds of edges.
        levels: number of levels, each with a step length of its own.
        attention: weight neighbours by their distance too, the nearer the more, by a learned
            factor that starts at 0.
    """

    def __init__(self, dim: int, kinds: int, levels: int, *, attention: bool) -> None:
        super().__init__()
        wide = torch.float64
        self.step = nn.Parameter(torch.zeros(levels, dtype=wide))
        self.kind_logit = nn.Parameter(torch.zeros(kinds, dtype=wide))
        self.transform = nn.Parameter(torch.zeros(kinds, dim, dim, dtype=wide))
        self.nearness = nn.Parameter(torch.zeros((), dtype=wide)) if attention else None

    def forward(self, points: Tensor, graph: TaxonomyGraph, level: Tensor, c: Tensor) -> Tensor:
        """Move points, space parts float64 ``(n, dim)``; ``level`` int64 ``(n,)`` from 0 on."""
        # At unit curvature nothing as large as the messages has to be scaled.
        scale = c.sqrt()
        unit = scale * points
        tangents = log0(unit, c=1.0)
        # A code sends one message of each kind, whoever receives it.
        maps = self.transform + torch.eye(points.shape[1], dtype=points.dtype)
        sent = exp0(tangents.expand(len(maps), -1, -1).bmm(maps).flatten(0, 1), c=1.0)
        receiver = graph.edges[1]
        logits = self.kind_logit[graph.kind]
        if self.nearness is not None:
            far = indexed_distance(unit, sent, receiver, graph.message, c=1.0)
            logits = logits - self.nearness / scale * far
        weights = grouped_softmax(logits, receiver, graph.size)
        mean = grouped_centroid(sent, weights, graph.message, receiver, graph.size, c=1.0)
        fraction = torch.tanh(self.step)[level] * graph.hearing
        return geodesic(unit, mean, fraction, c=1.0) / scale


def grouped_softmax(logits: Tensor, index: Tensor, size: int) -> Tensor:
    """Softmax among the values that have one index: ``(m,)`` to the same.

    Args:
        logits: ``(m,)``.
        index: int64 ``(m,)``, the group of each.
        size: number of groups.
    """
    highest = logits.new_full((size,), -torch.inf).scatter_reduce_(
        0, index, logits.detach(), 'amax'
    )
    raised = (logits - highest[index]).exp()
    return raised / logits.new_zeros(size).index_add(0, index, raised)[index]


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
