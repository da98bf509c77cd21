"""The text stage: from texts and a starting table to a trained text model."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from naics_embed.artifacts import write_json
from naics_embed.config.sections import to_dict
from naics_embed.objective.gather import processes, world
from naics_embed.text.inputs import TextInputs
from naics_embed.text.placement import at_level_radius, follow_known_codes
from naics_embed.training.callbacks import Report
from naics_embed.training.curriculum import Curriculum
from naics_embed.training.fit_phase import Fitted, Progress, fit_phase
from naics_embed.training.inputs import TextSettings, TrainedText
from naics_embed.training.module import count_parameters
from naics_embed.training.phases import HEAD_ONLY, plan_phases, resume_points
from naics_embed.training.preconditions import check_training
from naics_embed.training.resume import LAST_CHECKPOINT, RESUME_AUTO

log = logging.getLogger(__name__)

SETTINGS_FILE = 'settings.json'


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
        write_json(checkpoints / SETTINGS_FILE, to_dict(settings))
    # Lightning's notices of hardware and tips repeat what the caller logs.
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    phases = resume_points(plan_phases(settings, len(inputs.train), checkpoints), resume)
    progress = Progress(Curriculum(settings.curriculum, settings.seed), start)
    head_only = 0
    for phase, resume_from in phases:
        before = len(progress.history)
        fitted = fit_phase(phase, inputs, progress, resume_from, report)
        last = phase.checkpoints / LAST_CHECKPOINT
        progress = Progress(
            progress.curriculum,
            fitted.model.light_state(),
            progress.history + fitted.history,
            last if last.is_file() else resume_from,
        )
        if phase.name == HEAD_ONLY:
            head_only = len(progress.history)
    return _result(fitted, inputs, settings, progress.history, before, head_only)


def _for_this_machine(settings: TextSettings) -> TextSettings:
    """Switch off what several processes cannot do: one without rows has no gradients."""
    if processes() == 1 or not settings.training.gradient_norms:
        return settings
    log.info('training.gradient_norms is for one process; it is off')
    return replace(settings, training=replace(settings.training, gradient_norms=0))


@torch.inference_mode()
def _result(
    fitted: Fitted,
    inputs: TextInputs,
    settings: TextSettings,
    history: list[dict[str, float]],
    epochs_before: int,
    head_only_epochs: int,
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
        head_only_epochs=head_only_epochs,
        parameters=parameters,
        state=state,
        adapters=adapters,
    )
