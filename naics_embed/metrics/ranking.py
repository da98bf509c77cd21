"""Rankings of all nodes around each node: average precision, ranks and NDCG."""

import numpy as np
import torch
from torch import Tensor

from naics_embed.metrics.ties import expected_precision
from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import check_any


class RelevanceRanking:
    """How early each node's relevant nodes come when all others are sorted by a score.

    The score is the distance plus a term for each candidate; smaller is better. The node itself
    is no candidate.
    """

    def __init__(
        self,
        relevant: tuple[Tensor, Tensor],
        *,
        left_out: tuple[Tensor, Tensor] | None = None,
        offset: Tensor | None = None,
    ) -> None:
        """Set what is relevant.

        Args:
            relevant: node and relevant node, int64 ``(p,)`` each, sorted by node.
            left_out: node and candidate of pairs that are not ranked at all, sorted by node.
            offset: float64 ``(n,)``, added to the distance of each candidate.
        """
        self._relevant = relevant
        self._left_out = left_out
        self._offset = offset
        # Sums, not lists: small tensors kept between large blocks fragment the heap, which at
        # 20,000 nodes doubles the memory.
        self._precision_sum, self._queries = 0.0, 0
        self._rank_sum, self._pairs = 0.0, 0

    def add(self, rows: Tensor, block: Tensor) -> None:
        """Take a block of distances ``(b, n)``; it is not changed."""
        score = block.clone() if self._offset is None else block + self._offset[None, :]
        score[torch.arange(len(rows)), rows] = torch.inf
        if self._left_out is not None:
            score[_pairs_of(rows, self._left_out)] = torch.inf
        row, item = _pairs_of(rows, self._relevant)
        value = score[row, item]
        keep = torch.isfinite(value)
        row, value = row[keep], value[keep]
        if not len(row):
            return
        below, within = torch.empty_like(row), torch.empty_like(row)
        # As many rows at a time as the block has, so that memory stays a few times the block's.
        for part in torch.arange(len(row)).split(len(rows)):
            others, relevant_score = score[row[part]], value[part, None]
            below[part] = (others < relevant_score).sum(dim=1)
            within[part] = (others <= relevant_score).sum(dim=1)
        relevant_below, relevant_within = _within_rows(row, value)
        tied, relevant_tied = within - below, relevant_within - relevant_below
        precision = expected_precision(below, tied, relevant_below, relevant_tied)
        size = torch.bincount(row, minlength=len(rows))
        total = torch.zeros(len(rows), dtype=torch.float64).index_add_(0, row, precision)
        has_relevant = size > 0
        self._precision_sum += float((total[has_relevant] / size[has_relevant]).sum())
        self._queries += int(has_relevant.sum())
        # In half ranks, which are integers.
        half_ranks = 2 + 2 * (below - relevant_below) + (tied - relevant_tied)
        self._rank_sum += int(half_ranks.sum()) / 2
        self._pairs += len(row)

    def mean_average_precision(self) -> float:
        """Return the mean over nodes with a relevant node of the expected average precision."""
        check_any('mean average precision', self._queries)
        return self._precision_sum / self._queries

    def mean_rank(self) -> float:
        """Return the mean rank of a relevant node among the nodes that are not relevant.

        As Nickel & Kiela (2017) count it: 1 is best, over all pairs; a tied node counts half.
        """
        check_any('mean rank', self._pairs)
        return self._rank_sum / self._pairs


class TreeGain:
    """NDCG of the ranking by distance, with gains from the tree (Järvelin & Kekäläinen 2002).

    The gain of a node at tree distance D* is 2^(1 − D*): 1 for a neighbour, ½ for a sibling or
    grandparent. The discount at rank r is 1/log₂(r + 1). Tied nodes share the mean of their
    gains, which is the expected value (McSherry & Najork 2008). The exact tree metric has 1.
    """

    def __init__(self, tree: Tree, cutoffs: tuple[int, ...]) -> None:
        self._tree = tree
        n = len(tree)
        rank = torch.arange(n - 1, dtype=torch.float64)
        full = 1 / torch.log2(rank + 2)
        self._discounts = {'ndcg': full} | {
            f'ndcg_at_{cutoff}': torch.where(rank < cutoff, full, 0.0) for cutoff in cutoffs
        }
        self._sums = dict.fromkeys(self._discounts, 0.0)
        self._queries = 0

    def add(self, rows: Tensor, block: Tensor) -> None:
        """Take a block of distances ``(b, n)``; it is not changed."""
        n = block.shape[1]
        if n < 2:
            return
        other = torch.ones_like(block, dtype=torch.bool)
        other[torch.arange(len(rows)), rows] = False
        distance = block[other].view(len(rows), n - 1)
        edges = self._tree.tree_distance[rows][other].view(len(rows), n - 1)
        gain = _gain(edges)
        # numpy's sorts of floats and of bytes take a third of the time of torch's.
        order = torch.from_numpy(np.argsort(distance.numpy(), axis=1))
        gain_by_distance = _mean_in_ties(distance.gather(1, order), gain.gather(1, order))
        best = _gain(torch.from_numpy(np.sort(edges.numpy(), axis=1, kind='stable')))
        for name, discount in self._discounts.items():
            self._sums[name] += float(((gain_by_distance @ discount) / (best @ discount)).sum())
        self._queries += len(rows)

    def result(self) -> dict[str, float]:
        """Return ``ndcg`` and ``ndcg_at_K``, means over all nodes."""
        check_any('NDCG', self._queries)
        return {name: total / self._queries for name, total in self._sums.items()}


def _gain(edges: Tensor) -> Tensor:
    return torch.exp2(1 - edges.to(torch.float64))


def _pairs_of(rows: Tensor, pairs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the pairs whose node is among the rows, the node as its index in ``rows``."""
    node, item = pairs
    first = torch.searchsorted(node, rows)
    count = torch.searchsorted(node, rows, right=True) - first
    index = torch.repeat_interleave(torch.arange(len(rows)), count)
    start = torch.repeat_interleave(first - (count.cumsum(0) - count), count)
    return index, item[start + torch.arange(len(index))]


def _within_rows(row: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Return, for each entry, how many of its row's entries are smaller, and not greater."""
    order = np.lexsort((value.numpy(), row.numpy()))
    by_row, by_value = row.numpy()[order], value.numpy()[order]
    new_row = np.diff(by_row, prepend=-1) != 0
    new_group = new_row | (np.diff(by_value, prepend=np.nan) != 0)
    row_start = np.flatnonzero(new_row)[np.cumsum(new_row) - 1]
    group = np.cumsum(new_group) - 1
    starts = np.flatnonzero(new_group)
    stops = np.append(starts[1:], len(order))
    below, within = np.empty_like(order), np.empty_like(order)
    below[order] = starts[group] - row_start
    within[order] = stops[group] - row_start
    return torch.from_numpy(below), torch.from_numpy(within)


def _mean_in_ties(ordered: Tensor, values: Tensor) -> Tensor:
    """Return ``values`` with each run of equal entries of ``ordered`` given its mean, by row."""
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    if bool(new.all()):
        return values
    group = new.flatten().cumsum(0) - 1
    size = torch.bincount(group)
    total = torch.bincount(group, weights=values.flatten())
    return (total / size)[group].view_as(values)
