"""The tree, as the losses read it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TreeTargets:
    """The tree, as the losses read it.

    Attributes:
        level: int64 ``(n,)``.
        supervised: bool ``(n,)``; hidden codes enter no loss.
        tree_distance: uint8 ``(n, n)``, D*.
        near: int64 ``(2, m)``, all supervised pairs with a small D*.
        parent: int64 ``(n,)``, −1 for a sector.
        ancestors: int64 ``(n, 5)``, ancestor-or-self with 2 … 6 digits, or −1.
        marks: uint8 ``(n, n)``; a marked pair is never pushed apart (`supervision.marks`).
    """

    level: Tensor
    supervised: Tensor
    tree_distance: Tensor
    near: Tensor
    parent: Tensor
    ancestors: Tensor
    marks: Tensor

    @classmethod
    def of(
        cls,
        level: Tensor,
        supervised: Tensor,
        tree_distance: Tensor,
        near_distance: int,
        *,
        parent: Tensor,
        ancestors: Tensor,
        marks: Tensor,
    ) -> 'TreeTargets':
        """Collect the supervised pairs with D* ≤ ``near_distance``."""
        close = (tree_distance <= near_distance) & supervised[:, None] & supervised[None, :]
        near = close.triu(diagonal=1).nonzero().T.contiguous()
        return cls(level, supervised, tree_distance, near, parent, ancestors, marks)

    def buffers(self, start: Tensor) -> dict[str, Tensor]:
        """Return all that losses read, with the supervised edges and the radius of each level.

        Args:
            start: ``(n, dim)``, the construction; the median radius of the supervised codes of a
                level is the target of that level.
        """
        child = ((self.parent >= 0) & self.supervised).nonzero().squeeze(1)
        child = child[self.supervised[self.parent[child]]]
        radius = start.double().norm(dim=-1)
        level_radius = torch.zeros_like(radius)
        for value in self.level.unique().tolist():
            at_level = self.level == value
            if bool((at_level & self.supervised).any()):
                level_radius[at_level] = radius[at_level & self.supervised].median()
        return {
            'level': self.level,
            'supervised': self.supervised,
            'tree_distance': self.tree_distance,
            'near': self.near,
            'parent': self.parent,
            'ancestors': self.ancestors,
            'marks': self.marks,
            'edges': torch.stack([self.parent[child], child]),
            'level_radius': level_radius,
        }
