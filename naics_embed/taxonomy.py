"""The NAICS tree, built from code strings alone.

A sector that the Census Bureau writes as a range (``31-33``) is kept under its first number
(``31``) and shown in its official spelling. A virtual root is above the sectors; it is not a
node of the tables, but the tree metric counts the edges to it.
"""

import difflib
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from naics_embed.code_spelling import CANONICAL_SECTOR, OFFICIAL_SECTOR, read_code
from naics_embed.errors import CodeError

ROOT_LEVEL = 1
LEVELS = (2, 3, 4, 5, 6)
"""Digits of sectors, subsectors, industry groups, NAICS industries and national industries."""
LEAF_LEVEL = LEVELS[-1]


def canonical_code(code: str | int) -> str:
    """Return the key under which a code is kept: ``'31-33'``, ``33`` and ``'31'`` give ``'31'``.

    Raises:
        CodeError: ``code`` has no spelling of a NAICS code (two to six digits, or a range).
    """
    text = str(code).strip()
    if text in OFFICIAL_SECTOR.values():
        return text[:2]
    if not (text.isascii() and text.isdigit() and 2 <= len(text) <= 6):
        raise CodeError(
            f'{code!r} is not a NAICS code: give two to six digits, or a sector range such as 31-33'
        )
    return CANONICAL_SECTOR.get(text, text) if len(text) == 2 else text


def official_code(code: str) -> str:
    """Return the official spelling of a canonical code: ``'31'`` gives ``'31-33'``."""
    return OFFICIAL_SECTOR.get(code, code)


def parent_code(code: str) -> str | None:
    """Return the canonical code one level up, or None for a sector."""
    if len(code) == 2:
        return None
    return canonical_code(code[:-1])


class Taxonomy:
    """An immutable rooted tree of codes, in depth-first order.

    Attributes:
        codes: canonical codes, a parent always before its children.
        level: int8 ``(n,)``, digits of each code (2 sector … 6 national industry).
        parent: int32 ``(n,)``, index of the parent; −1 for a sector, whose parent is the root.
        sector: int32 ``(n,)``, index of the sector of each code.
    """

    def __init__(self, codes: Iterable[str | int]) -> None:
        """Build the tree.

        Raises:
            CodeError: a code is malformed, repeated, or its parent is missing.
        """
        canonical = [canonical_code(code) for code in codes]
        unique = set(canonical)
        if len(unique) != len(canonical):
            repeated = sorted({code for code in canonical if canonical.count(code) > 1})
            raise CodeError(f'codes occur more than once: {", ".join(repeated[:5])}')
        ordered = sorted(unique, key=lambda code: (_sector_of(code), code if len(code) > 2 else ''))
        self.codes: tuple[str, ...] = tuple(ordered)
        self._index = {code: i for i, code in enumerate(ordered)}
        parents: list[int] = []
        for code in ordered:
            parent = parent_code(code)
            if parent is None:
                parents.append(-1)
            elif parent in self._index:
                parents.append(self._index[parent])
            else:
                raise CodeError(f'code {code} has no parent: {parent} is not among the codes')
        self.level = _frozen(np.array([len(code) for code in ordered], dtype=np.int8))
        self.parent = _frozen(np.array(parents, dtype=np.int32))
        self.sector = _frozen(
            np.array([self._index[_sector_of(code)] for code in ordered], dtype=np.int32)
        )

    def __len__(self) -> int:
        return len(self.codes)

    def __contains__(self, code: object) -> bool:
        try:
            return self.canonical(code) in self._index
        except CodeError:
            return False

    def canonical(self, code: object) -> str:
        """Return the canonical spelling of a code, however it is written.

        Raises:
            CodeError: it names no code, several codes, or is a missing value.
        """
        if isinstance(code, str) and code in self._index:
            return code
        key = read_code(code)
        if key is None:
            raise CodeError(f'{code!r} is not a NAICS code: it is a missing value')
        return key

    def index(self, code: str | int) -> int:
        """Return the position of a code, in any accepted spelling.

        Raises:
            CodeError: the code is not in this taxonomy; the message names the nearest ones.
        """
        key = self.canonical(code)
        if key not in self._index:
            near = difflib.get_close_matches(key, self.codes, n=3, cutoff=0.6)
            hint = f'; near it: {", ".join(near)}' if near else ''
            raise CodeError(f'{code} is not a code of this taxonomy{hint}')
        return self._index[key]

    def indices(self, codes: Iterable[str | int]) -> np.ndarray:
        """Return the positions of many codes as int64 ``(m,)``. Raises CodeError like `index`."""
        return np.fromiter((self.index(code) for code in codes), dtype=np.int64)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Children of each code, in order."""
        children: list[list[int]] = [[] for _ in self.codes]
        for child, parent in enumerate(self.parent):
            if parent >= 0:
                children[parent].append(child)
        return tuple(tuple(c) for c in children)

    @cached_property
    def leaves(self) -> np.ndarray:
        """Positions of the codes without children, int64 ascending."""
        return _frozen(np.flatnonzero([not c for c in self.children]))

    def at_level(self, level: int) -> np.ndarray:
        """Positions of the codes with ``level`` digits, int64 ascending."""
        return np.flatnonzero(self.level == level)

    @cached_property
    def ancestors(self) -> np.ndarray:
        """int32 ``(n, 5)``: position of the ancestor-or-self with 2, 3, 4, 5, 6 digits, or −1."""
        table = np.full((len(self), len(LEVELS)), -1, dtype=np.int32)
        for i, parent in enumerate(self.parent):
            if parent >= 0:
                table[i] = table[parent]
            table[i, self.level[i] - LEVELS[0]] = i
        return _frozen(table)

    @cached_property
    def lca_level(self) -> np.ndarray:
        """int8 ``(n, n)``: digits of the lowest common ancestor; 1 where only the root is shared.

        A code is its own ancestor here, so the diagonal equals `level`.
        """
        shared = np.full((len(self), len(self)), ROOT_LEVEL, dtype=np.int8)
        for column, level in enumerate(LEVELS):
            ancestor = self.ancestors[:, column]
            same = (ancestor[:, None] == ancestor[None, :]) & (ancestor >= 0)[:, None]
            shared[same] = level
        return _frozen(shared)

    @cached_property
    def tree_distance(self) -> np.ndarray:
        """uint8 ``(n, n)``: edges between two codes, through the virtual root if need be (D*)."""
        level = self.level.astype(np.int16)
        edges = level[:, None] + level[None, :] - 2 * self.lca_level
        return _frozen(edges.astype(np.uint8))

    @cached_property
    def chain(self) -> np.ndarray:
        """int32 ``(n,)``: id of the single-child chain of each code (position of its top).

        Codes joined by edges to an only child describe the same industry, so held-out sets are
        drawn by chain, never by single code.
        """
        top = np.arange(len(self), dtype=np.int32)
        for i, parent in enumerate(self.parent):
            if parent >= 0 and len(self.children[parent]) == 1:
                top[i] = top[parent]
        return _frozen(top)

    def is_lineal(self, a: int, b: int) -> bool:
        """Whether one of two distinct codes is an ancestor of the other."""
        return a != b and int(self.lca_level[a, b]) == min(self.level[a], self.level[b])


def _sector_of(code: str) -> str:
    return canonical_code(code[:2])


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
