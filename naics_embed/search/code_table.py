"""Codes as input, without an encoder: relatives, comparison, roll-ups, cross references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from naics_embed.bundle.in_use import bundle_in_use
from naics_embed.bundle.storage import CODER, Bundle, coordinate_names
from naics_embed.errors import ArtifactError, UserError
from naics_embed.geometry.arrays import centroid, exp0, log0, pairwise_distance
from naics_embed.optional import need_torch
from naics_embed.search.code_lookup import position_of
from naics_embed.search.code_texts import CodeTexts, read_code_texts
from naics_embed.search.likeness import TEXT, TREE, check_way, mean_texts, ranks
from naics_embed.search.storage import REDIRECTIONS
from naics_embed.taxonomy import ROOT_LEVEL, Taxonomy

if TYPE_CHECKING:
    from torch import Tensor

KNOWN_TEXTS = 30
"""Known texts of a code that are shown."""


@dataclass(frozen=True)
class Code:
    """A code with its title.

    Attributes:
        code: canonical code.
        official: its official spelling.
        title: its title.
        level: its digits.
    """

    code: str
    official: str
    title: str
    level: int


@dataclass(frozen=True)
class Neighbour(Code):
    """A code near another one.

    Attributes:
        distance: geodesic distance.
        tree_distance: edges between the two, through the virtual root if need be.
        shared: code of the lowest common ancestor; None where only the root is shared.
        similarity: cosine of the mean texts of both; None where texts were not asked for.
    """

    distance: float
    tree_distance: int
    shared: str | None
    similarity: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Two codes side by side.

    Attributes:
        first: the one.
        second: the other.
        common: lowest common ancestor; None where only the root is shared.
        tree_distance: edges between them.
        distance: geodesic distance.
        nearer: fraction of codes of the second's level that are nearer to the first than the
            second.
    """

    first: Code
    second: Code
    common: Code | None
    tree_distance: int
    distance: float
    nearer: float


@dataclass(frozen=True)
class Redirection:
    """A cross reference: an activity that is classified elsewhere.

    Attributes:
        source: the code whose text names the activity.
        activity: the activity.
        targets: where it belongs.
    """

    source: Code
    activity: str
    targets: tuple[Code, ...]


