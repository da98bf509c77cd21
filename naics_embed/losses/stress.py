"""Stress between geodesic distance and tree distance (Kruskal 1964; weights of Sammon 1969)."""

import torch
from torch import Tensor


def tree_stress(distance: Tensor, tree_distance: Tensor) -> Tensor:
    """Mean of (s · d − D*)² / D* with the scale s that fits this batch best.

    The scale has a closed form, s = Σ d / Σ (d² / D*), and carries no gradient, so the term
    pulls on proportions only and leaves the size of the table to the other terms.

    Args:
        distance: ``(...)`` geodesic distances.
        tree_distance: ``(...)`` tree distances D* ≥ 1 of the same pairs.

    Returns:
        scalar loss; 0 where distances are proportional to tree distances.
    """
    with torch.no_grad():
        total = (distance.square() / tree_distance).sum()
        scale = distance.sum() / total.clamp_min(torch.finfo(distance.dtype).tiny)
    return ((scale * distance - tree_distance).square() / tree_distance).mean()
