"""All pairs of nodes at once: rank correlation and distortion, exact and in little memory."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from naics_embed.metrics.correlation import tie_term
from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import MetricError, check_positive

_LABEL_BITS = 9
_LABEL = np.uint64((1 << _LABEL_BITS) - 1)
_TREE_DISTANCE = np.uint64(0xFF)
_SAME_SECTOR = np.uint64(0x100)
_HALF_STEP = np.uint64(1 << (_LABEL_BITS - 2))
_SIGN = np.uint64(1)
_CLASSES = 256


class PairOrder:
    """All pairs of nodes in the order of their distance, labelled with their tree distance.

    One uint64 a pair: the upper 55 bits hold the distance, rounded to 45 significant bits (a
    relative step of 2⁻⁴⁴ ≈ 6e-14: float32 values and small integers are kept exactly, and
    float64 distances that differ by less count as tied); the lower 9 bits hold the tree distance
    and whether the pair shares a sector. 20,000 nodes take 1.6 GB, sorted in place.

    Call `add` until every row has been given once, then `sort`, then the metrics.
    """

    def __init__(self, tree: Tree, chunk: int) -> None:
        """Reserve memory.

        Args:
            tree: n nodes.
            chunk: rows of n pairs worked on at a time after the sort.
        """
        check_positive('chunk', chunk)
        n = len(tree)
        self._tree = tree
        self._slice = chunk * max(n, 1)
        self._keys = np.empty(n * (n - 1) // 2, dtype=np.uint64)
        self._filled = 0

    def add(self, rows: Tensor, block: Tensor) -> None:
        """Take the pairs (row, later column) of a block of float64 distances ``(b, n)``."""
        later = (torch.arange(block.shape[1])[None, :] > rows[:, None]).numpy()
        same = (self._tree.sector[rows, None] == self._tree.sector[None, :]).numpy()[later]
        # Floats that are not negative are ordered as their bits are, and the sign bit is free.
        key = block.numpy()[later].view(np.uint64)
        key += _HALF_STEP
        key <<= _SIGN
        key &= ~_LABEL
        key |= self._tree.tree_distance[rows].numpy()[later]
        key[same] |= _SAME_SECTOR
        self._keys[self._filled : self._filled + len(key)] = key
        self._filled += len(key)

    def sort(self) -> None:
        """Sort in place.

        Raises:
            MetricError: some rows were not added.
        """
        if self._filled != len(self._keys):
            raise MetricError(f'only {self._filled} of {len(self._keys)} pairs were added')
        self._keys.sort()

    def spearman(self, *, within_sectors: bool = False) -> float:
        """Return the rank correlation of distance and tree distance over all pairs.

        Mean ranks on both sides; NaN where either side is constant.

        Args:
            within_sectors: only the pairs that share a sector, pooled and ranked among themselves.
        """
        classes = self.class_sizes(within_sectors=within_sectors)
        total = int(classes.sum())
        rank_sum = np.zeros(_CLASSES)
        tied, before = 0, 0
        for start, stop in self._whole_groups():
            if stop - start > self._slice:
                counts = self._count(start, stop, within_sectors)
                sizes = np.array([counts.sum()])
                # Twice the mean rank, less twice the mean of all ranks: integers below 2⁵³.
                rank_sum += counts * float(2 * before + sizes[0] - total)
            else:
                part = self._keys[start:stop]
                if within_sectors:
                    part = part[(part & _SAME_SECTOR) != 0]
                distance = part >> np.uint64(_LABEL_BITS)
                ends = np.append(np.flatnonzero(distance[1:] != distance[:-1]) + 1, len(part))
                sizes = np.diff(ends, prepend=0)
                centred = (2 * (before + ends) - sizes - total).astype(np.float64)
                label = (part & _TREE_DISTANCE).astype(np.int64)
                rank_sum += np.bincount(label, np.repeat(centred, sizes), minlength=_CLASSES)
            size, times = np.unique(sizes, return_counts=True)
            tied += sum(
                tie_term([t]) * k for t, k in zip(size.tolist(), times.tolist(), strict=True)
            )
            before += int(sizes.sum())
        everything = tie_term([total])
        variances = (everything - tied) * (everything - tie_term(classes.tolist()))
        if variances <= 0:
            return math.nan
        class_rank = (2 * np.cumsum(classes) - classes - total).astype(np.float64)
        # Both factors are twice a centred rank; squares of centred ranks add up to (N³ − N)/12.
        return float(rank_sum @ class_rank) * 3 / math.sqrt(variances)

    def class_sizes(self, *, within_sectors: bool = False) -> np.ndarray:
        """Return int64 ``(256,)``: number of pairs at each tree distance."""
        return self._count(0, len(self._keys), within_sectors)

    def distortion(self) -> dict[str, float]:
        """Return how far distances are from a multiple of the tree distances.

        ``distortion_scale`` is the factor s on distances that minimises Σ(s·d/D* − 1)² over all
        pairs; ``mean_distortion`` is the mean of |s·d/D* − 1| (Sala et al. 2018, with a fitted
        scale); ``worst_distortion`` is the largest d/D* over the smallest, which needs no scale,
        among the pairs that do not coincide; ``coincident_pairs`` counts those that do, for which
        it would be infinite whatever the others are.
        """
        total, squares, least, most, coincident = 0.0, 0.0, math.inf, 0.0, 0
        for ratio in self._ratios():
            total += float(ratio.sum())
            squares += float(ratio @ ratio)
            apart = ratio[ratio > 0]
            coincident += len(ratio) - len(apart)
            if len(apart):
                least, most = min(least, float(apart.min())), max(most, float(apart.max()))
        scale = total / squares if squares > 0 else math.nan
        off = sum(float(np.abs(scale * ratio - 1).sum()) for ratio in self._ratios())
        return {
            'mean_distortion': off / len(self._keys) if len(self._keys) else math.nan,
            'worst_distortion': most / least if most > 0 else math.nan,
            'coincident_pairs': float(coincident),
            'distortion_scale': scale,
        }

    def _ratios(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self._keys), self._slice):
            key = self._keys[start : start + self._slice]
            distance = ((key & ~_LABEL) >> _SIGN).view(np.float64)
            yield distance / (key & _TREE_DISTANCE)

    def _whole_groups(self) -> Iterator[tuple[int, int]]:
        """Yield ranges of whole groups of tied pairs, longer than a slice only for one group."""
        keys, start = self._keys, 0
        while start < len(keys):
            stop = start + self._slice
            if stop < len(keys):
                stop = int(np.searchsorted(keys, keys[stop] & ~_LABEL, side='left'))
                if stop <= start:
                    stop = int(np.searchsorted(keys, keys[start] | _LABEL, side='right'))
            stop = min(stop, len(keys))
            yield start, stop
            start = stop

    def _count(self, start: int, stop: int, within_sectors: bool) -> np.ndarray:
        counts = np.zeros(_CLASSES, dtype=np.int64)
        for first in range(start, stop, self._slice):
            part = self._keys[first : min(first + self._slice, stop)]
            if within_sectors:
                part = part[(part & _SAME_SECTOR) != 0]
            counts += np.bincount((part & _TREE_DISTANCE).astype(np.int64), minlength=_CLASSES)
        return counts
