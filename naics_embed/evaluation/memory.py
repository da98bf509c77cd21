"""Codes ranked by distance with a memory: to their points, and to their training texts.

The score of code c for a query is linear in two distances of one space,

    s(c) = −β·d(code) − ρ·D(c) + κ·log n(c),

with D the soft minimum over its texts (`geometry.soft_minimum`) and n(c) their number. One common
soft minimum over point and texts is worse: a point lies where its texts are dense, texts are spread
around it, and so one sharpness cannot serve both. β, ρ and κ are fitted on queries that are not in
the memory, as those of validation: training texts lie nearer to their own codes than others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace

import torch
from torch import Tensor

from naics_embed.evaluation.evaluate import Metric, Table, beside
from naics_embed.evaluation.queries import HOLDOUT_PREFIX, QueryGroup
from naics_embed.geometry.lorentz import pairwise_distance
from naics_embed.geometry.soft_minimum import nearest_texts, soft_minimum
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import LEAF_LEVEL

PREFIX = 'memory_'
NEAREST = 128
"""Known texts of a query that are counted; what is farther weighs nothing at a fitted sharpness."""
SHARPNESS = 30.0
"""b of the soft minimum; 6 and 12 are worse, and more is no better."""
START = (15.0, 1.0, 0.0)
"""Weights where the fit begins; it is convex."""
ITERATIONS = 30


@dataclass(frozen=True)
class MemoryWeights:
    """The fitted weights.

    Attributes:
        code: β, of the distance to the code's point.
        texts: ρ, of the distance from its texts.
        number: κ, of the log of their number.
    """

    code: float
    texts: float
    number: float


@dataclass(frozen=True)
class Memory:
    """Points of codes and of known texts, in one space.

    Attributes:
        codes: float64 ``(k, dim)``, space parts of the candidates.
        texts: float64 ``(m, dim)``, space parts of known texts.
        column: int64 ``(m,)``, the candidate of each text.
        c: the space has curvature −c.
        nearest: how many texts of a query are counted.
    """

    codes: Tensor
    texts: Tensor
    column: Tensor
    c: float
    nearest: int = NEAREST

    def features(self, queries: Tensor) -> Tensor:
        """Return what the score is linear in, −d, −D and log n, float32 ``(q, k, 3)``.

        Args:
            queries: float64 ``(q, dim)``, space parts.
        """
        near = nearest_texts(queries, self.texts, self.nearest, c=self.c)
        size = len(self.codes)
        of_code = pairwise_distance(queries, self.codes, c=self.c, dtype=torch.float32)
        of_texts = soft_minimum(near.distance, self.column[near.row], size, sharpness=SHARPNESS)
        number = torch.bincount(self.column, minlength=size).clamp_min(1).float().log()
        return torch.stack([-of_code, -of_texts, number.expand_as(of_code)], dim=-1)

    def scores(self, queries: Tensor, weights: MemoryWeights) -> Tensor:
        """Return the scores of the candidates, float32 ``(q, k)``, larger is nearer."""
        return self.features(queries) @ torch.tensor(astuple(weights))


def fit_memory(features: Sequence[Tensor], truth: Sequence[Tensor]) -> MemoryWeights:
    """Fit the weights by maximum likelihood; each group of queries counts the same.

    Args:
        features: `Memory.features` of groups of queries that are not in the memory.
        truth: int64 ``(q,)`` of each group, columns of the right codes.
    """
    weights = torch.tensor(START, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=ITERATIONS, line_search_fn='strong_wolfe')

    def loss() -> Tensor:
        optimiser.zero_grad()
        losses = [
            torch.nn.functional.cross_entropy(group @ weights, right)
            for group, right in zip(features, truth, strict=True)
        ]
        total = torch.stack(losses).mean()
        total.backward()
        return total

    optimiser.step(loss)
    return MemoryWeights(*weights.detach().tolist())


@dataclass(frozen=True)
class KnownPoints:
    """Training texts of six-digit codes in the trained space.

    Attributes:
        points: float64 ``(m, dim)``, space parts.
        codes: int64 ``(m,)``, positions of their codes.
    """

    points: Tensor
    codes: Tensor


def memory_metrics(
    table: Table,
    groups: Sequence[QueryGroup],
    points: Sequence[Tensor],
    known: KnownPoints,
    tree: Tree,
    baselines: Mapping[str, Mapping[str, float]],
) -> dict[str, Metric]:
    """Score queries of six-digit codes by distance with a memory, beside the best baseline.

    Args:
        table: the codes.
        groups: held-out queries; weights are fitted on the groups of validation.
        points: float64 ``(q, dim)`` space parts of each group's queries.
        known: the memory; it has no held-out query.
        tree: the tree.
        baselines: name → metrics under the same keys.

    Returns:
        ``split/memory_metric`` of each group, and the weights as ``memory/…``; empty without
        known texts or without validation queries to fit on.
    """
    of_leaves = [
        (group, queries)
        for group, queries in zip(groups, points, strict=True)
        if int(tree.level[group.candidates[0]]) == LEAF_LEVEL
    ]
    fitting = [
        i
        for i, (group, _) in enumerate(of_leaves)
        if group.split == 'validation' and not group.prefix.startswith(HOLDOUT_PREFIX)
    ]
    if not fitting or not len(known.points):
        return {}
    candidates = of_leaves[0][0].candidates
    column = torch.searchsorted(candidates, known.codes)
    memory = Memory(table.points[candidates], known.points, column, table.curvature)
    features = [memory.features(queries) for _, queries in of_leaves]
    truth = [torch.searchsorted(candidates, group.target) for group, _ in of_leaves]
    weights = fit_memory([features[i] for i in fitting], [truth[i] for i in fitting])
    result = {
        'memory/weight_code': Metric(weights.code),
        'memory/weight_texts': Metric(weights.texts),
        'memory/weight_number': Metric(weights.number),
        'memory/texts': Metric(float(len(known.points))),
    }
    linear = torch.tensor(astuple(weights))
    for (group, _), of_group in zip(of_leaves, features, strict=True):
        named = replace(group, prefix=f'{PREFIX}{group.prefix}')
        for key, value in named.metrics(of_group @ linear, tree).items():
            result[key] = beside(key, value, baselines, prefix=PREFIX)
    return result
