"""Codes near the points of the construction."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Teacher(Term):
    """Codes near the points of the construction.

    Attributes:
        delta: distance at which the Huber loss turns from quadratic to linear.
    """

    name: ClassVar[str] = 'teacher'
    delta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.delta > 0, 'objective.teacher.delta', self.delta, 'positive')

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.teacher import teacher

        chosen, space = step.tree.supervised, step.model.space
        distances = space.distance(step.codes[chosen], space.exp0(step.tree.start[chosen]))
        return teacher(distances, self.delta)