class CodeTable:
    """The codes of a bundle as points and as a tree. Safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Read the table of a bundle; see `load`."""
        table = bundle.codes()
        self.bundle = bundle
        self.taxonomy = Taxonomy(table['code'].to_list())
        index = pl.Series(self.taxonomy.indices(table['code'].to_list()))
        self.frame = table.sort(index)
        self.vintage = int(self.frame['vintage'][0])
        names = coordinate_names(bundle.space.dim)
        self.tangents: np.ndarray = self.frame.select(names).to_numpy().astype(np.float64)
        self._texts = tuple(self.frame.select('official', 'title', 'level').iter_rows())
        self.curvature = bundle.space.curvature

    def __repr__(self) -> str:
        """Return what it is, for shells and notebooks."""
        return f'CodeTable({len(self.frame):,} codes of NAICS {self.vintage}, {self.bundle!r})'

    @classmethod
    def load(cls, path: Path | str | None = None, *, verify: bool = False) -> 'CodeTable':
        """Load the table of a bundle, or of the promoted one; the encoder is not read.

        Raises:
            ArtifactError: there is no such bundle, or it is damaged.
        """
        return cls(Bundle.load(Path(path) if path else bundle_in_use(), verify=verify))

    def position(self, code: str | int) -> int:
        """Return the row of a code.

        Raises:
            CodeError: there is no such code. The message names what it became since the vintage
                before, its nearest ancestor here, or codes that look alike.
        """
        return position_of(self.taxonomy, code, self.vintage)

    def __contains__(self, code: object) -> bool:
        return code in self.taxonomy

    def __getitem__(self, code: str | int) -> Code:
        return self._code(self.position(code))

    def parent(self, code: str | int) -> Code | None:
        """Return the code one level up, None for a sector. Raises CodeError for no code."""
        above = int(self.taxonomy.parent[self.position(code)])
        return self._code(above) if above >= 0 else None

    def children(self, code: str | int) -> list[Code]:
        """Return the codes one level down. Raises CodeError for no code."""
        return [self._code(i) for i in self._children(code)]

    def siblings(self, code: str | int) -> list[Code]:
        """Return the other children of the parent; of a sector, the other sectors."""
        position = self.position(code)
        above = int(self.taxonomy.parent[position])
        family = self.taxonomy.children[above] if above >= 0 else self.taxonomy.at_level(2).tolist()
        return [self._code(int(i)) for i in family if i != position]

    def similar(
        self, code: str | int, k: int = 10, level: int | None = None, *, by: str = TREE
    ) -> list[Neighbour]:
        """Return the nearest other codes of a level, nearest first.

        By the tree, siblings come first whatever their firms do: the points of the table keep the
        taxonomy. By text, codes come first whose known texts are alike, wherever they are in the
        tree. By both, the ranks are added.

        Args:
            code: a code.
            k: how many.
            level: digits of the codes returned; those of ``code`` where None.
            by: ``tree``, ``text`` or ``both``.

        Raises:
            CodeError: there is no such code.
            UserError: k or level is out of range, ``by`` is another word, or the bundle knows no
                texts.
        """
        position = self.position(code)
        check_way(by)
        if k < 1:
            raise UserError(f'k must be at least 1, not {k}')
        digits = int(self.taxonomy.level[position]) if level is None else level
        candidates = self.taxonomy.at_level(digits)
        if not len(candidates):
            raise UserError(f'there are no codes of {digits} digits; choose 2 to 6')
        candidates = candidates[candidates != position]
        distances = self._distances(position, candidates)
        cosines = None
        score = distances
        if by != TREE:
            cosines = self._mean_texts[candidates] @ self._mean_texts[position]
            score = -cosines if by == TEXT else ranks(distances) + ranks(-cosines)
        order = np.argsort(score, kind='stable')[:k]
        return [
            self._neighbour(
                position,
                int(candidates[i]),
                float(distances[i]),
                None if cosines is None else float(cosines[i]),
            )
            for i in order.tolist()
        ]

    def compare(self, first: str | int, second: str | int) -> Comparison:
        """Compare two codes. Raises CodeError for no code."""
        a, b = self.position(first), self.position(second)
        rivals = self.taxonomy.at_level(int(self.taxonomy.level[b]))
        distance = float(self._distances(a, np.array([b]))[0])
        rivals = rivals[(rivals != a) & (rivals != b)]
        common = self._common(a, b)
        return Comparison(
            self._code(a),
            self._code(b),
            None if common is None else self._code(common),
            int(self.taxonomy.tree_distance[a, b]),
            distance,
            float((self._distances(a, rivals) < distance).mean()) if len(rivals) else 0.0,
        )

    def redirections(self, code: str | int) -> list[Redirection]:
        """Return the cross references of a code: activities that belong elsewhere.

        Raises:
            CodeError: there is no such code.
        """
        source = self.taxonomy.codes[self.position(code)]
        rows = self._redirections.filter(pl.col('code') == source)
        return [
            Redirection(
                self[source], phrase, tuple(self[target] for target in targets if target in self)
            )
            for phrase, targets in rows.select('phrase', 'targets').iter_rows()
        ]

    def texts(self, code: str | int) -> CodeTexts:
        """Return the texts of a code, all empty where the bundle has none.

        Raises:
            CodeError: there is no such code.
        """
        return self._texts_of.get(self.taxonomy.codes[self.position(code)], CodeTexts())

    def between(self, first: str | int, second: str | int) -> list[Redirection]:
        """Return the cross references from the one code, or from those below it, to the other.

        Both directions count. Raises CodeError for no code.
        """
        if not self.has_redirections:
            return []
        one, other = self._within(first), self._within(second)
        return [
            found
            for sources, targets in ((one, other), (other, one))
            for code in self._redirections['code'].unique(maintain_order=True).to_list()
            if code in sources
            for found in self.redirections(code)
            if any(target.code in targets for target in found.targets)
        ]

    def rollup(self, weights: Mapping[str, float]) -> np.ndarray:
        """Return the Lorentz centroid of weighted codes, tangent coordinates float64 ``(dim,)``.

        The centroid of Law et al. (ICML 2019): the point with the least weighted squared Lorentzian
        distance to the codes.

        Args:
            weights: code → weight, not negative, at least one positive.

        Raises:
            CodeError: there is no such code.
            UserError: a weight is negative or not finite, or none is positive.
        """
        rows = [self.position(code) for code in weights]
        values = np.array(list(weights.values()), dtype=np.float64)
        if not np.isfinite(values).all() or (values < 0).any() or not (values > 0).any():
            raise UserError('weights must be finite and not negative, and one of them positive')
        mean = centroid(self.point_array[rows], values, self.curvature)
        return log0(mean, self.curvature)

    @cached_property
    def point_array(self) -> np.ndarray:
        """Space parts of the points of the codes, float64 ``(n, dim)``."""
        return exp0(self.tangents, self.curvature)

    @cached_property
    def points(self) -> 'Tensor':
        """`point_array` as a tensor of torch, for `naics_embed.geometry`."""
        need_torch('a table of tensors')
        import torch

        return torch.from_numpy(self.point_array.copy())

    @property
    def has_redirections(self) -> bool:
        """Whether the bundle was exported with cross references."""
        return (self.bundle.path / CODER / REDIRECTIONS).is_file()

    @cached_property
    def _redirections(self) -> pl.DataFrame:
        if not self.has_redirections:
            raise UserError(f'bundle {self.bundle.path} has no cross references; export it again')
        path = self.bundle.path / CODER / REDIRECTIONS
        try:
            return pl.read_parquet(path)
        except pl.exceptions.PolarsError as error:
            raise ArtifactError(f'{path} is damaged ({error}); export the table again') from error

    @cached_property
    def _texts_of(self) -> dict[str, CodeTexts]:
        return read_code_texts(self.bundle, KNOWN_TEXTS)

    def _code(self, row: int) -> Code:
        official, title, level = self._texts[row]
        return Code(self.taxonomy.codes[row], official, title, int(level))

    def _within(self, code: str | int) -> set[str]:
        """Return a code and all codes below it."""
        row = self.position(code)
        below = np.flatnonzero((self.taxonomy.ancestors == row).any(axis=1))
        return {self.taxonomy.codes[i] for i in (row, *below.tolist())}

    def _children(self, code: str | int) -> Sequence[int]:
        return self.taxonomy.children[self.position(code)]

    def _common(self, a: int, b: int) -> int | None:
        level = int(self.taxonomy.lca_level[a, b])
        return None if level == ROOT_LEVEL else int(self.taxonomy.ancestors[a, level - 2])

    def _distances(self, code: int, others: np.ndarray) -> np.ndarray:
        point = self.point_array[code : code + 1]
        return np.asarray(pairwise_distance(point, self.point_array[others], self.curvature)[0])

    @cached_property
    def _mean_texts(self) -> np.ndarray:
        return mean_texts(self.bundle.path / CODER, self.taxonomy)

    def _neighbour(
        self, code: int, other: int, distance: float, similarity: float | None = None
    ) -> Neighbour:
        common = self._common(code, other)
        return Neighbour(
            **vars(self._code(other)),
            distance=distance,
            tree_distance=int(self.taxonomy.tree_distance[code, other]),
            shared=None if common is None else self.taxonomy.codes[common],
            similarity=similarity,
        )
