"""Sections that contradict each other: found when the configuration is loaded."""

from collections.abc import Sequence

from naics_embed.config.model import ModelConfig
from naics_embed.config.objective import ObjectiveConfig
from naics_embed.config.training import CurriculumConfig, HeadOnlyConfig
from naics_embed.errors import ConfigError
from naics_embed.objective.contrast import Contrast
from naics_embed.objective.distillation import Distillation
from naics_embed.objective.placement import Placement
from naics_embed.objective.term import Schedule, Term


def check_terms(
    model: ModelConfig, objective: ObjectiveConfig, curriculum: CurriculumConfig
) -> None:
    """Raise ConfigError for terms and mechanisms that cannot act with this model."""
    for term in objective.acting():
        term.check_model(model)
    free = model.code_points == 'table'
    if model.fusion.kind != 'masked_mean' and free and not objective.term(Placement).weight > 0:
        raise ConfigError(
            f'model.fusion.kind={model.fusion.kind} learns from objective.placement, or from '
            'model.code_points of texts: both are off'
        )
    if not curriculum.enabled:
        return
    if not (objective.term(Contrast).weight > 0 or curriculum.retrieval):
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
    terms: list[Schedule] = [*sufficient_terms(model, objective, teaches_leaves=True)]
    distillation = objective.term(Distillation)
    if head_only.distillation > 0 and not distillation.weight > 0:
        terms.append(distillation)
    check_span(terms, 0.0, 1.0)


def sufficient_terms(
    model: ModelConfig, objective: ObjectiveConfig, *, teaches_leaves: bool
) -> list[Term]:
    """Return the terms with a weight that a training can learn from, each alone.

    Args:
        model: the space and the encoder.
        objective: the terms.
        teaches_leaves: whether a training query has a six-digit code, which distillation needs.
    """
    return [
        term for term in objective.acting() if term.suffices(model, teaches_leaves=teaches_leaves)
    ]


def check_span(terms: Sequence[Schedule], begin: float, end: float) -> None:
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
