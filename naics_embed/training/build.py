"""From inputs and settings to the model, the data and the module of a training."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from naics_embed.config.model import ModelConfig
from naics_embed.geometry.spaces import make_space
from naics_embed.objective.stress import Stress
from naics_embed.objective.tree import TreeTargets
from naics_embed.objective.weighted_sum import Objective
from naics_embed.supervision.marks import pair_marks
from naics_embed.text.code_points import encode_all_channels
from naics_embed.text.corpus import QuerySet
from naics_embed.text.encoder import QUERY, AdapterSettings, SentenceEncoder, channel_adapter
from naics_embed.text.fusion.choice import make_fusion
from naics_embed.text.head import LorentzHead
from naics_embed.text.inputs import TextInputs
from naics_embed.text.model import TextModel
from naics_embed.text.regularise import EmbeddingNoise
from naics_embed.training.data import BatchSettings, Neighbours, TextDataModule
from naics_embed.training.inputs import TextSettings
from naics_embed.training.module import Rates, TextModule, TrainingSchedule
from naics_embed.training.validation import Validator


def make_model(inputs: TextInputs, settings: TextSettings) -> TextModel:
    """Build the model: table at the construction, head at the regression from frozen texts."""
    model = settings.model
    encoder = SentenceEncoder(
        inputs.backbone,
        AdapterSettings(
            rank=model.adapter_rank,
            alpha=model.adapter_alpha,
            dropout=model.adapter_dropout,
            frozen_layers=settings.frozen_layers,
            backbone_dropout=model.dropout,
            names=_adapters(settings),
            mode=model.mode,
            checkpointing=model.checkpointing,
        ),
    )
    head = LorentzHead(
        encoder.width, model.dim, c=model.curvature, r_max=model.r_max, units=model.head_units
    )
    queries = torch.from_numpy(inputs.corpus.embeddings[inputs.train.rows])
    targets = inputs.start[torch.from_numpy(inputs.train.targets)]
    head.fit_linear(queries, targets, model.head_ridge)
    fusion = make_fusion(
        model.fusion.kind,
        width=encoder.width,
        channels=len(model.channels),
        experts=model.fusion.experts,
        top=model.fusion.top,
        hidden=model.fusion.hidden,
    )
    built = TextModel(
        encoder,
        head,
        inputs.start,
        settings.objective.temperature,
        code_points=model.code_points,
        fusion=fusion,
        space=make_space(model.geometry, model.curvature),
        channels=inputs.corpus.channel_embeddings(),
        noise=EmbeddingNoise(model.embedding_dropout, model.embedding_noise),
        learn_curvature=model.learn_curvature,
    )
    if model.offset_start == 'construction':
        built.start_offsets(inputs.start, torch.from_numpy(inputs.supervised.copy()))
    return built


def make_data(inputs: TextInputs, settings: TextSettings) -> TextDataModule:
    """Build the data module."""
    placed = _placed(settings)
    sizes = BatchSettings(
        batch=settings.training.batch,
        placed=placed,
        channel_tokens=settings.model.channel_tokens,
        drawn=settings.objective.stress_codes,
        seed=settings.seed,
        part_cost=settings.training.part_cost,
        states=settings.model.mode != 'frozen',
        place_targets=settings.model.code_points != 'table',
    )
    validation = QuerySet(
        np.concatenate([part.rows for part in inputs.validation.values()]),
        np.concatenate([part.targets for part in inputs.validation.values()]),
    )
    supervised = np.flatnonzero(inputs.supervised)
    within = max((term.needs.partners for term in settings.objective.acting()), default=0)
    neighbours = None
    if within:
        neighbours = Neighbours(inputs.taxonomy.tree_distance, supervised, within)
    return TextDataModule(
        inputs.corpus,
        inputs.train,
        validation,
        supervised,
        sizes,
        settings.batch_tokens,
        neighbours,
    )


def make_states(inputs: TextInputs, settings: TextSettings) -> dict[str, nn.Module]:
    """Return what the terms keep during a training, by name: see `Term.prepare`."""
    prepared = {
        term.name: term.prepare(inputs, settings.seed) for term in settings.objective.acting()
    }
    return {name: state for name, state in prepared.items() if state is not None}


def make_module(
    model: TextModel,
    inputs: TextInputs,
    settings: TextSettings,
    steps: int,
    schedule: TrainingSchedule,
    states: Mapping[str, nn.Module] | None = None,
) -> TextModule:
    """Build the Lightning module.

    Args:
        model: from `make_model`.
        inputs: inputs of the stage.
        settings: how it trains.
        steps: optimiser steps in all.
        schedule: where in the whole run this training lies.
        states: from `make_states`; terms that need one do not act without.
    """
    taxonomy, training = inputs.taxonomy, settings.training
    pairs = inputs.redirect_pairs
    tree = TreeTargets(
        torch.from_numpy(taxonomy.level.astype(np.int64)),
        torch.from_numpy(inputs.supervised.copy()),
        torch.from_numpy(taxonomy.tree_distance.copy()),
        settings.objective.term(Stress).near_distance,
        parent=torch.from_numpy(taxonomy.parent.astype(np.int64)),
        ancestors=torch.from_numpy(taxonomy.ancestors.astype(np.int64)),
        marks=torch.from_numpy(pair_marks(taxonomy, set() if pairs is None else pairs)),
        start=inputs.start,
    )
    rates = Rates(
        adapter=training.lr_adapter,
        head=training.lr_head,
        table=training.lr_table,
        temperature=training.lr_temperature,
        weight_decay=training.weight_decay,
        warmup=training.warmup,
        steps=steps,
        cosine=training.schedule == 'cosine',
    )
    validator = Validator(
        {kind: part.targets for kind, part in inputs.validation.items()},
        taxonomy,
        inputs.supervised,
        space=lambda: model.space,
        sample=settings.objective.stress_codes,
        seed=settings.seed,
    )
    return TextModule(
        model,
        Objective([*settings.objective.acting()], tree, settings.model.channels, states),
        rates,
        validator,
        sum(len(part) for part in inputs.validation.values()),
        schedule,
        _refresh(model, inputs, settings),
    )


def _placed(settings: TextSettings) -> int:
    """Return how many codes a step encodes: none where nothing would read them."""
    model, objective = settings.model, settings.objective
    trains_channels = model.code_points != 'table' and model.mode != 'frozen'
    needed = any(term.needs.placed for term in objective.acting())
    return objective.placed_codes if needed or trains_channels else 0


def _adapters(settings: TextSettings) -> tuple[str, ...]:
    model: ModelConfig = settings.model
    # Adapters of channels that are never trained would leave channels and queries in two spaces.
    if model.shared_adapter or not _placed(settings):
        return (QUERY,)
    return (QUERY, *(channel_adapter(channel) for channel in model.channels))


def _refresh(
    model: TextModel, inputs: TextInputs, settings: TextSettings
) -> Callable[[], Tensor] | None:
    if not model.from_text or settings.model.mode == 'frozen':
        return None

    def refresh() -> Tensor:
        return encode_all_channels(
            model.encoder,
            inputs.corpus,
            settings.model.channels,
            limit=settings.model.channel_tokens,
            batch_tokens=settings.batch_tokens,
            device=model.channels.device,
        )

    return refresh
