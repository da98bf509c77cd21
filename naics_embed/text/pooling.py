"""Pooling of hidden states to a sentence embedding."""

from torch import Tensor, nn


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of hidden states ``(b, t, w)`` where bool mask ``(b, t)`` holds, scaled to length 1."""
    weights = mask.to(hidden.dtype)[..., None]
    pooled = (hidden * weights).sum(-2) / weights.sum(-2)
    return nn.functional.normalize(pooled, dim=-1)
