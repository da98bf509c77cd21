"""The terms of refinement: the tree, the radius by level, and fixed queries."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from naics_embed.geometry.indexed import indexed_distance
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.losses.radius import radius_huber
from naics_embed.losses.retrieval import level_cross_entropy
from naics_embed.losses.stress import tree_stress
from naics_embed.losses.triplet import triplet_hinge
from naics_embed.supervision.sampling import Triplets

TERMS = ('triplet', 'radius', 'stress', 'anchor')


@dataclass(frozen=True, eq=False)
class Queries:
    """Texts as fixed points.

    Attributes:
        points: float64 ``(m, dim)``, space parts in the space of the table.
        target: int64 ``(m,)``, positions of their codes.
    """

    points: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, eq=False)
class Objective:
    """The terms of refinement, in the fixed space that queries and codes share.

    Attributes:
        curvature: c > 0 of that space.
        temperature: factor on the distance in the cross-entropy, from text training.
        level: int64 ``(n,)``.
        supervised: bool ``(n,)``; hidden codes enter no term.
        tree_distance: uint8 ``(n, n)``, D*.
        usual_radius: float64 ``(n,)``, the radius that each code's level had before.
        huber_delta: see `losses.radius.radius_huber`.
    """

    curvature: float
    temperature: float
    level: Tensor
    supervised: Tensor
    tree_distance: Tensor
    usual_radius: Tensor
    huber_delta: float

    def losses(
        self, tangents: Tensor, queries: Queries, triplets: Triplets, drawn: Tensor
    ) -> dict[str, Tensor]:
        """Return each of `TERMS` for a refined table.

        Args:
            tangents: float64 ``(n, dim)``.
            queries: training queries of this step.
            triplets: triplets of this step.
            drawn: int64 ``(k,)``, supervised codes all pairs of which enter the stress.
        """
        codes = exp0(tangents, c=self.curvature)
        anchor, positive, negative = (
            torch.from_numpy(index.astype(np.int64))
            for index in (triplets.anchor, triplets.positive, triplets.negative)
        )
        chosen = self.supervised
        # Codes of other levels are no candidates, and distances to them would only cost time.
        at_level = torch.isin(self.level, self.level[queries.target].unique())
        ranked = torch.nonzero(at_level & chosen).squeeze(1)
        apart = torch.triu(torch.ones(len(drawn), len(drawn), dtype=torch.bool), diagonal=1)
        return {
            'triplet': triplet_hinge(
                indexed_distance(codes, codes, anchor, positive, c=self.curvature),
                indexed_distance(codes, codes, anchor, negative, c=self.curvature),
                torch.from_numpy(triplets.margin.astype(np.float64)),
            ),
            'radius': radius_huber(
                tangents[chosen].norm(dim=-1),
                self.usual_radius[chosen],
                self.level[chosen],
                self.huber_delta,
            ),
            'stress': tree_stress(
                pairwise_distance(codes[drawn], codes[drawn], c=self.curvature)[apart],
                self.tree_distance[drawn][:, drawn][apart].double(),
            ),
            'anchor': level_cross_entropy(
                pairwise_distance(
                    queries.points, codes[ranked], c=self.curvature, dtype=torch.float32
                ),
                torch.searchsorted(ranked, queries.target),
                self.level[ranked],
                torch.ones_like(ranked, dtype=torch.bool),
                self.temperature,
            ).double(),
        }
