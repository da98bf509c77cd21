"""One phase of a text training: fit it with Lightning, and return its best epoch."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from naics_embed.metrics.health import HealthLimits
from naics_embed.text.inputs import TextInputs
from naics_embed.text.model import TextModel
from naics_embed.training.build import make_data, make_model, make_module, make_states
from naics_embed.training.callbacks import HealthGuard, History, Report, StepSeed
from naics_embed.training.checkpoint_io import AtomicCheckpointIO
from naics_embed.training.checkpoints import BestCheckpoint, epochs_to_train, last_checkpoint
from naics_embed.training.curriculum import Curriculum, PlateauRate
from naics_embed.training.module import SELECTION, TrainingSchedule
from naics_embed.training.phases import Phase
from naics_embed.training.resume import LAST_CHECKPOINT

if TYPE_CHECKING:
    from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT


@dataclass(frozen=True)
class Progress:
    """What a phase takes over from those before it.

    Attributes:
        curriculum: the curriculum; all phases of a run advance the same one.
        start: head, fusion, codes and temperature to start from; None for a start from the inputs.
        history: metrics of the epochs so far.
        kept: the last checkpoint of the run so far.
    """

    curriculum: Curriculum
    start: Mapping[str, Tensor] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    kept: Path | None = None


@dataclass(frozen=True)
class Fitted:
    """What a phase has trained.

    Attributes:
        model: with the weights of the best epoch.
        history: metrics of the phase's epochs.
        best_epoch: the epoch of the phase that was kept.
        refreshed: channels of all codes by that model, where code points come from texts.
    """

    model: TextModel
    history: list[dict[str, float]]
    best_epoch: int
    refreshed: Tensor | None


def fit_phase(
    phase: Phase,
    inputs: TextInputs,
    progress: Progress,
    resume_from: Path | None,
    report: Report | None,
) -> Fitted:
    """Train a phase and return its best epoch.

    Args:
        phase: what to train.
        inputs: inputs of the stage.
        progress: what the phases before it have left.
        resume_from: the checkpoint that it goes on from.
        report: called after each epoch with its number in the run and its metrics.
    """
    settings, training = phase.settings, phase.settings.training
    L.seed_everything(settings.seed, workers=True, verbose=False)
    model = make_model(inputs, settings)
    if progress.start is not None:
        model.load_light_state(progress.start)
    data = make_data(inputs, settings)
    batches = -(-len(inputs.train) // training.batch)
    steps = training.epochs * -(-batches // training.accumulate)
    schedule = TrainingSchedule(*phase.span, training.gradient_norms, training.refresh_steps)
    states = make_states(inputs, settings)
    module = make_module(model, inputs, settings, steps, schedule, states)

    def shifted(epoch: int, metrics: dict[str, float]) -> None:
        if report is not None:
            report(len(progress.history) + epoch, metrics)

    history = History(shifted)
    best = BestCheckpoint(phase.checkpoints, phase.validate_every, resume_from)
    callbacks: list[L.Callback] = [StepSeed(settings.seed), history]
    if settings.curriculum.enabled:
        callbacks.append(progress.curriculum)
    if training.schedule == 'plateau':
        callbacks.append(PlateauRate(training.plateau_factor, training.plateau_patience))
    trainer = _trainer(phase, resume_from or progress.kept, [*callbacks, best])
    with warnings.catch_warnings():
        # The data are in memory: worker processes would only copy them.
        warnings.filterwarnings('ignore', message='.*does not have many workers.*')
        warnings.filterwarnings('ignore', message='.*LeafSpec.*')
        warnings.filterwarnings('ignore', message='.*exists and is not empty.*')
        # Only of last.ckpt, which is written anew; `BestCheckpoint` locates the best one.
        warnings.filterwarnings('ignore', message='The dirpath has changed.*')
        if resume_from is not None:
            trainer.fit_loop.max_epochs = epochs_to_train(
                resume_from, module, training.epochs, training.patience
            )
        trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
    checkpoint = torch.load(best.best_model_path, map_location='cpu', weights_only=True)
    module.cpu().load_state_dict(checkpoint['state_dict'], strict=False)
    refreshed = module.refresh() if module.refresh is not None else None
    return Fitted(module.model.eval(), history.epochs, int(checkpoint['epoch']), refreshed)


def _trainer(phase: Phase, kept: Path | None, callbacks: list[L.Callback]) -> L.Trainer:
    training = phase.settings.training
    limits = HealthLimits(
        residual=training.health.residual,
        bound_fraction=training.health.bound_fraction,
        min_rank=training.health.min_rank,
        min_radius_q05=training.health.min_radius_q05,
        max_radius_q95=training.health.max_radius_q95,
    )
    guard = HealthGuard(limits, phase.checkpoints / LAST_CHECKPOINT, kept)
    stop = EarlyStopping(monitor=SELECTION, mode='max', patience=training.patience)
    # torchrun starts the processes and sets how many there are; without it, there is one.
    here = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    return L.Trainer(
        accelerator=training.accelerator,
        devices=here,
        strategy='auto' if here == 1 else 'ddp_find_unused_parameters_true',
        precision=cast('_PRECISION_INPUT', training.precision),
        max_epochs=training.epochs,
        check_val_every_n_epoch=phase.validate_every,
        gradient_clip_val=training.clip,
        accumulate_grad_batches=training.accumulate,
        plugins=[AtomicCheckpointIO()],
        callbacks=[
            guard,
            *callbacks,
            stop,
            last_checkpoint(phase.checkpoints, phase.validate_every),
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
