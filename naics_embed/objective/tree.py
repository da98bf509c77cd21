"""The tree, as the terms read it."""

import torch
from torch import Tensor, nn


class TreeTargets(nn.Module):
    """The tree, as the terms read it: buffers that move with the module and enter no checkpoint.

    Attributes:
        level: int64 ``(n,)``.
        supervised: bool ``(n,)``; hidden codes enter no loss.
        tree_distance: uint8 ``(n, n)``, D*.
        near: int64 ``(2, m)``, all supervised pairs with a small D*.
        parent: int64 ``(n,)``, −1 for a sector.
        ancestors: int64 ``(n, 5)``, ancestor-or-self with 2 … 6 digits, or −1.
        marks: uint8 ``(n, n)``; a marked pair is never pushed apart (`supervision.marks`).
        edges: int64 ``(2, e)``, supervised parents and their supervised children.
        start: float64 ``(n, dim)`` tangents, the construction.
        level_radius: float64 ``(n,)``, the median radius of the supervised codes of a code's level.
    """

    level: Tensor
    supervised: Tensor
    tree_distance: Tensor
    near: Tensor
    parent: Tensor
    ancestors: Tensor
    marks: Tensor
    edges: Tensor
    start: Tensor
    level_radius: Tensor

    def __init__(
        self,
        level: Tensor,
        supervised: Tensor,
        tree_distance: Tensor,
        near_distance: int,
        *,
        parent: Tensor,
        ancestors: Tensor,
        marks: Tensor,
        start: Tensor,
    ) -> None:
        """Collect edges, radii, and the supervised pairs with D* ≤ ``near_distance``."""
        super().__init__()
        close = (tree_distance <= near_distance) & supervised[:, None] & supervised[None, :]
        child = ((parent >= 0) & supervised).nonzero().squeeze(1)
        child = child[supervised[parent[child]]]
        radius = start.double().norm(dim=-1)
        level_radius = torch.zeros_like(radius)
        for value in level.unique().tolist():
            seen = (level == value) & supervised
            if bool(seen.any()):
                level_radius[level == value] = radius[seen].median()
        for name, value in {
            'level': level,
            'supervised': supervised,
            'tree_distance': tree_distance,
            'near': close.triu(diagonal=1).nonzero().T.contiguous(),
            'parent': parent,
            'ancestors': ancestors,
            'marks': marks,
            'edges': torch.stack([parent[child], child]),
            'start': start.double(),
            'level_radius': level_radius,
        }.items():
            self.register_buffer(name, value, persistent=False)
