"""One training step: its batch, and what its terms read of it."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from naics_embed.losses.retrieval import level_losses
from naics_embed.objective.gather import gather_rows
from naics_embed.objective.negatives import Negatives
from naics_embed.objective.tree import TreeTargets
from naics_embed.text.code_points import encode_channels
from naics_embed.text.corpus import TextBatch
from naics_embed.text.fusion.base import Fused
from naics_embed.text.model import TextModel


@dataclass
class Batch:
    """One training step, or this process's fraction of it.

    Attributes:
        rows: int64 ``(b,)``, rows of b queries in the token table.
        queries: their texts.
        target: int64 ``(b,)``.
        against: int64 ``(b, r)``, codes that a query was redirected from, −1 where there are fewer.
        placed: int64 ``(p,)``, distinct codes whose channels are encoded in this step.
        channels: for each channel, the texts of those placed codes that have it.
        present: bool ``(p, channels)``, which have it.
        drawn: int64 ``(k,)``, codes all pairs of which enter the terms of the tree; the same in all
            processes.
        partner: int64 ``(a,)``, for each of the first a drawn codes the index in ``drawn`` of a
            code near it; empty where no term needs it.
    """

    rows: Tensor
    queries: TextBatch
    target: Tensor
    against: Tensor
    placed: Tensor
    channels: list[TextBatch]
    present: Tensor
    drawn: Tensor
    partner: Tensor


class Step:
    """What the terms of a step read, each part computed once.

    b queries and p placed codes of all processes, n codes, k drawn codes. All distances of a table
    (queries with codes, drawn codes with each other) come from one matrix product, made when a term
    first reads them.

    Attributes:
        model: the text model.
        tree: the tree.
        negatives: the state of the curriculum.
        states: what `Term.prepare` returned, by the name of the term.
        drawn: int64 ``(k,)``, codes all pairs of which enter terms; the same in all processes.
        partner: int64 ``(a,)``, for each of the first a drawn codes the index in ``drawn`` of a
            code near it; empty where no term needs it.
        rows: int64 ``(b,)``, rows of the queries in the token table.
        target: int64 ``(b,)``, the right codes of the queries.
        queries: ``(b, width)``, their embeddings, for terms that need them.
        live: placed codes, int64 ``(p,)``, and their channels' embeddings ``(p, channels, width)``;
            None where there are none.
        tangents: float64 ``(n, dim)``, of all codes at the origin.
        codes: float64 ``(n, ·)``, points of all codes.
        balance: load of the experts, a scalar; None where there are none, or nothing was fused.
        metrics: name → scalar to log.
    """

    def __init__(
        self,
        model: TextModel,
        batch: Batch,
        tree: TreeTargets,
        channels: tuple[str, ...],
        negatives: Negatives,
        states: nn.ModuleDict,
        queries: bool,
    ) -> None:
        self.model = model
        self.batch = batch
        self.tree = tree
        self.negatives = negatives
        self.states = states
        self.drawn = batch.drawn
        self.partner = batch.partner
        self.metrics: dict[str, Tensor] = {}
        self.balance: Tensor | None = None
        self.rows = gather_rows(batch.rows)
        self.target = gather_rows(batch.target)
        if queries:
            self.queries = gather_rows(model.encoder.encode(batch.queries))
        self.live = _encode_placed(model, batch, channels)
        fused = None
        if model.from_text:
            fused = self._balanced(model.fuse_codes(*(self.live or (None, None))))
        self.tangents = model.code_tangents(fused)
        self.codes = model.space.exp0(self.tangents)

    @cached_property
    def frozen(self) -> Tensor:
        """``(b, width)``: embeddings of the queries by the frozen backbone."""
        return gather_rows(self.batch.queries.frozen)

    @cached_property
    def against(self) -> Tensor:
        """int64 ``(b, r)``: codes that a query was redirected from, −1 where there are fewer."""
        return gather_rows(self.batch.against)

    @cached_property
    def query_points(self) -> Tensor:
        """float64 ``(b, ·)``: points of the queries."""
        return self.model.points(self.queries)

    @cached_property
    def query_distances(self) -> Tensor:
        """float64 ``(b, n)``: from queries to all codes."""
        return self.model.space.pairwise(self.query_points, self.codes)

    @cached_property
    def drawn_distances(self) -> Tensor:
        """float64 ``(k, k)``: distances of the drawn codes."""
        points = self.codes[self.drawn]
        return self.model.space.pairwise(points, points)

    @cached_property
    def drawn_tree(self) -> Tensor:
        """uint8 ``(k, k)``: D* of the drawn codes."""
        return self.tree.tree_distance[self.drawn][:, self.drawn]

    def cross_entropy(self, points: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy of points among the codes of their target's level.

        Args:
            points: float64 ``(m, ·)``.
            target: int64 ``(m,)``, the right codes.
        """
        return level_losses(
            self.model.space.pairwise,
            points,
            self.codes,
            target,
            self.tree.level,
            self.tree.supervised,
            self.model.temperature,
        ).mean()

    def fuse(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Fuse ``(p, channels, width)`` to ``(p, width)``; see `TextModel.fuse`."""
        return self._balanced(self.model.fuse(embeddings, present))

    def log(self, name: str, fractions: dict[str, Tensor]) -> None:
        """Add metrics of a term."""
        self.metrics |= {f'{name}_{key}': fraction for key, fraction in fractions.items()}

    def _balanced(self, fused: Fused) -> Tensor:
        """Return the embeddings; the first fusion of a step gives the load of the experts."""
        if self.balance is None:
            self.balance = fused.balance
            self.metrics |= fused.metrics
        return fused.embedding


def _encode_placed(
    model: TextModel, batch: Batch, channels: tuple[str, ...]
) -> tuple[Tensor, Tensor] | None:
    """Encode the placed codes of all processes, each distinct one once in the result."""
    codes = gather_rows(batch.placed)
    if not len(codes):
        return None
    live = gather_rows(encode_channels(model.encoder, channels, batch.channels, batch.present))
    distinct, inverse = codes.unique(return_inverse=True)
    if len(distinct) < len(codes):
        positions = torch.arange(len(codes), device=codes.device)
        first = torch.full_like(distinct, len(codes)).scatter_reduce(0, inverse, positions, 'amin')
        codes, live = codes[first], live[first]
    return codes, live
