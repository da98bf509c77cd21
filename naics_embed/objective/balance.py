"""Even load of the experts that fuse a code's channels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import ModelChoice, Term

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Balance(Term):
    """Even load of the experts, for ``model.fusion.kind=experts``."""

    name: ClassVar[str] = 'balance'
    waits_for: ClassVar[tuple[str, str] | None] = ('model.fusion.kind', 'experts')

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        return False

    def value(self, step: 'Step') -> 'Tensor | None':
        return step.balance
