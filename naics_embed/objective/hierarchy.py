"""Correlation of distances with D*, list by list."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import Term

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Hierarchy(Term):
    """Correlation of the distances of drawn codes with D*."""

    name: ClassVar[str] = 'hierarchy'

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.hierarchy import hierarchy_preservation

        return hierarchy_preservation(step.drawn_distances, step.drawn_tree)
