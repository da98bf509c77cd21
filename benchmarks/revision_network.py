"""A hyperbolic graph network that places new codes: by their titles, and the codes around them.

It learns on the earlier edition. In each step some families are hidden: their codes come as the
ridge places them by their titles, and the network moves them towards what it hears from parent,
children and siblings. Its loss is where they were trained to lie, and training queries: as many of
the hidden six-digit codes as of all codes, which hidden ones are not to draw to themselves. The
start counts as an epoch, so that the network can leave the ridge as it is.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from naics_embed.config.refinement import GraphConfig
from naics_embed.geometry.lorentz import distance, exp0, pairwise_distance
from naics_embed.graph.edges import TaxonomyGraph
from naics_embed.graph.hgcn import HGCN
from naics_embed.graph.losses import Queries
from naics_embed.losses.retrieval import level_cross_entropy
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from naics_embed.text.placement import at_level_radius, follow_known_codes

log = logging.getLogger('naics_embed.benchmarks.revision')

KINDS = ('parent', 'child', 'sibling')
HIDDEN = {3: 3, 4: 6, 5: 12, 6: 30}
"""Digits → families that a step hides, whole, with the only-child chains that they belong to."""
SET_ASIDE = 0.1
"""Fraction of the subsectors whose codes choose the epoch, and are hidden in no step."""
DRAWS = 3
"""Draws of hidden families among those by which an epoch is judged."""


@dataclass(frozen=True, eq=False)
class Known:
    """A trained table, and what its codes' titles give.

    Attributes:
        taxonomy: the tree.
        supervised: bool ``(n,)``, codes whose tangents were trained.
        tangents: float64 ``(n, dim)``.
        by_text: float64 ``(n, dim)``, tangents of the titles by the trained head.
        curvature: c of the space.
        temperature: factor on the distance, from text training.
        ridge: see `naics_embed.text.placement.follow_known_codes`.
        queries: training queries of supervised six-digit codes.
    """

    taxonomy: Taxonomy
    supervised: Tensor
    tangents: Tensor
    by_text: Tensor
    curvature: float
    temperature: float
    ridge: float
    queries: Queries

    @property
    def level(self) -> Tensor:
        """int64 ``(n,)``: digits of the codes."""
        return torch.from_numpy(self.taxonomy.level.astype(np.int64))


def by_ridge(
    by_text: Tensor, tangents: Tensor, level: Tensor, known: Tensor, ridge: float
) -> Tensor:
    """Return the table with unknown codes where the pipeline places codes without supervision."""
    placed = follow_known_codes(by_text, tangents, level, known, ridge=ridge)
    return at_level_radius(placed, level, known)


def heard_by(graph: TaxonomyGraph, moved: Tensor) -> TaxonomyGraph:
    """Return the edges towards the codes that move, bool ``(n,)``: all others stay."""
    kept = moved[graph.edges[1]]
    return replace(graph, edges=graph.edges[:, kept], kind=graph.kind[kept])


def graph_of(taxonomy: Taxonomy) -> TaxonomyGraph:
    """Return the graph of all codes."""
    return TaxonomyGraph.of(taxonomy, np.ones(len(taxonomy), dtype=bool), KINDS)


class Network:
    """The trained network.

    Args:
        dim: of the table.
        curvature: c of its space.
        settings: layers, attention, and how it is trained.
        seed: of every draw.
    """

    def __init__(self, dim: int, curvature: float, settings: GraphConfig, seed: int) -> None:
        self.dim, self.curvature, self.settings, self.seed = dim, curvature, settings, seed
        self.state: dict[str, Tensor] = {}
        self.history: list[float] = []
        self.best_epoch = 0

    def place(self, taxonomy: Taxonomy, start: Tensor, moved: Tensor) -> Tensor:
        """Return a table with some codes moved by what the network hears of their neighbours.

        Args:
            taxonomy: any edition.
            start: float64 ``(n, dim)``, with a first place for the codes to move.
            moved: bool ``(n,)``.
        """
        model = self._model(taxonomy)
        model.load_state_dict(self.state)
        with torch.no_grad():
            return model(start, heard_by(graph_of(taxonomy), moved))

    def fit(self, known: Known) -> None:
        """Train on hidden families of a trained table; keep the best epoch, 0 for the start."""
        settings = self.settings
        model = self._model(known.taxonomy)
        named = dict(model.named_parameters())
        curvature = named.pop('learned_curvature.log_curvature')
        optimiser = torch.optim.AdamW(
            [
                {'params': list(named.values())},
                {'params': [curvature], 'lr': settings.lr_curvature},
            ],
            lr=settings.lr,
            weight_decay=settings.weight_decay,
        )
        graph = graph_of(known.taxonomy)
        random = np.random.default_rng(self.seed)
        aside = _set_aside(known.taxonomy, random)
        draws = [np.random.default_rng([self.seed, draw]) for draw in range(DRAWS)]
        judged = [
            (hidden, self._queries_of(known, hidden, draw))
            for draw in draws
            for hidden in [hidden_families(known, aside, draw)]
        ]

        @torch.no_grad()
        def judge() -> float:
            losses = [self._loss(model, known, graph, *each) for each in judged]
            return float(torch.stack(losses).mean())

        best = judge()
        self.history = [best]
        self.state = {name: value.clone() for name, value in model.state_dict().items()}
        for epoch in range(1, settings.max_epochs + 1):
            for _ in range(settings.steps):
                hidden = hidden_families(known, ~aside, random)
                rows = self._queries_of(known, hidden, random)
                loss = self._loss(model, known, graph, hidden, rows)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
                optimiser.step()
                model.learned_curvature.hold()
            self.history.append(judge())
            log.info('network, epoch %d: %.4f, at the start %.4f', epoch, self.history[-1], best)
            if self.history[-1] < min(self.history[:-1]):
                self.best_epoch = epoch
                self.state = {name: value.clone() for name, value in model.state_dict().items()}
            elif epoch - self.best_epoch >= settings.patience:
                break

    def _model(self, taxonomy: Taxonomy) -> HGCN:
        return HGCN(
            self.dim,
            self.settings.layers,
            len(KINDS),
            torch.from_numpy(taxonomy.level.astype(np.int64)),
            curvature=self.curvature,
            attention=self.settings.attention,
        )

    def _queries_of(self, known: Known, hidden: Tensor, random: np.random.Generator) -> Tensor:
        """Draw queries, half of hidden codes and half of all, int64 ``(m,)``."""
        half = self.settings.queries // 2
        rows = hidden[known.queries.target].nonzero().squeeze(1)
        rows = rows[torch.from_numpy(random.permutation(len(rows))[:half])]
        return torch.cat([rows, torch.from_numpy(random.permutation(len(known.queries))[:half])])

    def _loss(
        self, model: HGCN, known: Known, graph: TaxonomyGraph, hidden: Tensor, rows: Tensor
    ) -> Tensor:
        """Return squared distance from the trained place, plus cross-entropy of the queries."""
        c, level = known.curvature, known.level
        start = by_ridge(
            known.by_text, known.tangents, level, known.supervised & ~hidden, known.ridge
        )
        start = torch.where(hidden[:, None], start, known.tangents)
        points = exp0(model(start, heard_by(graph, hidden)), c=c)
        away = distance(points[hidden], exp0(known.tangents[hidden], c=c), c=c)
        result = away.square().mean()
        if len(rows):
            leaves = ((level == LEAF_LEVEL) & known.supervised).nonzero().squeeze(1)
            far = pairwise_distance(known.queries.points[rows], points[leaves], c=c)
            right = torch.searchsorted(leaves, known.queries.target[rows])
            every = torch.ones(len(leaves), dtype=torch.bool)
            result = result + self.settings.anchor * level_cross_entropy(
                far, right, level[leaves], every, known.temperature
            )
        return result


def hidden_families(known: Known, among: np.ndarray, random: np.random.Generator) -> Tensor:
    """Draw codes to hide, bool ``(n,)``: families of every level, as a revision brings them.

    Args:
        known: the table; only supervised codes are hidden.
        among: bool ``(n,)``, codes that may be drawn.
        random: of the draw.
    """
    taxonomy = known.taxonomy
    chosen = np.zeros(len(taxonomy), dtype=bool)
    for level, count in HIDDEN.items():
        tops = np.unique(taxonomy.chain[taxonomy.at_level(level)])
        tops = tops[among[tops] & (taxonomy.parent[tops] >= 0)]
        drawn = random.choice(tops, min(len(tops), max(1, round(count * among.mean()))), False)
        chosen[drawn] = True
    for position, parent in enumerate(taxonomy.parent.tolist()):
        chosen[position] |= parent >= 0 and chosen[parent]
    return torch.from_numpy(chosen) & known.supervised


def _set_aside(taxonomy: Taxonomy, random: np.random.Generator) -> np.ndarray:
    """Return the codes of some subsectors, bool ``(n,)``."""
    subsectors = taxonomy.at_level(3)
    count = max(1, round(SET_ASIDE * len(subsectors)))
    drawn = random.choice(subsectors, count, replace=False)
    return np.isin(taxonomy.ancestors[:, 1], drawn)
