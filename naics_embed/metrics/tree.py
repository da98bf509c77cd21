"""The tree that tables are measured against, as tensors."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from naics_embed.metrics.validation import MetricError
from naics_embed.taxonomy import ROOT_LEVEL, Taxonomy

MAX_DEPTH = 127
"""Deepest node whose distances, up to twice its depth, fit in uint8."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A rooted tree under a virtual root, with all pairwise tree distances.

    Attributes:
        level: int64 ``(n,)``; edges to the virtual root plus 1 (digits of a NAICS code, 2 … 6).
        parent: int64 ``(n,)``; position of the parent, −1 directly under the virtual root.
        sector: int64 ``(n,)``; an id that two nodes share if they are of one sector.
        tree_distance: uint8 ``(n, n)``; edges between two nodes, through the virtual root if
            need be (D*).
    """

    level: Tensor
    parent: Tensor
    sector: Tensor
    tree_distance: Tensor

    def __post_init__(self) -> None:
        n = len(self.level)
        for name in ('level', 'parent', 'sector'):
            vector: Tensor = getattr(self, name)
            if vector.shape != (n,) or vector.dtype != torch.int64:
                raise MetricError(
                    f'{name} must be int64 of shape ({n},), '
                    f'not {vector.dtype} of shape {tuple(vector.shape)}'
                )
        if self.tree_distance.shape != (n, n) or self.tree_distance.dtype != torch.uint8:
            raise MetricError(
                f'tree_distance must be uint8 of shape ({n}, {n}), '
                f'not {self.tree_distance.dtype} of shape {tuple(self.tree_distance.shape)}'
            )

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> 'Tree':
        """Return the tree of a taxonomy, in the order of its codes."""
        return cls(
            level=torch.from_numpy(taxonomy.level.astype(np.int64)),
            parent=torch.from_numpy(taxonomy.parent.astype(np.int64)),
            sector=torch.from_numpy(taxonomy.sector.astype(np.int64)),
            tree_distance=torch.from_numpy(taxonomy.tree_distance.copy()),
        )

    @classmethod
    def from_parents(cls, parent: Tensor) -> 'Tree':
        """Return any rooted tree, in ``n²`` bytes.

        Args:
            parent: int64 ``(n,)``, a parent before its children; −1 under the virtual root.

        Raises:
            MetricError: a parent does not come before its child, or the tree is too deep.
        """
        above = parent.numpy()
        n = len(above)
        if n and not bool((above < np.arange(n)).all() and (above >= -1).all()):
            raise MetricError('parent must name an earlier position, or −1 under the virtual root')
        depth = np.ones(n, dtype=np.int64)
        sector = np.arange(n, dtype=np.int64)
        for node, up in enumerate(above):
            if up >= 0:
                depth[node] = depth[up] + 1
                sector[node] = sector[up]
        if n and depth.max() > MAX_DEPTH:
            raise MetricError(f'the tree has depth {depth.max()}, more than {MAX_DEPTH}')
        short = depth.astype(np.uint8)
        distance = np.zeros((n, n), dtype=np.uint8)
        for node, up in enumerate(above):
            # A path to an earlier node starts with the edge to the parent.
            row = distance[up, :node] + np.uint8(1) if up >= 0 else short[:node] + np.uint8(1)
            distance[node, :node] = row
            distance[:node, node] = row
        return cls(
            level=torch.from_numpy(depth + ROOT_LEVEL),
            parent=parent.to(torch.int64),
            sector=torch.from_numpy(sector),
            tree_distance=torch.from_numpy(distance),
        )

    def __len__(self) -> int:
        return len(self.level)

    @cached_property
    def children_count(self) -> Tensor:
        """int64 ``(n,)``: number of children of each node."""
        return torch.bincount(self.parent[self.parent >= 0], minlength=len(self))

    @cached_property
    def leaves(self) -> Tensor:
        """Positions of the nodes without children, ascending."""
        return torch.nonzero(self.children_count == 0).squeeze(1)

    @cached_property
    def only_child(self) -> Tensor:
        """bool ``(n,)``: whether a node is the only child of its parent.

        In NAICS such a child has the same title as its parent, so finding one from the other
        shows nothing.
        """
        has_parent = self.parent >= 0
        return has_parent & (self.children_count[self.parent.clamp(min=0)] == 1)

    @cached_property
    def chain(self) -> Tensor:
        """int64 ``(n,)``: position of the top of each node's chain of only-child edges."""
        top = torch.where(self.only_child, self.parent, torch.arange(len(self)))
        while True:
            further = top[top]
            if torch.equal(further, top):
                return top
            top = further

    @cached_property
    def ancestor_pairs(self) -> tuple[Tensor, Tensor]:
        """Node and ancestor of every pair of the two, int64 ``(p,)`` each, sorted by node."""
        nodes, ancestors = [], []
        node = torch.arange(len(self))
        above = self.parent
        while True:
            keep = above >= 0
            node, above = node[keep], above[keep]
            if not len(node):
                break
            nodes.append(node)
            ancestors.append(above)
            above = self.parent[above]
        return _sorted_pairs(nodes, ancestors)

    @cached_property
    def neighbour_pairs(self) -> tuple[Tensor, Tensor]:
        """Node and neighbour (its parent or a child), both directions, sorted by node."""
        child = torch.nonzero(self.parent >= 0).squeeze(1)
        above = self.parent[child]
        return _sorted_pairs([child, above], [above, child])

    @cached_property
    def chain_pairs(self) -> tuple[Tensor, Tensor]:
        """All ordered pairs of distinct nodes of one only-child chain, sorted by node."""
        node, ancestor = self.ancestor_pairs
        same = self.chain[node] == self.chain[ancestor]
        node, ancestor = node[same], ancestor[same]
        return _sorted_pairs([node, ancestor], [ancestor, node])

    def lca_level(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Return int64 ``(b, m)``: level of the lowest common ancestor, a node being its own."""
        edges = self.tree_distance[rows][:, columns].to(torch.int64)
        return (self.level[rows, None] + self.level[None, columns] - edges) // 2


def _sorted_pairs(first: list[Tensor], second: list[Tensor]) -> tuple[Tensor, Tensor]:
    empty = [torch.empty(0, dtype=torch.int64)]
    left, right = torch.cat(first or empty), torch.cat(second or empty)
    order = torch.argsort(left, stable=True)
    return left[order], right[order]
