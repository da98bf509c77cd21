"""Children in the entailment cones of their parents."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.errors import ConfigError
from naics_embed.objective.term import ModelChoice, Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Cone(Term):
    """Children in the entailment cones of their parents.

    Attributes:
        aperture: K, how wide cones are.
    """

    name: ClassVar[str] = 'cone'
    aperture: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.aperture > 0, 'objective.cone.aperture', self.aperture, 'positive')

    def check_model(self, model: ModelChoice) -> None:
        if model.geometry != 'lorentz':
            raise ConfigError('objective.cone is defined in the Lorentz geometry only')

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.geometry.spaces import LorentzSpace
        from naics_embed.losses.cone import entailment

        space = step.model.space
        assert isinstance(space, LorentzSpace)
        parent, child = step.tree.edges
        return entailment(step.codes[parent], step.codes[child], c=space.c, aperture=self.aperture)
