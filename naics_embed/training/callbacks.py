"""Callbacks of the text stage: health, history, progress."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import lightning as L
import numpy as np
import torch

from naics_embed.errors import HealthError
from naics_embed.geometry.lorentz import exp0
from naics_embed.metrics.epoch_line import epoch_line
from naics_embed.metrics.health import HealthLimits, health_report, violations
from naics_embed.training.module import TextModule

log = logging.getLogger(__name__)

Report = Callable[[int, dict[str, float]], None]

GRADIENT_ADVICE = 'lower the learning rate or training.clip'
HEALTH = 'health/'
VALIDATED = ('validation/', HEALTH)
"""Beginnings of the names of metrics that come from validation."""
HEALTH_METRICS = (
    'non_finite',
    'radius_min',
    'radius_q05',
    'radius_median',
    'radius_q95',
    'radius_max',
    'fraction_at_bound',
    'residual',
    'effective_rank_centred',
)


class HealthGuard(L.Callback):
    """Stops training when its metrics can no longer be trusted, keeping the last good checkpoint.

    The loss is watched in each step; before an epoch is validated, what was trained must be
    finite, and after that the table must keep its limits. Radii, also by level, the fraction at the
    bound, the residual and the effective rank are logged as ``health/…``.
    """

    def __init__(self, limits: HealthLimits, last: Path, kept: Path | None) -> None:
        """Set what to watch.

        Args:
            limits: bounds of a healthy table.
            last: where this training keeps its last checkpoint.
            kept: the checkpoint that it begins from, if any.
        """
        self.limits = limits
        self.last = last
        self.kept = kept

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Check the loss. Raises HealthError where it is not finite."""
        loss = outputs['loss']
        if not bool(loss.isfinite()):
            self._stop(trainer, f'the loss of step {batch_idx} is {float(loss)}; {GRADIENT_ADVICE}')

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check what was trained. Raises HealthError with the first weights that are not finite."""
        for name, weights in pl_module.named_parameters():
            if weights.requires_grad and not bool(weights.isfinite().all()):
                self._stop(trainer, f'{name} holds NaN or infinite numbers; {GRADIENT_ADVICE}')

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log and check the code points. Raises HealthError with the metrics at fault."""
        if trainer.sanity_checking or not isinstance(pl_module, TextModule):
            return
        model, tree = pl_module.model, pl_module.objective.tree
        supervised = tree.supervised.cpu()
        # As points of the Lorentz space: its limits of radius and rank suit any tangents.
        tangents = model.code_tangents().detach().cpu()
        c = model.curvature
        points = exp0(tangents[supervised], c=c)
        level = tree.level.cpu()[supervised]
        report = health_report(points, c=c, level=level, r_max=model.head.r_max)
        names = [*HEALTH_METRICS, *(f'radius_level_{at}_median' for at in level.unique().tolist())]
        pl_module.log_dict({f'{HEALTH}{name}': report[name] for name in names})
        broken = violations(report, self.limits)
        if broken:
            self._stop(trainer, '; '.join(broken))

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Record that this training has a checkpoint."""
        self.kept = self.last

    def _stop(self, trainer: L.Trainer, reason: str) -> NoReturn:
        kept = 'none was saved yet' if self.kept is None else str(self.kept)
        raise HealthError(
            f'training stopped in epoch {trainer.current_epoch}: {reason}; '
            f'last good checkpoint: {kept}'
        )


class StepSeed(L.Callback):
    """Seeds dropout anew at each step, so that a resumed run draws what a whole one would."""

    def __init__(self, seed: int) -> None:
        """Args: seed of the run."""
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch on every device with a number that depends on seed and batch only."""
        batch_number = trainer.current_epoch * int(trainer.num_training_batches) + batch_idx
        sequence = np.random.SeedSequence([self.seed, batch_number])
        torch.manual_seed(int(sequence.generate_state(1)[0]))


class History(L.Callback):
    """Collects the metrics of each epoch and hands them to the caller.

    Lightning keeps a metric until it is logged again; here each is of its own epoch only, those of
    validation and of terms that have ended too.
    """

    def __init__(self, report: Report | None = None) -> None:
        """Args: called with the epoch and its metrics."""
        self.epochs: list[dict[str, float]] = []
        self.report = report

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record what was logged in this epoch."""
        validated = (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0
        ended = pl_module.ended if isinstance(pl_module, TextModule) else set()
        metrics = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if (validated or not name.startswith(VALIDATED)) and name not in ended
        }
        self.epochs.append(metrics)
        log.info(
            'epoch %d of %s: %s',
            trainer.current_epoch + 1,
            trainer.max_epochs or '?',
            epoch_line(metrics),
        )
        if self.report is not None:
            self.report(trainer.current_epoch, metrics)

    def state_dict(self) -> dict[str, list[dict[str, float]]]:
        """Keep the history in checkpoints, so that a resumed run has all of it."""
        return {'epochs': self.epochs}

    def load_state_dict(self, state_dict: dict[str, list[dict[str, float]]]) -> None:
        """Take up the history of the interrupted run."""
        self.epochs = list(state_dict['epochs'])
