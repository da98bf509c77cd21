"""Answers as a linear classifier of the frozen texts gives them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.errors import ConfigError
from naics_embed.objective.term import ModelChoice, Needs, Term
from naics_embed.text.linear_settings import LinearTeacherSettings
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from naics_embed.objective.step import Step
    from naics_embed.text.inputs import TextInputs
    from naics_embed.text.linear_teacher import LinearTeacher
    from naics_embed.text.model import TextModel


@dataclass(frozen=True, kw_only=True)
class Distillation(Term):
    """Answers as a linear classifier of the frozen texts gives them.

    Attributes:
        mix: largest fraction of another text that a text is mixed with.
        noise: expected length of the noise on the mixed embedding.
        classifier: how that classifier is fitted.
    """

    name: ClassVar[str] = 'distillation'
    mix: float
    noise: float
    classifier: LinearTeacherSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        name = 'objective.distillation'
        require(0 <= self.mix <= 1, f'{name}.mix', self.mix, 'in [0, 1]')
        require(self.noise >= 0, f'{name}.noise', self.noise, 'at least 0')
        fitted = self.classifier
        for key in ('epochs', 'batch'):
            count = getattr(fitted, key)
            require(count >= 1, f'{name}.classifier.{key}', count, 'at least 1')
        for key in ('lr', 'scale'):
            value = getattr(fitted, key)
            require(value > 0, f'{name}.classifier.{key}', value, 'positive')
        dropped = fitted.dropout
        require(0 <= dropped < 1, f'{name}.classifier.dropout', dropped, 'in [0, 1)')

    @property
    def needs(self) -> Needs:
        return Needs(queries=True)

    def check_inputs(self, inputs: 'TextInputs') -> None:
        if not inputs.teaches_leaves:
            raise ConfigError(
                'objective.distillation needs training queries of six-digit codes, and there are '
                'none: set its weight to 0'
            )

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        return teaches_leaves

    def prepare(self, inputs: 'TextInputs', seed: int) -> 'LinearTeacher | None':
        """Fit the classifier on frozen embeddings; None without training queries of leaves."""
        if not inputs.teaches_leaves:
            return None
        import torch

        from naics_embed.text.linear_teacher import fit_linear_teacher

        return fit_linear_teacher(
            torch.from_numpy(inputs.corpus.embeddings[inputs.train.rows]),
            torch.from_numpy(inputs.train.targets),
            torch.from_numpy(inputs.leaves),
            self.classifier,
            seed,
        )

    def acts(self, model: 'TextModel', state: 'nn.Module | None') -> bool:
        return state is not None

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.distillation import distillation, mix_texts
        from naics_embed.text.linear_teacher import LinearTeacher

        classifier, model = step.states[self.name], step.model
        assert isinstance(classifier, LinearTeacher)
        mixed, mixed_frozen = mix_texts(step.queries, step.frozen, self.mix, self.noise)
        points = model.space.exp0(model.head.tangent(mixed).double())
        distances = model.space.pairwise(points, step.codes[classifier.codes])
        return distillation(distances, classifier(mixed_frozen), model.temperature)
