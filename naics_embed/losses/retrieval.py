"""Query → code cross-entropy over every candidate of the code's level."""

import torch
from torch import Tensor, nn


def level_cross_entropy(
    distances: Tensor,
    target: Tensor,
    level: Tensor,
    candidate: Tensor,
    temperature: Tensor | float,
) -> Tensor:
    """Mean cross-entropy of −temperature · distance, among candidates of the target's level.

    Args:
        distances: ``(b, n)`` geodesic distances from queries to all codes.
        target: int64 ``(b,)``, position of the right code; it must be a candidate.
        level: int64 ``(n,)``, digits of each code.
        candidate: bool ``(n,)``, codes that may be an answer (hidden codes may not).
        temperature: factor on the distance, > 0.

    Returns:
        scalar loss.
    """
    eligible = candidate[None, :] & (level[None, :] == level[target][:, None])
    logits = (-temperature * distances).masked_fill(~eligible, -torch.inf)
    return nn.functional.cross_entropy(logits, target)
