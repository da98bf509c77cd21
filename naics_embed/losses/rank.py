"""Rank order of distances by D*, list by list (RankNet: Burges et al., ICML 2005).

Within a list, each pair of codes with D*ⱼ < D*ₖ costs softplus((dⱼ − dₖ)/T). Every inverted pair of
the list (dⱼ > dₖ) is moved the right way by the gradient of the whole list. For with s the logistic
function, T·∂L/∂dⱼ = Σ_{l: D*ₗ > D*ⱼ} s((dⱼ − dₗ)/T) − Σ_{l: D*ₗ < D*ⱼ} s((dₗ − dⱼ)/T). The first
sum runs over more codes for j than for k, with larger terms as dⱼ > dₖ; the second over fewer, with
smaller terms; and the pair itself is in one sum only. So ∂L/∂dⱼ > ∂L/∂dₖ, and a step down the
gradient shortens dⱼ − dₖ.
"""

import torch
from torch import Tensor, nn


def rank_order(distances: Tensor, tree_distance: Tensor, temperature: float) -> Tensor:
    """Mean of softplus((dⱼ − dₖ)/T) over all pairs of each list with D*ⱼ < D*ₖ.

    Args:
        distances: ``(a, l)``, from each anchor to the codes of its list.
        tree_distance: ``(a, l)``, D*; pairs with equal D* are left out.
        temperature: T > 0, in units of distance.

    Returns:
        scalar loss; 0 where no pair is ordered.
    """
    tree = tree_distance.to(torch.int16)
    ordered = tree[:, :, None] < tree[:, None, :]
    gap = (distances[:, :, None] - distances[:, None, :]) / temperature
    cost = nn.functional.softplus(gap) * ordered
    return cost.sum() / ordered.sum().clamp_min(1)
