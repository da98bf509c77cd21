"""The text stage: from texts and a starting table to a trained text model."""

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from naics_embed.artifacts import write_json
from naics_embed.config.training import TrainingConfig
from naics_embed.metrics.health import HealthLimits
from naics_embed.text.model import TextModel
from naics_embed.text.placement import at_level_radius, follow_known_codes
from naics_embed.training.build import make_classifier, make_data, make_model, make_module
from naics_embed.training.callbacks import HealthGuard, History, Report, StepSeed
from naics_embed.training.checkpoint_io import AtomicCheckpointIO
from naics_embed.training.checkpoints import BestCheckpoint, epochs_to_train, last_checkpoint
from naics_embed.training.curriculum import Curriculum, PlateauRate
from naics_embed.training.gather import processes, world
from naics_embed.training.head_only import (
    head_only_epochs,
    head_only_fraction,
    head_only_settings,
    heads_only,
)
from naics_embed.training.inputs import TextInputs, TextSettings, TrainedText
from naics_embed.training.module import SELECTION, TrainingSchedule, count_parameters
from naics_embed.training.preconditions import check_training
from naics_embed.training.recovery import checkpoint_to_resume, has_checkpoints
from naics_embed.training.resume import LAST_CHECKPOINT, RESUME_AUTO, RESUME_LAST, RESUME_NEVER

if TYPE_CHECKING:
    from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT

log = logging.getLogger(__name__)

HEAD_ONLY = 'head_only'
SETTINGS_FILE = 'settings.json'


@dataclass(frozen=True)
class _Part:
    """One of the trainings that a run is made of: the head-only epochs, or those of the adapters.

    Attributes:
        checkpoints: its directory.
        resume_from: the checkpoint that it goes on from.
        kept: the last checkpoint of the run when it begins.
        epochs_before: epochs of the run before it.
        span: where it lies in the run, in fractions of that.
        every: epochs between two validations.
    """

    checkpoints: Path
    resume_from: Path | None
    kept: Path | None
    epochs_before: int
    span: tuple[float, float]
    every: int


@dataclass(frozen=True)
class _Fitted:
    """A model with the weights of its best epoch, and the metrics of all epochs."""

    model: TextModel
    history: list[dict[str, float]]
    best_epoch: int
    refreshed: Tensor | None
    curriculum: Curriculum


