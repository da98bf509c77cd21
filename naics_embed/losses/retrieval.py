"""Query → code cross-entropy over every candidate of the code's level."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def level_cross_entropy(
    distances: Tensor,
    target: Tensor,
    level: Tensor,
    candidate: Tensor,
    temperature: Tensor | float,
    log_weight: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of −temperature · distance, among candidates of the target's level.

    Args:
        distances: ``(b, n)`` geodesic distances from queries to all codes.
        target: int64 ``(b,)``, position of the right code; it must be a candidate.
        level: int64 ``(n,)``, digits of each code.
        candidate: bool ``(n,)``, codes that may be an answer (hidden codes may not).
        temperature: factor on the distance, > 0.
        log_weight: ``(b, n)``, log of how many candidates each code counts as; −inf for none. None
            where each counts once. Finite values make a code of another level a candidate too.

    Returns:
        scalar loss.
    """
    eligible = candidate[None, :] & (level[None, :] == level[target][:, None])
    logits = -temperature * distances
    if log_weight is None:
        logits = logits.masked_fill(~eligible, -torch.inf)
    else:
        logits = logits + log_weight
    return nn.functional.cross_entropy(logits, target)


def level_losses(
    pairwise: Callable[[Tensor, Tensor], Tensor],
    points: Tensor,
    codes: Tensor,
    target: Tensor,
    level: Tensor,
    candidate: Tensor,
    temperature: Tensor | float,
) -> Tensor:
    """Cross-entropy of each point among the candidates of its target's level.

    The mean is `level_cross_entropy` of all distances, at less work: a point meets the codes of one
    level only, and codes that may not be an answer are met by none.

    Args:
        pairwise: maps points ``(b, ·)`` and ``(k, ·)`` to their distances ``(b, k)``.
        points: ``(b, ·)``.
        codes: ``(n, ·)``.
        target: int64 ``(b,)``, position of the right code; it must be a candidate.
        level: int64 ``(n,)``, digits of each code.
        candidate: bool ``(n,)``, codes that may be an answer.
        temperature: factor on the distance, > 0.

    Returns:
        ``(b,)``, in the order of ``points``.
    """
    target_level = level[target]
    losses, order = [], []
    for value in target_level.unique().tolist():
        rows = (target_level == value).nonzero().squeeze(1)
        columns = ((level == value) & candidate).nonzero().squeeze(1)
        logits = -temperature * pairwise(points[rows], codes[columns])
        right = torch.searchsorted(columns, target[rows])
        losses.append(nn.functional.cross_entropy(logits, right, reduction='none'))
        order.append(rows)
    return torch.cat(losses)[torch.cat(order).argsort()]


def redirected_from(target: Tensor, against: Tensor, candidate: Tensor) -> Tensor:
    """Mark the codes that an activity phrase was redirected from, bool ``(b, n)``.

    Args:
        target: int64 ``(b,)``, the right codes, which are never marked.
        against: int64 ``(b, r)``, positions of those codes, −1 where there are fewer.
        candidate: bool ``(n,)``, codes that may be an answer; others are not marked.
    """
    valid = (against >= 0) & candidate[against.clamp_min(0)] & (against != target[:, None])
    row, column = valid.nonzero(as_tuple=True)
    marked = torch.zeros(len(target), len(candidate), dtype=torch.bool, device=target.device)
    marked[row, against[row, column]] = True
    return marked


def candidate_weights(
    target: Tensor, level: Tensor, candidate: Tensor, redirected: Tensor, forced: float
) -> Tensor:
    """Return how many candidates each code counts as, ``(b, n)``, with forced hard negatives.

    A candidate of the target's level counts once. The code that an activity phrase was redirected
    from counts ``forced`` times, whatever its level: the phrase is like its text, and it is wrong.

    Args:
        target: int64 ``(b,)``.
        level: int64 ``(n,)``.
        candidate: bool ``(n,)``.
        redirected: bool ``(b, n)``, from `redirected_from`.
        forced: weight of a forced negative; 0 leaves candidates as they are.
    """
    eligible = candidate[None, :] & (level[None, :] == level[target][:, None])
    weights = eligible.double()
    return weights.masked_fill(redirected, forced) if forced > 0 else weights


def ancestor_cross_entropy(
    distances: Tensor,
    target: Tensor,
    ancestors: Tensor,
    level: Tensor,
    candidate: Tensor,
    temperature: Tensor | float,
) -> Tensor:
    """Mean cross-entropy at the levels above the target, where its ancestors are right.

    A wrong code under the right parent then costs less than one of another sector.

    Args:
        distances: ``(b, n)``, as in `level_cross_entropy`.
        target: int64 ``(b,)``.
        ancestors: int64 ``(n, levels)``, ancestor-or-self of each code at each level, or −1.
        level: int64 ``(n,)``.
        candidate: bool ``(n,)``.
        temperature: factor on the distance.

    Returns:
        scalar loss; 0 where all targets are sectors.
    """
    total = distances.new_zeros(())
    count = 0
    for column in range(ancestors.shape[1]):
        right = ancestors[target, column]
        above = (right >= 0) & (right != target) & candidate[right.clamp_min(0)]
        if bool(above.any()):
            rows = int(above.sum())
            loss = level_cross_entropy(
                distances[above], right[above], level, candidate, temperature
            )
            total = total + rows * loss
            count += rows
    return total / max(count, 1)
