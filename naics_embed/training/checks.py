"""Whether a text training can do what its settings ask: errors before anything is computed."""

import numpy as np
import torch

from naics_embed.config.objective import ScheduleConfig
from naics_embed.errors import ConfigError
from naics_embed.training.inputs import TextInputs, TextSettings
from naics_embed.training.warm import heads_only, warm_epochs, warm_settings, warm_share

ALONE = ('retrieval', 'dcl', 'hierarchy', 'rank', 'radial', 'cone', 'teacher')
"""Terms that alone are enough to learn from, with every model."""


def check_training(inputs: TextInputs, settings: TextSettings) -> None:
    """Raise ConfigError for inputs that cannot be trained on, and for terms that cannot act."""
    _check_machine(settings)
    _check_texts(inputs)
    check_terms(settings)
    taught = inputs.teaches_leaves
    if settings.objective.distillation.weight > 0 and not taught:
        raise ConfigError(
            'objective.distillation asks a classifier of six-digit codes, and no training query '
            'has one: set its weight to 0'
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


def check_terms(settings: TextSettings) -> None:
    """Raise ConfigError for terms and mechanisms that cannot act with this model."""
    objective, model, curriculum = settings.objective, settings.model, settings.curriculum
    if model.geometry != 'lorentz' and objective.cone.weight > 0:
        raise ConfigError('objective.cone is defined in the Lorentz geometry only')
    if model.mode == 'frozen' and objective.anchor.weight > 0:
        raise ConfigError(
            'objective.anchor holds embeddings near the frozen ones, which they are in model.mode='
            'frozen: set its weight to 0'
        )
    free = model.code_points == 'table'
    if model.fusion.kind != 'masked_mean' and free and not objective.placement > 0:
        raise ConfigError(
            f'model.fusion.kind={model.fusion.kind} learns from objective.placement, or from '
            'model.code_points of texts: both are off'
        )
    if not curriculum.enabled:
        return
    if not (objective.dcl.weight > 0 or curriculum.retrieval):
        raise ConfigError(
            'curriculum.enabled changes the negatives of objective.dcl, or of queries with '
            'curriculum.retrieval=true: both are off'
        )
    if curriculum.router and model.fusion.kind != 'experts':
        raise ConfigError('curriculum.router needs model.fusion.kind=experts, which has a gate')


def _check_always(settings: TextSettings, queries: int, taught: bool) -> None:
    """Raise ConfigError where the schedules leave a part of the run without any term."""
    warm = warm_epochs(settings, queries)
    if heads_only(settings, queries):
        _check_span(warm_settings(settings, warm), 0.0, 1.0, taught)
        return
    share = warm_share(settings, queries)
    if warm:
        _check_span(warm_settings(settings, warm), 0.0, share, taught)
    _check_span(settings, share, 1.0, taught)


def _check_span(settings: TextSettings, begin: float, end: float, taught: bool) -> None:
    objective = settings.objective
    names = [*ALONE]
    if taught:
        names.append('distillation')
    if settings.model.mode != 'frozen':
        names.append('anchor')
    terms: list[tuple[float, ScheduleConfig]] = [
        (objective.stress, objective.stress_schedule),
        (objective.placement, objective.placement_schedule),
        *((term.weight, term) for term in (getattr(objective, name) for name in names)),
    ]
    acting = [schedule for weight, schedule in terms if weight > 0]
    while begin < end:
        # A term with a ramp weighs nothing at its very start.
        ends = [
            term.end
            for term in acting
            if term.start < begin < term.end or (term.start == begin and not term.ramp)
        ]
        if not ends:
            raise ConfigError(
                f'no term of the objective acts at {begin:g} of the run: let one with a weight '
                'begin there, without a ramp, or end later'
            )
        begin = max(ends)


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
            'model.channels, so they cannot be placed; add the channel title, which every code has'
        )