def train_text(
    inputs: TextInputs,
    settings: TextSettings,
    checkpoints: Path,
    *,
    resume: str = RESUME_AUTO,
    report: Report | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> TrainedText:
    """Train query encoder and codes, and return the best epoch by validation.

    With ``training.head_only.epochs``, heads and codes are trained on frozen embeddings first. That
    takes a small part of the time, and the adapters' training starts from the best of those epochs.
    With fewer training queries than ``training.head_only.only_below`` there are no other epochs:
    adapters memorise so few texts, and validation queries get worse.

    Args:
        inputs: inputs of the stage.
        settings: settings of the stage.
        checkpoints: directory for ``last.ckpt``, the best checkpoint, which has its validation
            metric in its name, and the settings; the head-only epochs have a directory in it.
        resume: ``auto`` continues from ``last.ckpt``, or from the best checkpoint where there is
            no ``last.ckpt`` that can be used, and sets aside what cannot be read; ``last`` insists
            on ``last.ckpt``, ``never`` starts afresh; anything else is the path of a checkpoint.
        report: called after each epoch with its number and metrics; head-only epochs count.
        start: head, fusion, codes and temperature to start from, `TrainedText.state` of another
            training.

    Raises:
        ConfigError: there are no queries to train or to validate on, a code has no text, a term
            cannot act with this model, or ``start`` does not fit it.
        ArtifactError: the checkpoint to resume from does not exist or cannot be read, or one
            cannot be written.
        HealthError: the table left the range in which its numbers can be trusted.
    """
    settings = _for_this_machine(settings)
    check_training(inputs, settings)
    if world()[0] == 0:
        write_json(checkpoints / SETTINGS_FILE, asdict(settings))
    head_only_folder = checkpoints / HEAD_ONLY
    queries, every = len(inputs.train), 1
    head_only = head_only_epochs(settings, queries)
    few, fraction = heads_only(settings, queries), head_only_fraction(settings, queries)
    if few:
        every = settings.training.head_only.validate_every
        settings, head_only = head_only_settings(settings, head_only), 0
    begun = head_only > 0 and has_checkpoints(head_only_folder)
    main_resume, head_only_resume = _resume_of_parts(resume, checkpoints, head_only > 0)
    resume_from = checkpoint_to_resume(checkpoints, main_resume)
    # Lightning's notices of hardware and tips repeat what the caller logs.
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    history: list[dict[str, float]] = []
    curriculum, kept = None, resume_from
    if head_only and (begun or resume_from is None):
        begins = head_only_settings(settings, head_only)
        head_only_from = checkpoint_to_resume(head_only_folder, head_only_resume)
        validated = settings.training.head_only.validate_every
        part = _Part(
            head_only_folder, head_only_from, head_only_from, 0, (0.0, fraction), validated
        )
        first = _fit(inputs, begins, part, report, start, curriculum)
        history, start = first.history, first.model.light_state()
        curriculum = first.curriculum
        head_only_last = head_only_folder / LAST_CHECKPOINT
        kept = kept or (head_only_last if head_only_last.is_file() else head_only_from)
    part = _Part(checkpoints, resume_from, kept, len(history), (fraction, 1.0), every)
    fitted = _fit(inputs, settings, part, report, start, curriculum)
    history = history + fitted.history
    trained = _finish(fitted, inputs, settings, history, len(history) - len(fitted.history))
    return replace(trained, head_only_epochs=len(history)) if few else trained


def _resume_of_parts(resume: str, checkpoints: Path, head_only: bool) -> tuple[str, str]:
    """Return how the main epochs and the head-only ones resume.

    Those that ``last`` insists on may be of the head-only epochs alone; one that is there counts,
    also where it cannot be read.
    """
    if resume == RESUME_NEVER:
        return RESUME_NEVER, RESUME_NEVER
    if resume != RESUME_LAST:
        return resume, RESUME_AUTO
    of_main = (checkpoints / LAST_CHECKPOINT).is_file()
    of_head_only = head_only and (checkpoints / HEAD_ONLY / LAST_CHECKPOINT).is_file()
    return (
        RESUME_AUTO if of_head_only and not of_main else RESUME_LAST,
        RESUME_LAST if of_head_only else RESUME_AUTO,
    )


def _for_this_machine(settings: TextSettings) -> TextSettings:
    """Switch off what several processes cannot do: one without rows has no gradients."""
    if processes() == 1 or not settings.training.gradient_norms:
        return settings
    log.info('training.gradient_norms is for one process; it is off')
    return replace(settings, training=replace(settings.training, gradient_norms=0))


def _fit(
    inputs: TextInputs,
    settings: TextSettings,
    part: _Part,
    report: Report | None,
    start: Mapping[str, Tensor] | None,
    curriculum: Curriculum | None,
) -> _Fitted:
    """Train one part, with the curriculum of the part before; return its best epoch."""
    training = settings.training
    L.seed_everything(settings.seed, workers=True, verbose=False)
    model = make_model(inputs, settings)
    if start is not None:
        model.load_light_state(start)
    data = make_data(inputs, settings)
    batches = -(-len(inputs.train) // training.batch)
    steps = training.epochs * -(-batches // training.accumulate)
    schedule = TrainingSchedule(*part.span, training.gradient_norms, training.refresh_steps)
    classifier = make_classifier(inputs, settings)
    module = make_module(model, inputs, settings, steps, schedule, classifier)

    def shifted(epoch: int, metrics: dict[str, float]) -> None:
        if report is not None:
            report(part.epochs_before + epoch, metrics)

    history = History(shifted)
    best = BestCheckpoint(part.checkpoints, part.every, part.resume_from)
    callbacks: list[L.Callback] = [StepSeed(settings.seed), history]
    curriculum = curriculum or Curriculum(settings.curriculum, settings.seed)
    if settings.curriculum.enabled:
        callbacks.append(curriculum)
    if training.schedule == 'plateau':
        callbacks.append(PlateauRate(training.plateau_factor, training.plateau_patience))
    trainer = _trainer(training, part, [*callbacks, best])
    with warnings.catch_warnings():
        # The data are in memory: worker processes would only copy them.
        warnings.filterwarnings('ignore', message='.*does not have many workers.*')
        warnings.filterwarnings('ignore', message='.*LeafSpec.*')
        warnings.filterwarnings('ignore', message='.*exists and is not empty.*')
        # Only of last.ckpt, which is written anew; `BestCheckpoint` locates the best one.
        warnings.filterwarnings('ignore', message='The dirpath has changed.*')
        if part.resume_from is not None:
            trainer.fit_loop.max_epochs = epochs_to_train(
                part.resume_from, module, training.epochs, training.patience
            )
        trainer.fit(module, datamodule=data, ckpt_path=part.resume_from, weights_only=True)
    checkpoint = torch.load(best.best_model_path, map_location='cpu', weights_only=True)
    module.cpu().load_state_dict(checkpoint['state_dict'], strict=False)
    refreshed = module.refresh() if module.refresh is not None else None
    return _Fitted(
        module.model.eval(), history.epochs, int(checkpoint['epoch']), refreshed, curriculum
    )


def _trainer(training: TrainingConfig, part: _Part, callbacks: list[L.Callback]) -> L.Trainer:
    limits = HealthLimits(
        residual=training.health.residual,
        bound_fraction=training.health.bound_fraction,
        min_rank=training.health.min_rank,
        min_radius_q05=training.health.min_radius_q05,
        max_radius_q95=training.health.max_radius_q95,
    )
    guard = HealthGuard(limits, part.checkpoints / LAST_CHECKPOINT, part.kept)
    stop = EarlyStopping(monitor=SELECTION, mode='max', patience=training.patience)
    # torchrun starts the processes and sets how many there are; without it, there is one.
    here = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    return L.Trainer(
        accelerator=training.accelerator,
        devices=here,
        strategy='auto' if here == 1 else 'ddp_find_unused_parameters_true',
        precision=cast('_PRECISION_INPUT', training.precision),
        max_epochs=training.epochs,
        check_val_every_n_epoch=part.every,
        gradient_clip_val=training.clip,
        accumulate_grad_batches=training.accumulate,
        plugins=[AtomicCheckpointIO()],
        callbacks=[guard, *callbacks, stop, last_checkpoint(part.checkpoints, part.every)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


@torch.inference_mode()
def _finish(
    fitted: _Fitted,
    inputs: TextInputs,
    settings: TextSettings,
    history: list[dict[str, float]],
    epochs_before: int,
) -> TrainedText:
    model = fitted.model
    parameters = count_parameters(model)
    if fitted.refreshed is not None:
        model.channels.copy_(fitted.refreshed)
    model.head.c = model.curvature
    tangents = model.code_tangents().clone()
    level = torch.from_numpy(inputs.taxonomy.level.astype(np.int64))
    supervised = torch.from_numpy(inputs.supervised.copy())
    if not model.from_text and not bool(supervised.all()):
        # By the frozen embeddings, which are available; the regression corrects their shift.
        fused = model.fuse(model.channels, model.present).embedding
        by_text = model.head.tangent(fused).double()
        ridge = settings.model.placement_ridge
        tangents = follow_known_codes(by_text, tangents, level, supervised, ridge=ridge)
    state = model.light_state()
    adapters = {
        name: {key: value.clone() for key, value in weights.items()}
        for name, weights in model.encoder.adapter_states().items()
    }
    return TrainedText(
        tangents=at_level_radius(tangents, level, supervised),
        backbone=model.encoder.merged_backbone(),
        head=model.head,
        temperature=float(model.temperature),
        curvature=model.curvature,
        history=history,
        best_epoch=epochs_before + fitted.best_epoch,
        head_only_epochs=epochs_before,
        parameters=parameters,
        state=state,
        adapters=adapters,
    )
