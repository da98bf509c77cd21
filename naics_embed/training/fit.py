"""The text stage: from texts and a starting table to a trained text model."""

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor

from naics_embed.artifacts import write_json
from naics_embed.config.training import TrainingConfig
from naics_embed.errors import ArtifactError, ConfigError
from naics_embed.metrics.health import HealthLimits
from naics_embed.text.linear_teacher import LinearTeacher
from naics_embed.text.model import TextModel
from naics_embed.text.placement import at_level_radius, follow_known_codes
from naics_embed.training.build import make_classifier, make_data, make_model, make_module
from naics_embed.training.callbacks import HealthGuard, History, Report, StepSeed
from naics_embed.training.curriculum import Curriculum, PlateauRate
from naics_embed.training.gather import world
from naics_embed.training.inputs import TextInputs, TextSettings, TrainedText
from naics_embed.training.module import SELECTION, Course, count_parameters
from naics_embed.training.objective import check_objective
from naics_embed.training.warm import heads_only, warm_epochs, warm_settings

log = logging.getLogger(__name__)

RESUME_AUTO = 'auto'
RESUME_LAST = 'last'
RESUME_NEVER = 'never'
LAST_CHECKPOINT = 'last.ckpt'
WARM = 'warm'
SETTINGS_FILE = 'settings.json'
BEST_NAME = 'best-epoch={epoch:02d}-selection={' + SELECTION + ':.4f}'


