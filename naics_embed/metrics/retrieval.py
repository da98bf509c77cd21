"""From scores of candidates to retrieval metrics, with standard errors.

Higher scores are better (negate distances). Ties are broken at random in expectation: a system
that gives all candidates one score gets exactly the metrics of guessing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.metrics.ties import expected_hit, expected_reciprocal_rank
from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import MetricError, check_any, check_index, check_length

CUTOFFS = (5, 10)


@dataclass(frozen=True)
class Outcomes:
    """Rank and depth of the right candidate of each query.

    Attributes:
        above: int64 ``(q,)``, candidates that score better than the right one.
        tied: int64 ``(q,)``, candidates that score the same, the right one included.
        lca_level: float64 ``(q,)``, mean level of the lowest common ancestor of the right
            candidate and the top-1 answers; None without a tree.
        right_at: from each inner level of the tree to the float64 ``(q,)`` probability that the
            top-1 answer agrees with the right one down to that level; empty without a tree.
    """

    above: Tensor
    tied: Tensor
    lca_level: Tensor | None
    right_at: Mapping[int, Tensor]

    def __len__(self) -> int:
        return len(self.above)


def score_queries(
    scores: Tensor | Iterable[Tensor],
    truth: Tensor,
    *,
    tree: Tree | None = None,
    candidates: Tensor | None = None,
) -> Outcomes:
    """Compare each query's right candidate with all others.

    Args:
        scores: ``(q, m)``, or blocks ``(b, m)`` that follow each other; −inf for a candidate that
            is ruled out.
        truth: int64 ``(q,)``, column of the right candidate of each query.
        tree: where given, with ``candidates``, the level down to which the top-1 answer is right
            is computed too.
        candidates: int64 ``(m,)``, node of the tree that each column stands for.

    Raises:
        MetricError: shapes that do not fit, a NaN score, a right candidate that is ruled out.
    """
    if (tree is None) != (candidates is None):
        raise MetricError('give tree and candidates together, or neither')
    levels: list[int] = []
    if tree is not None and candidates is not None:
        check_index('candidates', candidates, len(tree))
        levels = tree.level[candidates].unique().tolist()
        levels = list(range(int(tree.level.min()), levels[-1])) if levels else []
    above, tied, lca, right = [], [], [], []
    for block, right_column in _blocks(scores, truth):
        if candidates is not None:
            check_length('candidates', candidates, block.shape[1])
        value = block.gather(1, right_column[:, None])
        above.append((block > value).sum(dim=1))
        tied.append((block == value).sum(dim=1))
        if tree is not None and candidates is not None:
            top = (block == block.max(dim=1, keepdim=True).values).to(torch.float64)
            top /= top.sum(dim=1, keepdim=True)
            shared = tree.lca_level(candidates[right_column], candidates)
            lca.append((top * shared).sum(dim=1))
            # A right answer above a level cannot agree further down than it goes itself.
            depth = tree.level[candidates[right_column]][:, None]
            right.append(
                torch.stack(
                    [(top * (shared >= depth.clamp(max=level))).sum(dim=1) for level in levels],
                    dim=1,
                )
                if levels
                else top.new_empty((len(right_column), 0))
            )
    check_any('retrieval', len(above))
    columns = torch.cat(right).unbind(1) if right else ()
    return Outcomes(
        above=torch.cat(above),
        tied=torch.cat(tied),
        lca_level=torch.cat(lca) if lca else None,
        right_at=dict(zip(levels, columns, strict=True)),
    )


def per_query(outcomes: Outcomes, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, Tensor]:
    """Return each metric for each query, float64 ``(q,)``.

    Compare two systems on the same queries by `mean_and_error` of the difference of theirs: its
    error is the paired one, much smaller than those of the two means.
    """
    above, tied = outcomes.above, outcomes.tied
    metrics = {'top1': expected_hit(above, tied, 1)}
    metrics |= {f'hit_at_{cutoff}': expected_hit(above, tied, cutoff) for cutoff in cutoffs}
    metrics['mrr'] = expected_reciprocal_rank(above, tied)
    if outcomes.lca_level is not None:
        metrics['lca_level'] = outcomes.lca_level
    return metrics | {f'right_at_level_{level}': v for level, v in outcomes.right_at.items()}


def mean_and_error(values: Tensor, groups: Tensor | None = None) -> tuple[float, float]:
    """Return the mean of ``(q,)`` values and its standard error.

    Args:
        values: one value a query.
        groups: int64 ``(q,)``; queries of one group (say, one code) may resemble each other, and
            the error allows for it (cluster-robust, Liang & Zeger 1986). Each query on its own
            where None, which is the usual standard deviation / √q.

    Returns:
        The mean, and its error; NaN where there are fewer than two groups.
    """
    check_any('mean', len(values))
    values = values.to(torch.float64)
    mean = values.mean()
    sums = values - mean
    if groups is not None:
        check_length('groups', groups, len(values))
        _, group = groups.unique(return_inverse=True)
        sums = torch.zeros(int(group.max()) + 1, dtype=torch.float64).index_add_(0, group, sums)
    count = len(sums)
    if count < 2:
        return float(mean), math.nan
    spread = float(sums @ sums) * count / (count - 1)
    return float(mean), math.sqrt(spread) / len(values)


def retrieval_metrics(
    outcomes: Outcomes,
    *,
    masks: Mapping[str, Tensor] | None = None,
    groups: Tensor | None = None,
    cutoffs: tuple[int, ...] = CUTOFFS,
) -> dict[str, float]:
    """Return the retrieval metrics of all queries, and of subsets of them.

    Args:
        outcomes: from `score_queries`.
        masks: from a name (``strict``) to bool ``(q,)``, the queries of that subset.
        groups: see `mean_and_error`.
        cutoffs: K of the hits.

    Returns:
        ``top1``, ``hit_at_K``, ``mrr``, and with a tree ``lca_level`` (mean level of the lowest
        common ancestor of top-1 answer and truth) and ``right_at_level_L``; each with its standard
        error under ``…_se``; and ``queries``, their number. For a subset the same keys with its
        name in front (``strict_top1``).

    Raises:
        MetricError: a mask has the wrong shape, is not bool or is empty.
    """
    metrics = per_query(outcomes, cutoffs)
    everything = torch.ones(len(outcomes), dtype=torch.bool)
    result: dict[str, float] = {}
    for name, mask in {'': everything, **(masks or {})}.items():
        check_length(f'mask {name}', mask, len(outcomes))
        if mask.dtype != torch.bool:
            raise MetricError(f'mask {name} must be bool, not {mask.dtype}')
        check_any(f'mask {name}', int(mask.sum()))
        prefix = f'{name}_' if name else ''
        result[f'{prefix}queries'] = float(mask.sum())
        chosen = groups[mask] if groups is not None else None
        for key, values in metrics.items():
            mean, error = mean_and_error(values[mask], chosen)
            result[f'{prefix}{key}'] = mean
            result[f'{prefix}{key}_se'] = error
    return result


def _blocks(scores: Tensor | Iterable[Tensor], truth: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    done = 0
    for block in [scores] if isinstance(scores, Tensor) else scores:
        if block.ndim != 2:
            raise MetricError(f'scores must be (queries, candidates), not {tuple(block.shape)}')
        right_column = truth[done : done + len(block)]
        if len(right_column) != len(block):
            raise MetricError(f'scores of more queries than the {len(truth)} in truth')
        check_index('truth', right_column, block.shape[1])
        scored = block.detach().cpu()
        if bool(scored.isnan().any()):
            raise MetricError(f'scores of queries {done} to {done + len(block) - 1} hold NaN')
        if bool((scored.gather(1, right_column[:, None]) == -torch.inf).any()):
            raise MetricError(
                f'the right candidate of a query between {done} and {done + len(block) - 1} '
                'is ruled out by a score of −inf'
            )
        done += len(block)
        yield scored, right_column
    if done != len(truth):
        raise MetricError(f'scores of {done} queries do not match {len(truth)} in truth')
