"""The graph of message passing: directed edges between codes, of several kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from naics_embed.config.refinement import EDGE_KINDS
from naics_embed.errors import ConfigError
from naics_embed.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class TaxonomyGraph:
    """Directed edges between codes; the kind is what the sender is to the receiver.

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

        A hidden code neither sends nor receives: its position in the tree must not affect its
        point.

        Args:
            taxonomy: the tree.
            visible: bool ``(n,)``.
            kinds: the kinds requested, from `EDGE_KINDS`.
            redirect_pairs: int ``(m, 2)``, codes joined by a cross-reference, with an edge in both
                directions.

        Raises:
            ConfigError: a kind is unknown or repeated, or redirections are requested but not given.
        """
        requested = tuple(kinds)
        unknown = [kind for kind in requested if kind not in EDGE_KINDS]
        if unknown or not requested or len(set(requested)) < len(requested):
            raise ConfigError(
                f'graph.edges must be different ones of {", ".join(EDGE_KINDS)}, '
                f'not {list(requested)}'
            )
        child = np.flatnonzero(taxonomy.parent >= 0)
        lineal = np.stack([taxonomy.parent[child], child])
        pairs = {'parent': lineal, 'child': lineal[::-1]}
        if 'sibling' in requested:
            tops = tuple(np.flatnonzero(taxonomy.parent < 0).tolist())
            families = [*taxonomy.children, tops]
            kin = [pair for family in families for pair in permutations(family, 2)]
            pairs['sibling'] = np.array(kin, dtype=np.int64).reshape(-1, 2).T
        if 'redirection' in requested:
            if redirect_pairs is None:
                raise ConfigError(
                    'graph.edges names redirection, but no redirections are given: leave it out, '
                    'or use a source with cross-references'
                )
            there = np.asarray(redirect_pairs, dtype=np.int64).reshape(-1, 2)
            both = np.concatenate([there, there[:, ::-1]])
            both = np.unique(both[both[:, 0] != both[:, 1]], axis=0)
            pairs['redirection'] = both.T
        edges = np.concatenate([pairs[kind] for kind in requested], axis=1).astype(np.int64)
        kind = np.repeat(np.arange(len(requested)), [pairs[kind].shape[1] for kind in requested])
        kept = np.flatnonzero(visible[edges].all(axis=0))
        kept = kept[np.argsort(edges[1, kept], kind='stable')]
        return cls(
            len(taxonomy),
            torch.from_numpy(np.ascontiguousarray(edges[:, kept])),
            torch.from_numpy(kind[kept]),
            requested,
        )

    @cached_property
    def message(self) -> Tensor:
        """int64 ``(e,)``: the row of each edge's message, ``kind · n + sender``."""
        return self.kind * self.size + self.edges[0]

    @cached_property
    def hearing(self) -> Tensor:
        """bool ``(n,)``: codes that some edge reaches; all others stay where they are."""
        reached = torch.zeros(self.size, dtype=torch.bool)
        reached[self.edges[1]] = True
        return reached
