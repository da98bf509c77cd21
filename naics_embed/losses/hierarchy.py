"""Hierarchy preservation: correlation of distances with D*, list by list.

The CPCC regulariser of Zeng et al. (Learning Structured Representations with Cophenetic
Correlation, ICLR 2023), for each anchor's list of codes and with the tree metric D*.
"""

import torch
from torch import Tensor


def hierarchy_preservation(distances: Tensor, tree_distance: Tensor) -> Tensor:
    """Mean over rows of ``1 − corr(dᵢ., D*ᵢ.)``, Pearson's.

    Size and zero of each row's distances are free, unlike in stress, which sets one scale for all
    pairs; so near and far codes of one anchor are put in proportion, wherever the anchor lies.

    Args:
        distances: ``(a, k)``.
        tree_distance: ``(a, k)``, D*; 0 marks the anchor itself, which is left out.

    Returns:
        scalar in [0, 2]; rows in which either is constant count 1, with no gradient.
    """
    other = (tree_distance > 0).to(distances.dtype)
    count = other.sum(1, keepdim=True).clamp_min(1)

    def centred(values: Tensor) -> Tensor:
        return (values - (values * other).sum(1, keepdim=True) / count) * other

    x, y = centred(distances), centred(tree_distance.to(distances.dtype))
    square = x.square().sum(1) * y.square().sum(1)
    useful = square > torch.finfo(distances.dtype).eps
    root = torch.where(useful, square, 1).sqrt()
    return (1 - torch.where(useful, (x * y).sum(1) / root, 0)).mean()
