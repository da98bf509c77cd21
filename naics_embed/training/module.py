"""The Lightning module of the text stage."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from naics_embed.geometry.lorentz import distance, pairwise_distance
from naics_embed.losses.retrieval import level_cross_entropy
from naics_embed.losses.stress import tree_stress
from naics_embed.text.model import TextModel
from naics_embed.training.data import Batch

SELECTION = 'validation/selection'
"""The logged figure that picks the best epoch; larger is better."""


@dataclass(frozen=True)
class TreeTargets:
    """What the losses know of the tree.

    Attributes:
        level: int64 ``(n,)``.
        supervised: bool ``(n,)``; hidden codes enter no loss.
        tree_distance: uint8 ``(n, n)``, D*.
        near: int64 ``(2, m)``, all supervised pairs with a small D*.
    """

    level: Tensor
    supervised: Tensor
    tree_distance: Tensor
    near: Tensor

    @classmethod
    def of(
        cls, level: Tensor, supervised: Tensor, tree_distance: Tensor, near_distance: int
    ) -> 'TreeTargets':
        """Collect the supervised pairs with D* ≤ ``near_distance``."""
        close = (tree_distance <= near_distance) & supervised[:, None] & supervised[None, :]
        near = close.triu(diagonal=1).nonzero().T.contiguous()
        return cls(level, supervised, tree_distance, near)


@dataclass(frozen=True)
class Weights:
    """Weights of the terms beside the query → code cross-entropy.

    Attributes:
        stress: weight of the tree term.
        near: weight of the near pairs within it, beside the drawn pairs.
        placement: weight of the cross-entropy of codes placed by their channels.
    """

    stress: float
    near: float
    placement: float


@dataclass(frozen=True)
class Rates:
    """Peak learning rates and their course.

    Attributes:
        adapter: of the LoRA adapter.
        head: of the Lorentz head.
        table: of the code tangents.
        temperature: of the log temperature.
        weight_decay: of adapter and head.
        warmup: share of the steps that rise linearly, before the cosine.
        steps: optimiser steps in all.
    """

    adapter: float
    head: float
    table: float
    temperature: float
    weight_decay: float
    warmup: float
    steps: int


class TextModule(L.LightningModule):
    """Query → code cross-entropy over all candidates, with the tree term and placement by text.

    Args:
        model: the text model.
        tree: what the losses know of the tree.
        weights: weights of the terms.
        rates: learning rates.
        validate: maps (query points ``(m, dim)``, code points ``(n, dim)``) on the CPU to figures;
            it must contain `SELECTION`.
        validation_size: number of validation queries.
    """

    def __init__(
        self,
        model: TextModel,
        tree: TreeTargets,
        weights: Weights,
        rates: Rates,
        validate: Callable[[Tensor, Tensor], dict[str, float]],
        validation_size: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights = weights
        self.rates = rates
        self.validate = validate
        self.validation_size = validation_size
        self._points: Tensor | None = None
        for name in ('level', 'supervised', 'tree_distance', 'near'):
            self.register_buffer(name, getattr(tree, name), persistent=False)

    def on_fit_start(self) -> None:
        """Switch dropout on: `from_pretrained` hands the backbone over in evaluation mode."""
        self.model.train()

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term of the objective for one step, unweighted."""
        codes = self.model.code_points()
        queries = self.model.head(self.model.encoder.upper(batch.hidden, batch.mask))
        placed = self._place(batch)
        distances = pairwise_distance(torch.cat([queries, placed]), codes, c=self.model.head.c)
        to_queries, to_placed = distances.split([len(queries), len(placed)])
        retrieval = level_cross_entropy(
            to_queries, batch.target, self.level, self.supervised, self.model.temperature
        )
        placement = level_cross_entropy(
            to_placed, batch.placed, self.level, self.supervised, self.model.temperature
        )
        return {
            'retrieval': retrieval,
            'placement': placement,
            'stress': self._drawn_stress(codes, batch.drawn),
            'near': self._near_stress(codes),
        }

    def objective(self, terms: dict[str, Tensor]) -> Tensor:
        """Weigh and add the terms."""
        tree = terms['stress'] + self.weights.near * terms['near']
        return (
            terms['retrieval']
            + self.weights.placement * terms['placement']
            + self.weights.stress * tree
        )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs each term."""
        terms = self.terms(batch)
        loss = self.objective(terms)
        self.log_dict(
            {f'train/{name}': value.detach() for name, value in terms.items()}
            | {'train/loss': loss.detach(), 'train/temperature': self.model.temperature.detach()},
            on_step=False,
            on_epoch=True,
            batch_size=len(batch.target),
        )
        return loss

    def on_validation_epoch_start(self) -> None:
        """Make room for the validation points."""
        self._points = torch.empty(
            self.validation_size, self.model.table.shape[1], dtype=torch.float64
        )

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> None:
        """Place one batch of validation queries."""
        hidden, mask, positions = batch
        points = self.model.head(self.model.encoder.upper(hidden, mask))
        if self._points is not None:
            self._points[positions.cpu()] = points.cpu()

    def on_validation_epoch_end(self) -> None:
        """Score the epoch on all validation queries at once."""
        if self._points is not None and not self.trainer.sanity_checking:
            figures = self.validate(self._points, self.model.code_points().detach().cpu())
            self.log_dict(figures, batch_size=1)
        self._points = None

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW with a rate for each part, linear warm-up and cosine decay by step."""
        decay = self.rates.weight_decay
        adapter = [p for p in self.model.encoder.parameters() if p.requires_grad]
        groups = [
            {'params': adapter, 'lr': self.rates.adapter, 'weight_decay': decay},
            {
                'params': list(self.model.head.parameters()),
                'lr': self.rates.head,
                'weight_decay': decay,
            },
            {'params': [self.model.table], 'lr': self.rates.table, 'weight_decay': 0.0},
            {
                'params': [self.model.log_temperature],
                'lr': self.rates.temperature,
                'weight_decay': 0.0,
            },
        ]
        optimizer = AdamW(groups)
        scheduler = LambdaLR(optimizer, self._course)
        return {
            'optimizer': optimizer,
            'lr_scheduler': {'scheduler': scheduler, 'interval': 'step'},
        }

    def _course(self, step: int) -> float:
        warm = max(1, round(self.rates.warmup * self.rates.steps))
        if step < warm:
            return (step + 1) / warm
        done = (step - warm) / max(1, self.rates.steps - warm)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def _place(self, batch: Batch) -> Tensor:
        pooled = self.model.encoder.upper(batch.channel_hidden, batch.channel_mask)
        channels = pooled.view(*batch.channel_present.shape, -1)
        return self.model.place(channels, batch.channel_present)

    def _drawn_stress(self, codes: Tensor, drawn: Tensor) -> Tensor:
        points = codes[drawn]
        rows, columns = torch.triu_indices(
            len(drawn), len(drawn), offset=1, device=drawn.device
        ).unbind()
        distances = pairwise_distance(points, points, c=self.model.head.c)[rows, columns]
        return tree_stress(distances, self.tree_distance[drawn[rows], drawn[columns]].double())

    def _near_stress(self, codes: Tensor) -> Tensor:
        a, b = self.near
        distances = distance(codes[a], codes[b], c=self.model.head.c)
        return tree_stress(distances, self.tree_distance[a, b].double())


def count_parameters(module: nn.Module) -> dict[str, int]:
    """Return the numbers of all and of trainable parameters."""
    return {
        'parameters': sum(p.numel() for p in module.parameters()),
        'trainable': sum(p.numel() for p in module.parameters() if p.requires_grad),
    }
