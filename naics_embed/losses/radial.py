"""Radius by level: a code lies as far from the origin as its level asks for."""

from torch import Tensor, nn


def radial(radius: Tensor, wanted: Tensor, delta: float) -> Tensor:
    """Mean Huber loss (Huber 1964) of radius against the radius wanted at the code's level.

    Args:
        radius: ``(n,)`` geodesic distances from the origin.
        wanted: ``(n,)``.
        delta: deviation from which the loss is linear.
    """
    return nn.functional.huber_loss(radius, wanted.to(radius.dtype), delta=delta)