@dataclass(frozen=True)
class _Fitted:
    """A model with the weights of its best epoch, and the figures of all epochs."""

    model: TextModel
    history: list[dict[str, float]]
    best_epoch: int
    refreshed: Tensor | None


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

    With ``training.warm.epochs``, heads and codes are trained on frozen embeddings first, which
    takes a small part of the time, and the best of that is where the adapters' training begins.
    With fewer training queries than ``training.warm.only_below`` that is all of it: so few texts
    are learned by heart by adapters, and validation queries get worse.

    Args:
        inputs: what to start from.
        settings: how to train.
        checkpoints: directory for ``last.ckpt``, the best checkpoint, which has its validation
            figure in its name, and the settings; the warm epochs have a directory in it.
        resume: ``auto`` continues from ``last.ckpt`` where there is one, ``last`` insists on it,
            ``never`` starts afresh; anything else is the path of a checkpoint.
        report: called after each epoch with its number and figures; warm epochs count.
        start: head, fusion, codes and temperature to start from, `TrainedText.state` of another
            training.

    Raises:
        ConfigError: there are no queries to train or to validate on, a code has no text, a term
            cannot act with this model, or ``start`` does not fit it.
        ArtifactError: the checkpoint to resume from does not exist.
        HealthError: the table left the range in which its numbers can be trusted.
    """
    _check(inputs, settings)
    warm_folder = checkpoints / WARM
    queries, every = len(inputs.train), 1
    warm = warm_epochs(settings, queries)
    few = heads_only(settings, queries)
    if few:
        every = settings.training.warm.validate_every
        settings, warm = warm_settings(settings, warm), 0
    begun = warm > 0 and (warm_folder / LAST_CHECKPOINT).is_file()
    main_resume = RESUME_AUTO if begun and resume == RESUME_LAST else resume
    resume_from = _checkpoint(checkpoints, main_resume)
    # Lightning's notices of hardware and tips are no news to the caller, who logs the epochs.
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    if world()[0] == 0:
        write_json(checkpoints / SETTINGS_FILE, asdict(settings))
    share = warm / (warm + settings.training.epochs)
    history: list[dict[str, float]] = []
    if warm and (begun or resume_from is None):
        begins = warm_settings(settings, warm)
        warm_resume = RESUME_NEVER if resume == RESUME_NEVER else RESUME_AUTO
        warm_from = _checkpoint(warm_folder, warm_resume)
        first = _fit(
            inputs,
            begins,
            warm_folder,
            warm_from,
            warm_from,
            report,
            start,
            0,
            (0.0, share),
            make_classifier(inputs, begins),
            settings.training.warm.validate_every,
        )
        history, start = first.history, first.model.light_state()
    fitted = _fit(
        inputs,
        settings,
        checkpoints,
        resume_from,
        resume_from or (warm_folder / LAST_CHECKPOINT if history else None),
        report,
        start,
        len(history),
        (share, 1.0),
        make_classifier(inputs, settings),
        every,
    )
    history = history + fitted.history
    trained = _finish(fitted, inputs, settings, history, len(history) - len(fitted.history))
    return replace(trained, warm_epochs=len(history)) if few else trained


def _fit(
    inputs: TextInputs,
    settings: TextSettings,
    checkpoints: Path,
    resume_from: Path | None,
    kept: Path | None,
    report: Report | None,
    start: Mapping[str, Tensor] | None,
    epochs_before: int,
    span: tuple[float, float],
    classifier: LinearTeacher | None,
    every: int = 1,
) -> _Fitted:
    """Train once, and return the model with the weights of its best epoch.

    It lies at ``span`` of the whole run, ``kept`` is the last checkpoint before it, and it is
    validated after ``every`` so many epochs.
    """
    training = settings.training
    L.seed_everything(settings.seed, workers=True, verbose=False)
    model = make_model(inputs, settings)
    if start is not None:
        model.load_light_state(start)
    data = make_data(inputs, settings)
    batches = -(-len(inputs.train) // training.batch)
    steps = training.epochs * -(-batches // training.accumulate)
    course = Course(*span, training.gradient_norms, training.refresh_steps)
    module = make_module(model, inputs, settings, steps, course, classifier)

    def shifted(epoch: int, figures: dict[str, float]) -> None:
        if report is not None:
            report(epochs_before + epoch, figures)

    history = History(shifted)
    best = ModelCheckpoint(
        dirpath=checkpoints,
        filename=BEST_NAME,
        monitor=SELECTION,
        mode='max',
        save_top_k=1,
        auto_insert_metric_name=False,
    )
    callbacks: list[L.Callback] = [StepSeed(settings.seed), history]
    if settings.curriculum.enabled:
        callbacks.append(Curriculum(settings.curriculum, settings.seed))
    if training.schedule == 'plateau':
        callbacks.append(PlateauRate(training.plateau_factor, training.plateau_patience))
    trainer = _trainer(training, every, checkpoints, kept, [*callbacks, best])
    with warnings.catch_warnings():
        # The data are in memory: worker processes would only copy them.
        warnings.filterwarnings('ignore', message='.*does not have many workers.*')
        warnings.filterwarnings('ignore', message='.*LeafSpec.*')
        warnings.filterwarnings('ignore', message='.*exists and is not empty.*')
        trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
    kept = torch.load(best.best_model_path, map_location='cpu', weights_only=True)
    module.cpu().load_state_dict(kept['state_dict'], strict=False)
    refreshed = module.refresh() if module.refresh is not None else None
    return _Fitted(module.model.eval(), history.epochs, int(kept['epoch']), refreshed)


def _check(inputs: TextInputs, settings: TextSettings) -> None:
    if not len(inputs.train):
        raise ConfigError(
            'there are no training queries: switch on data.plain_language.train or '
            'training.queries, or use a source with index entries'
        )
    if not sum(len(part) for part in inputs.validation.values()):
        raise ConfigError(
            'there are no validation queries, so no epoch can be chosen: switch on '
            'data.plain_language.validation, or use a source with index entries'
        )
    bare = np.flatnonzero((inputs.corpus.channels < 0).all(axis=1))
    if len(bare):
        raise ConfigError(
            f'code {inputs.taxonomy.codes[bare[0]]} and {len(bare) - 1} others have no text in '
            'model.channels, so they cannot be placed; add the channel title, which every code has'
        )
    check_objective(
        settings.objective,
        geometry=settings.model.geometry,
        experts=settings.model.fusion.kind == 'experts',
        router=settings.curriculum.router if settings.curriculum.enabled else 0,
    )


def _checkpoint(folder: Path, resume: str) -> Path | None:
    last = folder / LAST_CHECKPOINT
    if resume == RESUME_NEVER or (resume == RESUME_AUTO and not last.is_file()):
        return None
    path = last if resume in (RESUME_AUTO, RESUME_LAST) else Path(resume)
    if not path.is_file():
        raise ArtifactError(
            f'there is no checkpoint {path} to resume from; train without --resume, '
            'or name an existing file'
        )
    log.info('resuming from %s', path)
    return path


def _trainer(
    training: TrainingConfig,
    every: int,
    checkpoints: Path,
    kept: Path | None,
    callbacks: list[L.Callback],
) -> L.Trainer:
    limits = HealthLimits(
        residual=training.health.residual,
        bound_share=training.health.bound_share,
        min_rank=training.health.min_rank,
        min_radius_q05=training.health.min_radius_q05,
        max_radius_q95=training.health.max_radius_q95,
    )
    last = ModelCheckpoint(
        dirpath=checkpoints, filename='last', save_top_k=1, enable_version_counter=False
    )
    guard = HealthGuard(limits, checkpoints / LAST_CHECKPOINT, kept)
    stop = EarlyStopping(monitor=SELECTION, mode='max', patience=training.patience)
    # torchrun starts the processes and says how many there are; alone, there is one.
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    return L.Trainer(
        accelerator=training.accelerator,
        devices=processes,
        strategy='auto' if processes == 1 else 'ddp_find_unused_parameters_true',
        precision=training.precision,
        max_epochs=training.epochs,
        check_val_every_n_epoch=every,
        gradient_clip_val=training.clip,
        accumulate_grad_batches=training.accumulate,
        callbacks=[guard, *callbacks, stop, last],
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
    known = torch.from_numpy(inputs.supervised.copy())
    if not model.from_text and not bool(known.all()):
        # By the frozen embeddings, which are at hand; the regression takes their shift along.
        fused = model.fuse(model.channels, model.present).embedding
        by_text = model.head.tangent(fused).double()
        ridge = settings.model.placement_ridge
        tangents = follow_known_codes(by_text, tangents, level, known, ridge=ridge)
    state = model.light_state()
    adapters = {
        name: {key: value.clone() for key, value in weights.items()}
        for name, weights in model.encoder.adapter_states().items()
    }
    return TrainedText(
        tangents=at_level_radius(tangents, level, known),
        backbone=model.encoder.merged_backbone(),
        head=model.head,
        temperature=float(model.temperature),
        curvature=model.curvature,
        history=history,
        best_epoch=epochs_before + fitted.best_epoch,
        warm_epochs=epochs_before,
        parameters=parameters,
        state=state,
        adapters=adapters,
    )
