"""The text stage: from texts and a starting table to a trained text model."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor
from transformers import PreTrainedModel

from naics_embed.config.schema import ModelConfig, ObjectiveConfig, TrainingConfig
from naics_embed.errors import ArtifactError, ConfigError
from naics_embed.geometry.lorentz import log0
from naics_embed.metrics.health import HealthLimits
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.corpus import QuerySet, TextCorpus
from naics_embed.text.encoder import AdapterSettings, SentenceEncoder
from naics_embed.text.head import LorentzHead
from naics_embed.text.model import TextModel
from naics_embed.text.placement import at_level_radius
from naics_embed.training.callbacks import HealthGuard, History, Report, StepSeed
from naics_embed.training.data import BatchSettings, TextDataModule
from naics_embed.training.module import (
    SELECTION,
    Rates,
    TextModule,
    TreeTargets,
    Weights,
    count_parameters,
)
from naics_embed.training.validation import Validator

log = logging.getLogger(__name__)

RESUME_AUTO = 'auto'
RESUME_LAST = 'last'
RESUME_NEVER = 'never'
LAST_CHECKPOINT = 'last.ckpt'
PLACED_AT_ONCE = 64


@dataclass(frozen=True)
class TextInputs:
    """What the text stage starts from.

    Attributes:
        taxonomy: the tree.
        supervised: bool ``(n,)``; hidden codes enter no loss.
        corpus: tokens, frozen embeddings, states and channels.
        train: training queries, of supervised codes only.
        validation: validation queries by kind, each of supervised leaf codes.
        start: float64 ``(n, dim)`` tangents that the table starts at.
        backbone: the transformer, as published.
    """

    taxonomy: Taxonomy
    supervised: np.ndarray
    corpus: TextCorpus
    train: QuerySet
    validation: Mapping[str, QuerySet]
    start: Tensor
    backbone: PreTrainedModel


@dataclass(frozen=True)
class TrainedText:
    """What the text stage yields: the best epoch by validation, not the last.

    Attributes:
        tangents: float64 ``(n, dim)``, all codes; hidden ones lie where their texts alone place
            them, at the usual radius of their level.
        backbone: the transformer with the adapter folded in.
        head: the Lorentz head.
        temperature: factor on the distance in the cross-entropy.
        history: figures of each epoch.
        best_epoch: the epoch that was kept.
        parameters: numbers of all and of trainable parameters.
    """

    tangents: Tensor
    backbone: PreTrainedModel
    head: LorentzHead
    temperature: float
    history: list[dict[str, float]]
    best_epoch: int
    parameters: dict[str, int]


@dataclass(frozen=True)
class TextSettings:
    """Settings of the text stage.

    Attributes:
        model: space and encoder.
        objective: weights of the terms.
        training: the optimisation.
        frozen_layers: lower layers without adapters.
        batch_tokens: tokens of an inference batch.
        seed: seed of every draw.
    """

    model: ModelConfig
    objective: ObjectiveConfig
    training: TrainingConfig
    frozen_layers: int
    batch_tokens: int
    seed: int


def train_text(
    inputs: TextInputs,
    settings: TextSettings,
    checkpoints: Path,
    *,
    resume: str = RESUME_AUTO,
    report: Report | None = None,
) -> TrainedText:
    """Train query encoder and code table, and return the best epoch by validation.

    Args:
        inputs: what to start from.
        settings: how to train.
        checkpoints: directory for ``last.ckpt`` and the best checkpoint.
        resume: ``auto`` continues from ``last.ckpt`` where there is one, ``last`` insists on it,
            ``never`` starts afresh; anything else is the path of a checkpoint.
        report: called after each epoch with its number and figures.

    Raises:
        ConfigError: there are no queries to train or to validate on, or a code has no text.
        ArtifactError: the checkpoint to resume from does not exist.
        HealthError: the table left the range in which its numbers can be trusted.
    """
    _check(inputs)
    start_from = _checkpoint(checkpoints, resume)
    # Lightning's notices of hardware and tips are no news to the caller, who logs the epochs.
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    L.seed_everything(settings.seed, workers=True, verbose=False)
    model = _model(inputs, settings)
    data = _data(inputs, settings)
    steps = settings.training.epochs * -(-len(inputs.train) // settings.training.batch)
    module = _module(model, inputs, settings, steps)
    history = History(report)
    best = ModelCheckpoint(
        dirpath=checkpoints,
        filename='best-{epoch:02d}',
        monitor=SELECTION,
        mode='max',
        save_top_k=1,
    )
    seed = StepSeed(settings.seed)
    trainer = _trainer(settings.training, checkpoints, [seed, history, best])
    with warnings.catch_warnings():
        # The data are in memory: worker processes would only copy them.
        warnings.filterwarnings('ignore', message='.*does not have many workers.*')
        warnings.filterwarnings('ignore', message='.*LeafSpec.*')
        warnings.filterwarnings('ignore', message='.*exists and is not empty.*')
        trainer.fit(module, datamodule=data, ckpt_path=start_from, weights_only=True)
    kept = torch.load(best.best_model_path, map_location='cpu', weights_only=True)
    module.load_state_dict(kept['state_dict'], strict=False)
    return _finish(module.model.cpu().eval(), inputs, settings, history.epochs, int(kept['epoch']))


def _check(inputs: TextInputs) -> None:
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


def _model(inputs: TextInputs, settings: TextSettings) -> TextModel:
    model = settings.model
    encoder = SentenceEncoder(
        inputs.backbone,
        AdapterSettings(
            rank=model.adapter_rank,
            alpha=model.adapter_alpha,
            dropout=model.adapter_dropout,
            frozen_layers=settings.frozen_layers,
            backbone_dropout=model.dropout,
        ),
    )
    head = LorentzHead(encoder.width, model.dim, c=model.curvature, r_max=model.r_max)
    queries = torch.from_numpy(inputs.corpus.embeddings[inputs.train.rows])
    targets = inputs.start[torch.from_numpy(inputs.train.targets)]
    head.fit_linear(queries, targets, model.head_ridge)
    return TextModel(encoder, head, inputs.start, settings.objective.temperature)


def _data(inputs: TextInputs, settings: TextSettings) -> TextDataModule:
    sizes = BatchSettings(
        batch=settings.training.batch,
        placed=settings.objective.placed_codes,
        channel_tokens=settings.model.channel_tokens,
        drawn=settings.objective.stress_codes,
        seed=settings.seed,
    )
    validation = QuerySet(
        np.concatenate([part.rows for part in inputs.validation.values()]),
        np.concatenate([part.targets for part in inputs.validation.values()]),
    )
    return TextDataModule(
        inputs.corpus,
        inputs.train,
        validation,
        np.flatnonzero(inputs.supervised),
        sizes,
        settings.batch_tokens,
    )


def _module(model: TextModel, inputs: TextInputs, settings: TextSettings, steps: int) -> TextModule:
    taxonomy = inputs.taxonomy
    objective, training = settings.objective, settings.training
    tree = TreeTargets.of(
        torch.from_numpy(taxonomy.level.astype(np.int64)),
        torch.from_numpy(inputs.supervised.copy()),
        torch.from_numpy(taxonomy.tree_distance.copy()),
        objective.near_distance,
    )
    rates = Rates(
        adapter=training.lr_adapter,
        head=training.lr_head,
        table=training.lr_table,
        temperature=training.lr_temperature,
        weight_decay=training.weight_decay,
        warmup=training.warmup,
        steps=steps,
    )
    weights = Weights(objective.stress, objective.near_weight, objective.placement)
    size = sum(len(part) for part in inputs.validation.values())
    return TextModule(
        model,
        tree,
        weights,
        rates,
        Validator(
            {kind: part.targets for kind, part in inputs.validation.items()},
            inputs.taxonomy,
            inputs.supervised,
            curvature=settings.model.curvature,
            sample=settings.objective.stress_codes,
            seed=settings.seed,
        ),
        size,
    )


def _trainer(training: TrainingConfig, checkpoints: Path, callbacks: list[L.Callback]) -> L.Trainer:
    health = HealthLimits(
        residual=training.health.residual,
        bound_share=training.health.bound_share,
        min_rank=training.health.min_rank,
        min_radius_q05=training.health.min_radius_q05,
        max_radius_q95=training.health.max_radius_q95,
    )
    last = ModelCheckpoint(
        dirpath=checkpoints, filename='last', save_top_k=1, enable_version_counter=False
    )
    stop = EarlyStopping(monitor=SELECTION, mode='max', patience=training.patience)
    return L.Trainer(
        accelerator=training.accelerator,
        devices=1,
        precision=training.precision,
        max_epochs=training.epochs,
        gradient_clip_val=training.clip,
        callbacks=[HealthGuard(health, checkpoints), *callbacks, stop, last],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


@torch.inference_mode()
def _finish(
    model: TextModel,
    inputs: TextInputs,
    settings: TextSettings,
    history: list[dict[str, float]],
    best_epoch: int,
) -> TrainedText:
    parameters = count_parameters(model)
    tangents = log0(model.code_points(), c=settings.model.curvature).clone()
    unseen = np.flatnonzero(~inputs.supervised)
    for start in range(0, len(unseen), PLACED_AT_ONCE):
        rows = unseen[start : start + PLACED_AT_ONCE]
        tangents[torch.from_numpy(rows)] = _place(model, inputs.corpus, rows, settings)
    level = torch.from_numpy(inputs.taxonomy.level.astype(np.int64))
    known = torch.from_numpy(inputs.supervised.copy())
    return TrainedText(
        tangents=at_level_radius(tangents, level, known),
        backbone=model.encoder.merged_backbone(),
        head=model.head,
        temperature=float(model.temperature),
        history=history,
        best_epoch=best_epoch,
        parameters=parameters,
    )


def _place(
    model: TextModel, corpus: TextCorpus, rows: np.ndarray, settings: TextSettings
) -> Tensor:
    """Return the tangents of some codes as their texts alone place them."""
    texts = corpus.channels[rows]
    present = texts >= 0
    hidden, mask = corpus.hidden(
        np.where(present, texts, texts.max()).ravel(), settings.model.channel_tokens
    )
    pooled = model.encoder.upper(hidden, mask).view(*present.shape, -1)
    points = model.place(pooled, torch.from_numpy(present))
    return log0(points, c=settings.model.curvature)
