"""The graph that messages travel on: who hears whom, and in what relation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from naics_embed.config.refinement import EDGE_KINDS
from naics_embed.errors import ConfigError
from naics_embed.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class TaxonomyGraph:
    """Directed edges between codes; a kind says what the sender is to the receiver.

    Attributes:
        size: number of codes n.
        edges: int64 ``(2, e)``, sender and receiver of each edge, sorted by receiver.
        kind: int64 ``(e,)``, position in ``kinds``.
        kinds: the kinds of edges in use, from `EDGE_KINDS`.
    """

    size: int
    edges: Tensor
    kind: Tensor
    kinds: tuple[str, ...]

    @classmethod
    def of(
        cls,
        taxonomy: Taxonomy,
        visible: np.ndarray,
        kinds: Sequence[str],
        redirect_pairs: np.ndarray | None = None,
    ) -> 'TaxonomyGraph':
        """Collect the edges among visible codes.

        A hidden code neither sends nor hears: its place in the tree must not reach its point.

        Args:
            taxonomy: the tree.
            visible: bool ``(n,)``.
            kinds: the kinds wanted, from `EDGE_KINDS`.
            redirect_pairs: int ``(m, 2)``, codes joined by a cross reference; they hear each other.

        Raises:
            ConfigError: a kind is unknown or repeated, or redirections are wanted and not given.
        """
        wanted = tuple(kinds)
        unknown = [kind for kind in wanted if kind not in EDGE_KINDS]
        if unknown or not wanted or len(set(wanted)) < len(wanted):
            raise ConfigError(
                f'graph.edges must be different ones of {", ".join(EDGE_KINDS)}, not {list(wanted)}'
            )
        child = np.flatnonzero(taxonomy.parent >= 0)
        lineal = np.stack([taxonomy.parent[child], child])
        pairs = {'parent': lineal, 'child': lineal[::-1]}
        if 'sibling' in wanted:
            tops = tuple(np.flatnonzero(taxonomy.parent < 0).tolist())
            families = [*taxonomy.children, tops]
            kin = [pair for family in families for pair in permutations(family, 2)]
            pairs['sibling'] = np.array(kin, dtype=np.int64).reshape(-1, 2).T
        if 'redirection' in wanted:
            if redirect_pairs is None:
                raise ConfigError('graph.edges names redirection, but no redirections are given')
            there = np.asarray(redirect_pairs, dtype=np.int64).reshape(-1, 2)
            both = np.concatenate([there, there[:, ::-1]])
            both = np.unique(both[both[:, 0] != both[:, 1]], axis=0)
            pairs['redirection'] = both.T
        edges = np.concatenate([pairs[kind] for kind in wanted], axis=1).astype(np.int64)
        kind = np.repeat(np.arange(len(wanted)), [pairs[kind].shape[1] for kind in wanted])
        kept = np.flatnonzero(visible[edges].all(axis=0))
        kept = kept[np.argsort(edges[1, kept], kind='stable')]
        return cls(
            len(taxonomy),
            torch.from_numpy(np.ascontiguousarray(edges[:, kept])),
            torch.from_numpy(kind[kept]),
            wanted,
        )

    @property
    def hearing(self) -> Tensor:
        """bool ``(n,)``: codes that some edge reaches; all others stay where they are."""
        found = torch.zeros(self.size, dtype=torch.bool)
        found[self.edges[1]] = True
        return found
