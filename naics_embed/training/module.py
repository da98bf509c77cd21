"""The Lightning module of the text stage."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from naics_embed.objective.negatives import Negatives
from naics_embed.objective.step import Batch
from naics_embed.objective.weighted_sum import Objective, Terms, gradient_norms
from naics_embed.text.corpus import TextBatch
from naics_embed.text.model import TextModel

SELECTION = 'validation/selection'
"""The logged metric that picks the best epoch; larger is better."""


@dataclass(frozen=True)
class Rates:
    """Peak learning rates and their schedule.

    Attributes:
        adapter: of the adapters, or of the layers trained as a whole.
        head: of the Lorentz head and the fusion.
        table: of the code tangents or offsets.
        temperature: of the log temperature, and of the log curvature where it is learned.
        weight_decay: of adapters, head and fusion.
        warmup: fraction of the steps that rise linearly, before the cosine.
        steps: optimiser steps in all.
        cosine: whether rates fall as a cosine; if not they stay, but for `TextModule.rate_scale`.
    """

    adapter: float
    head: float
    table: float
    temperature: float
    weight_decay: float
    warmup: float
    steps: int
    cosine: bool = True


@dataclass(frozen=True)
class TrainingSchedule:
    """Where in the whole run this training lies, and what it does every so many steps.

    Attributes:
        begin: fraction of the run at its first step.
        end: fraction of the run at its end.
        gradient_norms: batches of an epoch between two logs of gradient norms; 0 for never.
        refresh_steps: steps between two refreshes of the cached channels; 0 for once an epoch.
    """

    begin: float = 0.0
    end: float = 1.0
    gradient_norms: int = 0
    refresh_steps: int = 0


class TextModule(L.LightningModule):
    """Query → code cross-entropy over all candidates, with the terms of the tree and the texts.

    Args:
        model: the text model.
        objective: the terms.
        rates: learning rates.
        validate: maps (query points ``(m, ·)``, code points ``(n, ·)``) on the CPU to metrics;
            it must contain `SELECTION`.
        validation_size: number of validation queries.
        schedule: where in the run this training lies.
        refresh: encodes the channels of all codes anew, ``(n, channels, width)``; None where they
            never change or nothing reads them.

    Attributes:
        negatives: the state of the curriculum, which its callback sets.
        rate_scale: factor on all learning rates, which the plateau callback sets.
    """

    def __init__(
        self,
        model: TextModel,
        objective: Objective,
        rates: Rates,
        validate: Callable[[Tensor, Tensor], dict[str, float]],
        validation_size: int,
        schedule: TrainingSchedule | None = None,
        refresh: Callable[[], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.rates = rates
        self.validate = validate
        self.validation_size = validation_size
        self.schedule = schedule or TrainingSchedule()
        self.refresh = refresh
        self.negatives = Negatives()
        self.rate_scale = 1.0
        self._points: Tensor | None = None
        self._logged: set[str] = set()
        self._logged_before: set[str] = set()
        # Checkpoints leave out what never changes: see `on_save_checkpoint`.
        self.strict_loading = False

    @property
    def progress(self) -> float:
        """Fraction of the whole run that is done."""
        done = min(1.0, self.global_step / self.rates.steps)
        return self.schedule.begin + done * (self.schedule.end - self.schedule.begin)

    @property
    def ended(self) -> set[str]:
        """Names of metrics that earlier epochs logged and this one did not, as terms that ended."""
        return self._logged_before - self._logged

    def on_fit_start(self) -> None:
        """Switch dropout on: `from_pretrained` hands the backbone over in evaluation mode."""
        self.model.train()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out the encoder's frozen weights, which the backbone's own file holds."""
        frozen = {
            f'model.encoder.{name}'
            for name, value in self.model.encoder.named_parameters()
            if not value.requires_grad
        }
        state = checkpoint['state_dict']
        checkpoint['state_dict'] = {k: v for k, v in state.items() if k not in frozen}

    def on_train_start(self) -> None:
        """Encode the channels with the weights that training starts or resumes from."""
        self.refresh_channels()

    def on_train_epoch_start(self) -> None:
        """Begin to record what this epoch logs."""
        self._logged_before |= self._logged
        self._logged.clear()

    def refresh_channels(self) -> None:
        """Encode the cached channels of all codes anew, where code points come from texts."""
        if self.refresh is not None:
            self.model.channels.copy_(self.refresh())

    def terms(self, batch: Batch, progress: float | None = None) -> Terms:
        """Return the terms of one step."""
        at = self.progress if progress is None else progress
        return self.objective(self.model, batch, at, self.negatives)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs each term."""
        every = self.schedule.refresh_steps
        if every and batch_idx and batch_idx % every == 0:
            self.refresh_channels()
        terms = self.terms(batch)
        loss = terms.total
        if self.refresh is not None and terms.live is not None:
            codes, live = terms.live
            self.model.channels[codes] = live.to(self.model.channels.dtype)
        every = self.schedule.gradient_norms
        if every and batch_idx % every == 0:
            norms = gradient_norms(terms, self.model)
            self._log({f'gradient/{name}': norm for name, norm in norms.items()}, terms.queries)
        fixed = self.model.learned_curvature is None
        self._log(
            {f'train/{name}': value.detach() for name, value in terms.values.items()}
            | {f'curriculum/{name}': value.detach() for name, value in terms.metrics.items()}
            | {'train/loss': loss.detach(), 'train/temperature': self.model.temperature.detach()}
            | ({} if fixed else {'train/curvature': loss.new_tensor(self.model.curvature)}),
            terms.queries,
        )
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Hold a learned curvature in its range, so that it can leave an end of it at once."""
        if self.model.learned_curvature is not None:
            self.model.learned_curvature.hold()

    def on_validation_epoch_start(self) -> None:
        """Allocate the validation points, and encode codes with the current weights."""
        self.refresh_channels()
        width = self.model.code_points().shape[1]
        self._points = torch.empty(self.validation_size, width, dtype=torch.float64)

    def validation_step(self, batch: tuple[TextBatch, Tensor], batch_idx: int) -> None:
        """Embed one batch of validation queries."""
        texts, positions = batch
        points = self.model.points(self.model.encoder.encode(texts))
        if self._points is not None:
            self._points[positions.cpu()] = points.cpu()

    def on_validation_epoch_end(self) -> None:
        """Score the epoch on all validation queries at once."""
        if self._points is not None and not self.trainer.sanity_checking:
            metrics = self.validate(self._points, self.model.code_points().detach().cpu())
            self.log_dict(metrics, batch_size=1)
        self._points = None

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a rate for each part, linear warm-up and decay by step."""
        model, rates = self.model, self.rates
        free = [p for p in (model.table, model.offset) if p is not None]
        learned_curvature = model.learned_curvature
        curvature = [] if learned_curvature is None else list(learned_curvature.parameters())
        parts = [
            ([p for p in model.encoder.parameters() if p.requires_grad], rates.adapter, True),
            ([*model.head.parameters(), *model.fusion.parameters()], rates.head, True),
            (free, rates.table, False),
            ([model.log_temperature], rates.temperature, False),
            (curvature, rates.temperature, False),
        ]
        groups = [
            {'params': part, 'lr': rate, 'weight_decay': rates.weight_decay if decays else 0.0}
            for part, rate, decays in parts
            if part
        ]
        optimizer = AdamW(groups)
        scheduler = LambdaLR(optimizer, self._rate)
        return {
            'optimizer': optimizer,
            'lr_scheduler': {'scheduler': scheduler, 'interval': 'step'},
        }

    def _rate(self, step: int) -> float:
        warm = max(1, round(self.rates.warmup * self.rates.steps))
        if step < warm:
            return self.rate_scale * (step + 1) / warm
        if not self.rates.cosine:
            return self.rate_scale
        done = (step - warm) / max(1, self.rates.steps - warm)
        return self.rate_scale * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def _log(self, metrics: dict[str, Tensor], queries: int) -> None:
        self._logged.update(metrics)
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=queries)


def count_parameters(module: nn.Module) -> dict[str, int]:
    """Return the numbers of all and of trainable parameters."""
    return {
        'parameters': sum(p.numel() for p in module.parameters()),
        'trainable': sum(p.numel() for p in module.parameters() if p.requires_grad),
    }
