"""Hinge on triplets of points, with a margin for each."""

from torch import Tensor


def triplet_hinge(positive: Tensor, negative: Tensor, margin: Tensor) -> Tensor:
    """Mean of max(0, d(a, p) − d(a, n) + margin).

    After Schroff et al. (FaceNet, CVPR 2015); the margins grow with how much farther the negative
    is in the tree, so that a cousin is not pushed as far away as another sector.

    Args:
        positive: ``(b,)`` geodesic distances of anchor and positive.
        negative: ``(b,)`` geodesic distances of anchor and negative.
        margin: ``(b,)``.

    Returns:
        scalar loss; 0 where every margin is kept.
    """
    return (positive - negative + margin).clamp(min=0).mean()
