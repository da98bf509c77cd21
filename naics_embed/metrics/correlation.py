"""Rank and linear correlation of vectors, and the cophenetic correlation of a table."""

import math

import torch
from torch import Tensor

from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import MetricError, check_finite


def mean_ranks(values: Tensor) -> Tensor:
    """Return float64 ranks from 1, tied values sharing the mean of their ranks."""
    check_finite('values', values)
    _, group, size = torch.unique(values, sorted=True, return_inverse=True, return_counts=True)
    last = size.cumsum(0)
    return (last.to(torch.float64) - (size - 1).to(torch.float64) / 2)[group]


def pearson(x: Tensor, y: Tensor) -> float:
    """Return the linear correlation of two vectors; NaN where one of them is constant."""
    x, y = x.to(torch.float64), y.to(torch.float64)
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return float(x @ y) / scale if scale > 0 else math.nan


def spearman(x: Tensor, y: Tensor) -> float:
    """Return the rank correlation of two vectors, mean ranks for ties (Spearman 1904).

    NaN where one of the two is constant.

    Raises:
        MetricError: the shapes differ, or a value is not finite.
    """
    if x.shape != y.shape or x.ndim != 1:
        raise MetricError(
            f'need two vectors of one length, not {tuple(x.shape)} and {tuple(y.shape)}'
        )
    return pearson(mean_ranks(x), mean_ranks(y))


def tie_term(sizes: list[int]) -> int:
    """Return Σ(t³ − t) over groups of tied values, in Python's integers.

    int64 overflows at a group of 2.1 million, int32 at 1,291; the pairs of NAICS are 2.26 million.
    """
    return sum(t**3 - t for t in sizes)


def spearman_ceiling(sizes: list[int]) -> float:
    """Return the greatest rank correlation of untied values with values in tied groups.

    With every group in the right order, the covariance of the ranks equals the variance of the
    tied ranks, so the correlation is √(1 − Σ(t³ − t)/(N³ − N)), the tie correction of Kendall &
    Gibbons (1990), for groups of sizes t that add up to N. Ties in the other variable that match
    the groups can lift a correlation above it, up to 1. NaN where N < 2.
    """
    everything = tie_term([sum(sizes)])
    return math.sqrt(1 - tie_term(sizes) / everything) if everything else math.nan


class CopheneticCorrelation:
    """Correlation of distance with the height of the lowest common ancestor, among leaves.

    The cophenetic correlation coefficient (Sokal & Rohlf 1962): Pearson's, over all pairs of
    leaves; the height of a node is the deepest level of the tree less its own. Only leaves,
    because with inner nodes even the exact tree metric is far from proportional to it.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._is_leaf = tree.children_count == 0
        self._leaves = tree.leaves
        self._deepest = int(tree.level.max()) if len(tree) else 0
        self._count = 0
        self._shift: tuple[float, float] | None = None
        # Sums of x, y, x·x, y·y, x·y, about the mean of the first block to keep digits.
        self._sums = torch.zeros(5, dtype=torch.float64)

    def add(self, rows: Tensor, block: Tensor) -> None:
        """Take the pairs (leaf row, later leaf) of a block of distances ``(b, n)``."""
        keep = self._is_leaf[rows]
        if not bool(keep.any()):
            return
        rows = rows[keep]
        later = self._leaves[None, :] > rows[:, None]
        x = block[keep][:, self._leaves][later]
        height = self._deepest - self._tree.lca_level(rows, self._leaves)
        y = height[later].to(torch.float64)
        if not len(x):
            return
        if self._shift is None:
            self._shift = (float(x.mean()), float(y.mean()))
        x, y = x - self._shift[0], y - self._shift[1]
        self._sums += torch.stack([x.sum(), y.sum(), x @ x, y @ y, x @ y])
        self._count += len(x)

    def result(self) -> float:
        """Return the correlation; NaN where distances or heights are constant."""
        if self._count < 2:
            return math.nan
        x, y, xx, yy, xy = (self._sums / self._count).tolist()
        variances = (xx - x * x) * (yy - y * y)
        return (xy - x * y) / math.sqrt(variances) if variances > 0 else math.nan
