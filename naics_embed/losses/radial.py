"""Radius by level: a code lies as far from the origin as its level requires."""

from torch import Tensor, nn


def radial(radius: Tensor, target: Tensor, delta: float) -> Tensor:
    """Mean Huber loss (Huber 1964) of radius against the target radius of the code's level.

    Args:
        radius: ``(n,)`` geodesic distances from the origin.
        target: ``(n,)``.
        delta: deviation from which the loss is linear.
    """
    return nn.functional.huber_loss(radius, target.to(radius.dtype), delta=delta)
