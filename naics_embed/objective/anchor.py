"""Sentence embeddings stay near those of the frozen backbone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.errors import ConfigError
from naics_embed.objective.term import ModelChoice, Needs, Term

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Anchor(Term):
    """Sentence embeddings near those of the frozen backbone."""

    name: ClassVar[str] = 'anchor'

    @property
    def needs(self) -> Needs:
        return Needs(queries=True)

    def check_model(self, model: ModelChoice) -> None:
        if model.mode == 'frozen':
            raise ConfigError(
                'objective.anchor holds embeddings near the frozen ones, which they are in '
                'model.mode=frozen: set its weight to 0'
            )

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        return model.mode != 'frozen'

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.anchor import embedding_anchor

        return embedding_anchor(step.queries, step.frozen)
