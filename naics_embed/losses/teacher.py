"""A teacher: codes stay near the points of the construction."""

import torch
from torch import Tensor, nn


def teacher(distance: Tensor, delta: float) -> Tensor:
    """Mean Huber loss (Huber 1964) of the geodesic distances ``(n,)`` of codes to their teacher.

    With a weight that fades, the tree shapes the first epochs and the texts the last.
    """
    return nn.functional.huber_loss(distance, torch.zeros_like(distance), delta=delta)
