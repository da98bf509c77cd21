"""Small offsets of codes from the points that their texts give."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import ModelChoice, Term

if TYPE_CHECKING:
    from torch import Tensor, nn

    from naics_embed.objective.step import Step
    from naics_embed.text.model import TextModel


@dataclass(frozen=True, kw_only=True)
class Offset(Term):
    """Penalty on the codes' own offsets, for ``model.code_points=text+offset``."""

    name: ClassVar[str] = 'offset'
    waits_for: ClassVar[tuple[str, str] | None] = ('model.code_points', 'text+offset')

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        return False

    def acts(self, model: 'TextModel', state: 'nn.Module | None') -> bool:
        return model.offset is not None

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.offset import offset_penalty

        assert step.model.offset is not None
        return offset_penalty(step.model.offset, step.tree.supervised)
