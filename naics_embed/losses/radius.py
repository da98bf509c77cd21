"""How far out each level lies."""

import torch
from torch import Tensor, nn


def level_radii(radius: Tensor, level: Tensor, known: Tensor) -> Tensor:
    """Return the median radius of the known codes of each code's level, ``(n,)``.

    Args:
        radius: ``(n,)``.
        level: int64 ``(n,)``.
        known: bool ``(n,)``; a level without known codes keeps the radii that it has.
    """
    target = radius.clone()
    for value in level.unique().tolist():
        own = level == value
        if bool((own & known).any()):
            target[own] = radius[own & known].median()
    return target


def radius_huber(radius: Tensor, target: Tensor, level: Tensor, delta: float) -> Tensor:
    """Mean over levels of the Huber loss (1964) between radii and their target.

    A level counts once however many codes it has; far outliers pull with constant force.

    Args:
        radius: ``(m,)`` geodesic distances from the origin.
        target: ``(m,)``.
        level: int64 ``(m,)``.
        delta: difference from which the loss grows linearly.
    """
    loss = nn.functional.huber_loss(radius, target, reduction='none', delta=delta)
    _, place, count = level.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(count), dtype=loss.dtype).index_add(0, place, loss)
    return (sums / count).mean()
