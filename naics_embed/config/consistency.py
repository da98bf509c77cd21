"""Sections that contradict each other: found when the configuration is loaded."""

from collections.abc import Sequence

from naics_embed.config.model import ModelConfig
from naics_embed.config.objective import ObjectiveConfig, ScheduleConfig
from naics_embed.config.training import CurriculumConfig, HeadOnlyConfig
from naics_embed.errors import ConfigError

ALONE = ('retrieval', 'dcl', 'hierarchy', 'rank', 'radial', 'cone', 'teacher')
"""Terms that alone are enough to learn from, with every model."""


def check_terms(
    model: ModelConfig, objective: ObjectiveConfig, curriculum: CurriculumConfig
) -> None:
    """Raise ConfigError for terms and mechanisms that cannot act with this model."""
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


def check_some_term(
    model: ModelConfig, objective: ObjectiveConfig, head_only: HeadOnlyConfig
) -> None:
    """Raise ConfigError where a part of every run is left without any term.

    Training checks it again, part by part, with what the training texts allow.
    """
    terms = acting_terms(model, objective, taught=True)
    if head_only.distillation > 0 and not objective.distillation.weight > 0:
        terms.append(objective.distillation)
    check_span(terms, 0.0, 1.0)


def acting_terms(
    model: ModelConfig, objective: ObjectiveConfig, *, taught: bool
) -> list[ScheduleConfig]:
    """Return the schedules of the terms that have a weight and can act.

    Args:
        model: the space and the encoder.
        objective: the terms.
        taught: whether a training query has a six-digit code, which distillation needs.
    """
    names = [*ALONE]
    if taught:
        names.append('distillation')
    if model.mode != 'frozen':
        names.append('anchor')
    terms: list[tuple[float, ScheduleConfig]] = [
        (objective.stress, objective.stress_schedule),
        (objective.placement, objective.placement_schedule),
        *((term.weight, term) for term in (getattr(objective, name) for name in names)),
    ]
    return [schedule for weight, schedule in terms if weight > 0]


def check_span(terms: Sequence[ScheduleConfig], begin: float, end: float) -> None:
    """Raise ConfigError where none of the terms acts somewhere between two fractions of a run."""
    while begin < end:
        # A term with a ramp weighs nothing at its very start.
        ends = [
            term.end
            for term in terms
            if term.start < begin < term.end or (term.start == begin and not term.ramp)
        ]
        if not ends:
            raise ConfigError(
                f'no term of the objective acts at {begin:g} of the run: let one with a weight '
                'begin there, without a ramp, or end later'
            )
        begin = max(ends)
