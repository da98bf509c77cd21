"""Codes at the radius of their level."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Radial(Term):
    """Radius by level.

    Attributes:
        delta: deviation at which the Huber loss turns from quadratic to linear.
    """

    name: ClassVar[str] = 'radial'
    delta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.delta > 0, 'objective.radial.delta', self.delta, 'positive')

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.radial import radial

        chosen = step.tree.supervised
        radius = step.tangents[chosen].norm(dim=-1)
        return radial(radius, step.tree.level_radius[chosen], self.delta)
