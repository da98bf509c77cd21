"""Decoupled contrastive learning between codes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.objective.term import Needs, Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step


@dataclass(frozen=True, kw_only=True)
class Contrast(Term):
    """A code near one of its neighbours in the tree, and away from what is farther there.

    Attributes:
        temperature: factor on the distance.
        positive_distance: largest D* of a positive.
    """

    name: ClassVar[str] = 'dcl'
    temperature: float
    positive_distance: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.temperature > 0, 'objective.dcl.temperature', self.temperature, 'positive')
        least = self.positive_distance
        require(least >= 1, 'objective.dcl.positive_distance', least, 'at least 1')

    @property
    def needs(self) -> Needs:
        return Needs(partners=self.positive_distance)

    def value(self, step: 'Step') -> 'Tensor':
        import torch

        from naics_embed.losses.contrastive import decoupled_contrast
        from naics_embed.supervision.negatives import NegativeRules, plan_negatives

        tree, drawn, partner = step.tree, step.drawn, step.partner
        count = len(partner)
        anchors = drawn[:count]
        distances, tree_distances = step.drawn_distances[:count], step.drawn_tree[:count]
        rows = torch.arange(count, device=drawn.device)
        farther = tree_distances > tree_distances[rows, partner][:, None]
        plan = plan_negatives(
            farther & (tree.marks[anchors][:, drawn] == 0),
            tree_distances,
            distances.detach(),
            step.negatives.rules or NegativeRules(),
            **step.negatives.kinship(tree.parent, anchors, drawn),
        )
        step.log(self.name, plan.fractions)
        return decoupled_contrast(
            distances, partner, plan.weights, self.temperature, plan.attracted
        )
