"""Distances in proportion to D*, of drawn pairs of codes and of near ones."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import ModelChoice, Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Stress(Term):
    """Distances of all pairs of the drawn codes in proportion to D*.

    Attributes:
        near_distance: pairs up to this tree distance have a term of their own, ``near``.
        near_pairs: at most so many of them, drawn, enter it at a step; None for all.
        near_weight: weight of ``near`` as a factor on that of the stress, by the same schedule.
    """

    name: ClassVar[str] = 'stress'
    near_distance: int
    near_pairs: int | None
    near_weight: float

    def __post_init__(self) -> None:
        super().__post_init__()
        weight, distance, pairs = self.near_weight, self.near_distance, self.near_pairs
        require(weight >= 0, 'objective.stress.near_weight', weight, 'at least 0')
        require(distance >= 1, 'objective.stress.near_distance', distance, 'at least 1')
        kept = pairs is None or pairs >= 1
        require(kept, 'objective.stress.near_pairs', pairs, 'at least 1')

    def parts(self) -> tuple[Term, ...]:
        near = Near(weight=self.near_weight * self.weight, pairs=self.near_pairs, **self.when)
        return near, self

    def value(self, step: 'Step') -> 'Tensor':
        import torch

        from naics_embed.losses.stress import tree_stress

        count = len(step.drawn)
        pairs = torch.triu_indices(count, count, offset=1, device=step.drawn.device).unbind()
        return tree_stress(step.drawn_distances[pairs], step.drawn_tree[pairs].double())


@dataclass(frozen=True, kw_only=True)
class Near(Term):
    """The stress of pairs with a small D*, which are rare among drawn ones.

    Attributes:
        pairs: at most so many, drawn, enter a step; None for all.
    """

    name: ClassVar[str] = 'near'
    pairs: int | None

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        return False

    def value(self, step: 'Step') -> 'Tensor':
        import torch

        from naics_embed.losses.stress import tree_stress

        near = step.tree.near
        count = near.shape[1]
        if self.pairs is not None and count > self.pairs:
            near = near[:, torch.randint(count, (self.pairs,), device=near.device)]
        a, b = near
        distances = step.model.space.distance(step.codes[a], step.codes[b])
        return tree_stress(distances, step.tree.tree_distance[a, b].double())
