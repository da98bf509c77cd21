"""Decoupled contrastive learning between codes (Yeh et al., ECCV 2022)."""

import torch
from torch import Tensor


def decoupled_contrast(
    distances: Tensor,
    positive: Tensor,
    weights: Tensor,
    temperature: float,
    attracted: Tensor | None = None,
) -> Tensor:
    """Mean of ``τ d(i, p) + log Σₖ wᵢₖ exp(−τ d(i, k))`` over anchors i.

    The positive is left out of the sum: with it there, as in InfoNCE, the gradient dies out where
    the positive is already near, which is what decoupling removes.

    Args:
        distances: ``(a, k)`` from anchors to codes.
        positive: int64 ``(a,)``, column of each anchor's positive.
        weights: ``(a, k)`` weights of the negatives, 0 for codes that are none.
        temperature: τ > 0.
        attracted: bool ``(a, k)``, further positives (found to be false negatives); their mean
            distance counts like that of the positive. None where there are none.

    Returns:
        scalar loss over the anchors that have a negative; it may be negative.
    """
    near = distances.gather(1, positive[:, None]).squeeze(1)
    if attracted is not None:
        count = attracted.sum(1)
        drawn = (distances * attracted).sum(1) / count.clamp_min(1)
        near = torch.where(count > 0, (near + drawn) / 2, near)
    logits = (-temperature * distances + weights.log()).masked_fill(weights <= 0, -torch.inf)
    useful = (weights > 0).any(1)
    if not bool(useful.any()):
        return distances.sum() * 0
    return (temperature * near[useful] + logits[useful].logsumexp(1)).mean()
