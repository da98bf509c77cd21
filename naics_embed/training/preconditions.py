"""Checks that a text training can run with its settings, before anything is computed."""

import numpy as np
import torch

from naics_embed.config.consistency import acting_terms, check_span, check_terms
from naics_embed.errors import ConfigError
from naics_embed.training.head_only import (
    head_only_epochs,
    head_only_fraction,
    head_only_settings,
    heads_only,
)
from naics_embed.training.inputs import TextInputs, TextSettings


def check_training(inputs: TextInputs, settings: TextSettings) -> None:
    """Raise ConfigError for inputs that cannot be trained on, and for terms that cannot act."""
    _check_machine(settings)
    _check_texts(inputs)
    check_terms(settings.model, settings.objective, settings.curriculum)
    taught = inputs.teaches_leaves
    if settings.objective.distillation.weight > 0 and not taught:
        raise ConfigError(
            'objective.distillation needs training queries of six-digit codes, and there are none: '
            'set its weight to 0'
        )
    _check_always(settings, len(inputs.train), taught)
    against = inputs.train.against
    if settings.objective.retrieval.forced_negatives and (
        against is None or not bool((against >= 0).any())
    ):
        raise ConfigError(
            'objective.retrieval.forced_negatives needs queries that were redirected from another '
            'code: set training.queries.redirections=true, and use a source with cross-references'
        )


def _check_always(settings: TextSettings, queries: int, taught: bool) -> None:
    """Raise ConfigError where the schedules leave a part of the run without any term."""
    head_only = head_only_epochs(settings, queries)
    if heads_only(settings, queries):
        _check_span(head_only_settings(settings, head_only), 0.0, 1.0, taught)
        return
    fraction = head_only_fraction(settings, queries)
    if head_only:
        _check_span(head_only_settings(settings, head_only), 0.0, fraction, taught)
    _check_span(settings, fraction, 1.0, taught)


def _check_span(settings: TextSettings, begin: float, end: float, taught: bool) -> None:
    check_span(acting_terms(settings.model, settings.objective, taught=taught), begin, end)


def _check_machine(settings: TextSettings) -> None:
    accelerator = settings.training.accelerator
    if accelerator in ('gpu', 'cuda') and not torch.cuda.is_available():
        raise ConfigError(
            f'training.accelerator={accelerator}, but torch sees no GPU here: set '
            'training.accelerator=auto, or train on a host with one'
        )


def _check_texts(inputs: TextInputs) -> None:
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
            'model.channels and cannot be embedded; add the channel title, which every code has'
        )
