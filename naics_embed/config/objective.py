"""The training objective: sizes of a step, and a section for each registered term."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from naics_embed.objective.term import Term
from naics_embed.value_checks import require

T = TypeVar('T', bound=Term)


@dataclass(frozen=True)
class ObjectiveConfig:
    """The training objective.

    Attributes:
        temperature: initial factor on the negated distance in the cross-entropy; learned.
        stress_codes: codes drawn at each step, all pairs of which enter terms of the tree.
        placed_codes: codes embedded from their channels at each step.
        terms: name → term, each a section of its own beside these keys: `objective.registry`.
    """

    temperature: float
    stress_codes: int
    placed_codes: int
    terms: Mapping[str, Term]

    def __post_init__(self) -> None:
        require(self.temperature > 0, 'objective.temperature', self.temperature, 'positive')
        for name, least in (('stress_codes', 2), ('placed_codes', 1)):
            count = getattr(self, name)
            require(count >= least, f'objective.{name}', count, f'at least {least}')

    def term(self, kind: type[T]) -> T:
        """Return the term of a class."""
        term = self.terms[kind.name]
        assert isinstance(term, kind)
        return term

    def changed(self, term: Term) -> 'ObjectiveConfig':
        """Return the objective with another setting of one term."""
        return replace(self, terms={**self.terms, term.name: term})

    def acting(self) -> Iterator[Term]:
        """Yield the terms that have a weight, in the order in which a step computes them."""
        for term in self.terms.values():
            yield from (part for part in term.parts() if part.weight > 0)
