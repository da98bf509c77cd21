"""Checks that a text training can run with its settings, before anything is computed."""

from pathlib import Path

import numpy as np
import torch

from naics_embed.config.consistency import check_span, check_terms, sufficient_terms
from naics_embed.errors import ConfigError
from naics_embed.text.inputs import TextInputs
from naics_embed.training.inputs import TextSettings
from naics_embed.training.phases import plan_phases


def check_training(inputs: TextInputs, settings: TextSettings) -> None:
    """Raise ConfigError for inputs that cannot be trained on, and for terms that cannot act."""
    _check_machine(settings)
    _check_texts(inputs)
    check_terms(settings.model, settings.objective, settings.curriculum)
    for term in settings.objective.acting():
        term.check_inputs(inputs)
    for phase in plan_phases(settings, len(inputs.train), Path()):
        model, objective = phase.settings.model, phase.settings.objective
        terms = sufficient_terms(model, objective, teaches_leaves=inputs.teaches_leaves)
        check_span(terms, *phase.span)


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
