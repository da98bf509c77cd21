"""What picks the epoch of a refinement: queries by kind, and whether codes find their parent."""

from collections.abc import Mapping

import torch
from torch import Tensor

from naics_embed.errors import ConfigError
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.graph.objective import Queries
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.placement import parent_metrics
from naics_embed.metrics.retrieval import retrieval_metrics, score_queries
from naics_embed.metrics.tree import Tree

SELECTION = 'selection'
CHUNK = 512


class RefinementValidator:
    """Scores tables against fixed validation queries.

    Args:
        queries: kind → validation queries of supervised codes of one level.
        tree: the tree.
        supervised: bool ``(n,)``.
        curvature: c of the table's space.
        tree_weight: weight of parent@1 beside the mean MRR.

    Raises:
        ConfigError: there are no queries.
    """

    def __init__(
        self,
        queries: Mapping[str, Queries],
        tree: Tree,
        supervised: Tensor,
        *,
        curvature: float,
        tree_weight: float,
    ) -> None:
        self.queries = {kind: part for kind, part in queries.items() if len(part)}
        if not self.queries:
            raise ConfigError(
                'there are no validation queries, so no refinement can be chosen: switch on '
                'data.plain_language.validation, or use a source with index entries'
            )
        self.tree = tree
        self.curvature = curvature
        self.tree_weight = tree_weight
        self.supervised = supervised
        self.branching = torch.nonzero(supervised & ~tree.only_child & (tree.parent >= 0)).squeeze(
            1
        )

    def __call__(self, tangents: Tensor) -> dict[str, float]:
        """Return ``KIND_mrr``, ``parent_at_1`` and `SELECTION`, their weighted sum."""
        codes = exp0(tangents.detach().double(), c=self.curvature)
        figures: dict[str, float] = {}
        for kind, part in self.queries.items():
            level = self.tree.level == self.tree.level[part.target[0]]
            candidates = torch.nonzero(level & self.supervised).squeeze(1)
            scores = -pairwise_distance(part.points, codes[candidates], c=self.curvature)
            truth = torch.searchsorted(candidates, part.target)
            figures[f'{kind}_mrr'] = retrieval_metrics(score_queries(scores, truth))['mrr']
        mean = sum(figures.values()) / len(figures)
        figures['parent_at_1'] = parent_metrics(
            DistanceRows.of_space(codes, c=self.curvature),
            self.tree,
            chunk=CHUNK,
            queries=self.branching,
        )['parent_at_1']
        figures[SELECTION] = mean + self.tree_weight * figures['parent_at_1']
        return figures

    def allowed(
        self, figures: Mapping[str, float], before: Mapping[str, float], tolerance: float
    ) -> bool:
        """Whether no kind of query has lost more than ``tolerance`` of its MRR."""
        return all(
            figures[f'{kind}_mrr'] >= before[f'{kind}_mrr'] - tolerance for kind in self.queries
        )
