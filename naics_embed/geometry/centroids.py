"""The Lorentz centroid of sets of points; `indexed` has that of sets given by an index."""

from collections.abc import Callable

import torch
from torch import Tensor

OfMembers = Callable[[Tensor], Tensor]


def weighted_centroid(points: Tensor, weights: Tensor, add: OfMembers, spread: OfMembers) -> Tensor:
    """Return ``S/√(−⟨S, S⟩)`` of each set, with ``S = Σ wᵢxᵢ``, in the space of curvature −1.

    It minimises the weighted squared Lorentzian distance (Law et al., ICML 2019) and equals the
    Einstein midpoint. ``−⟨S, S⟩ = (T − |S|)(T + |S|)`` is summed from ``t − s·Ŝ``, all terms
    positive, so that far sets keep their digits.

    Args:
        points: float64 ``(members, d)``, space parts.
        weights: float64 ``(members, 1)``, not negative.
        add: sums values of the members of each set.
        spread: gives each member the value of its set.

    Returns:
        float64 ``(sets, d)``; the origin for a set whose weights are all 0.
    """
    times = (1 + points.square().sum(-1, keepdim=True)).sqrt()
    total_time = add(weights * times)
    total = add(weights * points)
    length = total.square().sum(-1, keepdim=True)
    far = length > total_time.square() / 2

    safe_length = torch.where(far, length, 1).sqrt()
    direction = spread(torch.where(far, total, 0) / safe_length)
    forward = (points * direction).sum(-1, keepdim=True)
    across = points - forward * direction
    across = across - (across * direction).sum(-1, keepdim=True) * direction
    # t − s·Ŝ = (1 + |s⊥|²)/(t + s·Ŝ) for points ahead, plainly for points behind.
    gap = torch.where(
        forward > 0,
        (1 + across.square().sum(-1, keepdim=True)) / (times + forward.clamp(min=0)),
        times - forward,
    )
    split = add(weights * gap) * (total_time + safe_length)
    norm = torch.where(far, split, total_time.square() - length)
    empty = norm <= 0
    return torch.where(empty, 0, total) / torch.where(empty, 1, norm).sqrt()
