"""Radii of the levels."""

import torch
from torch import Tensor, nn


def level_radii(radius: Tensor, level: Tensor, supervised: Tensor) -> Tensor:
    """Return the median radius of the supervised codes of each code's level, ``(n,)``.

    Args:
        radius: ``(n,)``.
        level: int64 ``(n,)``.
        supervised: bool ``(n,)``; a level without supervised codes keeps the radii that it has.
    """
    target = radius.clone()
    for value in level.unique().tolist():
        at_level = level == value
        if bool((at_level & supervised).any()):
            target[at_level] = radius[at_level & supervised].median()
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
    _, group, count = level.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(count), dtype=loss.dtype).index_add(0, group, loss)
    return (sums / count).mean()
