"""A code's channels, found among the codes of its level."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import Needs, Term

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Placement(Term):
    """The cross-entropy that finds a code by the fusion of its channels."""

    name: ClassVar[str] = 'placement'

    @property
    def needs(self) -> Needs:
        return Needs(placed=True)

    def value(self, step: 'Step') -> 'Tensor | None':
        if step.live is None:
            return None
        codes, channels = step.live
        fused = step.fuse(channels, step.model.present[codes])
        return step.cross_entropy(step.model.points(fused), codes)
