"""What picks the epoch of a refinement: queries by kind, and the tree on a sample of codes."""

from collections.abc import Mapping

import torch
from torch import Tensor

from naics_embed.errors import ConfigError
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.graph.losses import Queries
from naics_embed.metrics.correlation import spearman
from naics_embed.metrics.retrieval import retrieval_metrics, score_queries
from naics_embed.metrics.tree import Tree

SELECTION = 'selection'
SAMPLE = 512


class RefinementValidator:
    """Scores tables against fixed validation queries.

    Args:
        queries: kind → validation queries of supervised codes of one level.
        tree: the tree.
        supervised: bool ``(n,)``.
        curvature: c of the table's space.
        tree_weight: weight of the Spearman of distance with D* beside the mean MRR.

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
        positions = torch.nonzero(supervised).squeeze(1)
        draw = torch.randperm(len(positions), generator=torch.Generator().manual_seed(0))
        self.sample = positions[draw[:SAMPLE]]
        self.pairs = torch.triu_indices(len(self.sample), len(self.sample), offset=1).unbind()
        self.edges = tree.tree_distance[self.sample][:, self.sample][self.pairs].double()

    def __call__(self, tangents: Tensor) -> dict[str, float]:
        """Return ``KIND_mrr``, ``spearman`` and `SELECTION`, their weighted sum."""
        codes = exp0(tangents.detach().double(), c=self.curvature)
        metrics: dict[str, float] = {}
        for kind, part in self.queries.items():
            level = self.tree.level == self.tree.level[part.target[0]]
            candidates = torch.nonzero(level & self.supervised).squeeze(1)
            scores = -pairwise_distance(part.points, codes[candidates], c=self.curvature)
            truth = torch.searchsorted(candidates, part.target)
            metrics[f'{kind}_mrr'] = retrieval_metrics(score_queries(scores, truth))['mrr']
        mean = sum(metrics.values()) / len(metrics)
        sampled = codes[self.sample]
        distances = pairwise_distance(sampled, sampled, c=self.curvature)[self.pairs]
        metrics['spearman'] = spearman(self.edges, distances)
        metrics[SELECTION] = mean + self.tree_weight * metrics['spearman']
        return metrics

    def allowed(
        self,
        metrics: Mapping[str, float],
        before: Mapping[str, float],
        tolerance: float,
        tree_tolerance: float,
    ) -> bool:
        """Whether no kind of query has lost more MRR, and the tree no more Spearman, than that."""
        return metrics['spearman'] >= before['spearman'] - tree_tolerance and all(
            metrics[f'{kind}_mrr'] >= before[f'{kind}_mrr'] - tolerance for kind in self.queries
        )
