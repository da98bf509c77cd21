"""The metrics of a training epoch: retrieval by kind of query, and the tree on a sample."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from naics_embed.geometry.spaces import Space
from naics_embed.metrics.correlation import spearman
from naics_embed.metrics.retrieval import retrieval_metrics, score_queries
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from naics_embed.training.module import SELECTION

INDEX = 'index'


class Validator:
    """Scores the validation queries of each kind, and the tree on a sample of codes.

    Args:
        targets: kind → int64 ``(m,)``, codes of its queries; the queries to score are in the
            same order, kind after kind.
        taxonomy: the tree.
        supervised: bool ``(n,)``; the supervised leaf codes are the candidates.
        space: returns the geometry of the points; its curvature may change in training.
        sample: codes drawn for the correlation with the tree distance.
        seed: seed of that draw.
    """

    def __init__(
        self,
        targets: Mapping[str, np.ndarray],
        taxonomy: Taxonomy,
        supervised: np.ndarray,
        *,
        space: Callable[[], Space],
        sample: int,
        seed: int,
    ) -> None:
        self.space = space
        self.sizes = {kind: len(part) for kind, part in targets.items()}
        level = taxonomy.level
        self.candidates = torch.from_numpy(np.flatnonzero((level == LEAF_LEVEL) & supervised))
        column = torch.full((len(level),), -1, dtype=torch.int64)
        column[self.candidates] = torch.arange(len(self.candidates))
        self.truth = {kind: column[torch.from_numpy(part)] for kind, part in targets.items()}
        drawn = np.random.default_rng(seed).permutation(np.flatnonzero(supervised))[:sample]
        self.sample = torch.from_numpy(drawn)
        pairs = torch.triu_indices(len(drawn), len(drawn), offset=1)
        self.pairs = (pairs[0], pairs[1])
        edges = torch.from_numpy(taxonomy.tree_distance[np.ix_(drawn, drawn)])
        self.edges = edges[self.pairs].double()

    def __call__(self, queries: Tensor, codes: Tensor) -> dict[str, float]:
        """Return top-1 and MRR by kind, the metric of selection, and the Spearman.

        `SELECTION` is the mean of two MRRs, over index entries and over all plain language, so
        that neither the many entries nor a kind of few queries decides alone.

        Args:
            queries: float64 ``(m, ·)`` points of all queries, kind after kind.
            codes: float64 ``(n, ·)`` points of all codes.
        """
        metrics: dict[str, float] = {}
        space = self.space()
        start = 0
        for kind, size in self.sizes.items():
            points = queries[start : start + size]
            start += size
            scores = -space.pairwise(points, codes[self.candidates])
            scored = retrieval_metrics(score_queries(scores, self.truth[kind]))
            metrics |= {f'validation/{kind}_{name}': scored[name] for name in ('top1', 'mrr')}
        registers = [
            {kind: size for kind, size in self.sizes.items() if (kind == INDEX) is index}
            for index in (True, False)
        ]
        means = [
            sum(size * metrics[f'validation/{kind}_mrr'] for kind, size in sizes.items())
            / sum(sizes.values())
            for sizes in registers
            if sizes
        ]
        metrics[SELECTION] = sum(means) / len(means)
        sampled = codes[self.sample]
        distances = space.pairwise(sampled, sampled)[self.pairs]
        metrics['validation/spearman'] = spearman(self.edges, distances)
        return metrics
