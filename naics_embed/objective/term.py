"""What a term of the training objective is.

Loading a configuration makes the terms, so their files import torch only where they compute.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from naics_embed.objective.step import Step
    from naics_embed.text.inputs import TextInputs
    from naics_embed.text.model import TextModel


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a term acts, in fractions of the run: 0 is its first step and 1 its end.

    Attributes:
        start: where it begins.
        end: where it ends.
        ramp: fraction over which it rises linearly after ``start``.
        fade: fraction over which it falls linearly before ``end``.

    Example:
        >>> Schedule(start=0.5, ramp=0.2).factor(0.6)
        0.5
    """

    start: float = 0.0
    end: float = 1.0
    ramp: float = 0.0
    fade: float = 0.0

    def __post_init__(self) -> None:
        kept = 0 <= self.start < self.end <= 1
        span = (self.start, self.end)
        require(kept, 'start, end of a term', span, 'in order and in [0, 1]')
        for name in ('ramp', 'fade'):
            fraction = getattr(self, name)
            require(0 <= fraction <= 1, f'{name} of a term', fraction, 'in [0, 1]')

    def factor(self, progress: float) -> float:
        """Return the factor on the weight, in [0, 1], at a fraction of the run in [0, 1].

        It is 0 outside ``[start, end)``, rises linearly over ``ramp`` and falls over ``fade``. A
        term that ends with the run acts in its last step too.
        """
        if progress < self.start or (progress >= self.end and self.end < 1):
            return 0.0
        rise = 1.0 if not self.ramp else min(1.0, (progress - self.start) / self.ramp)
        fall = 1.0 if not self.fade else min(1.0, (self.end - progress) / self.fade)
        return max(0.0, min(rise, fall))

    @property
    def when(self) -> dict[str, float]:
        """The schedule alone, as arguments of another term with the same one."""
        return {name: getattr(self, name) for name in ('start', 'end', 'ramp', 'fade')}


@dataclass(frozen=True)
class Needs:
    """What a term has the training prepare for each step.

    Attributes:
        queries: the embeddings of the step's queries.
        placed: some codes that are embedded from their channels.
        partners: a code within this D* of each anchor among the drawn codes; 0 for none.
    """

    queries: bool = False
    placed: bool = False
    partners: int = 0


class ModelChoice(Protocol):
    """What terms ask of the configured model, a `ModelConfig`."""

    @property
    def geometry(self) -> str: ...

    @property
    def mode(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Term(Schedule, ABC):
    """A term of the objective: the section ``objective.<name>``, and what follows from it.

    A subclass adds its settings as fields, and a line in `registry.TERMS`. A weight of 0 switches a
    term off, and then nothing of it is computed.

    Attributes:
        weight: its weight.
        name: its key in the section ``objective``, and its name in metrics.
        needs: what it has the training prepare.
        waits_for: key and value of the one model that it acts on; None for any.
    """

    weight: float = 0.0
    name: ClassVar[str]
    waits_for: ClassVar[tuple[str, str] | None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight >= 0, f'objective.{self.name}.weight', self.weight, 'at least 0')

    @property
    def needs(self) -> Needs:
        """What it has the training prepare."""
        return Needs()

    def parts(self) -> 'tuple[Term, ...]':
        """Return the terms of this section: itself, and those whose weights follow its own."""
        return (self,)

    def check_model(self, model: ModelChoice) -> None:
        """Raise ConfigError where it cannot act with this model; called with a weight only."""

    def check_inputs(self, inputs: 'TextInputs') -> None:
        """Raise ConfigError where the texts lack what it needs; called with a weight only."""

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        """Whether a training can learn from this term alone.

        Args:
            model: the model.
            teaches_leaves: whether a training query has a six-digit code.
        """
        return True

    def prepare(self, inputs: 'TextInputs', seed: int) -> 'nn.Module | None':
        """Return what it keeps during a training, as `Step.states` of its name; None for nothing.

        Called once a phase of the training, where the term has a weight.
        """
        return None

    def acts(self, model: 'TextModel', state: 'nn.Module | None') -> bool:
        """Whether it can act on this model with what `prepare` returned."""
        return True

    @abstractmethod
    def value(self, step: 'Step') -> 'Tensor | None':
        """Return the unweighted scalar of a step; None where this step has nothing for it."""
