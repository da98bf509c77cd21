"""Order of distances within lists of codes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Rank(Term):
    """Order of distances by D*.

    Attributes:
        temperature: distance by which an inversion counts fully.
        anchors: lists in a step.
        listed: codes in a list.
    """

    name: ClassVar[str] = 'rank'
    temperature: float
    anchors: int
    listed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.temperature > 0, 'objective.rank.temperature', self.temperature, 'positive')
        for name in ('anchors', 'listed'):
            count = getattr(self, name)
            require(count >= 2, f'objective.rank.{name}', count, 'at least 2')

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.rank import rank_order

        # The last ones drawn: where anchors bring partners, these are not among the anchors.
        lists = slice(None, self.anchors), slice(-self.listed, None)
        return rank_order(step.drawn_distances[lists], step.drawn_tree[lists], self.temperature)
