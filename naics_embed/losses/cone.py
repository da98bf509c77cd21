"""Entailment: a child lies in the cone of its parent (Ganea et al. 2018; Desai et al. 2023)."""

from torch import Tensor

from naics_embed.geometry.cones import entailment_score
from naics_embed.geometry.precision import Curvature


def entailment(parent: Tensor, child: Tensor, *, c: Curvature, aperture: float) -> Tensor:
    """Mean of ``max(0, exterior angle − half aperture)`` over edges, in radians.

    Args:
        parent: ``(m, d)`` space parts.
        child: ``(m, d)`` space parts.
        c: curvature parameter.
        aperture: K; the half aperture at radius r is asin(2K/sinh r) at unit curvature.
    """
    return (-entailment_score(parent, child, c=c, k=aperture)).relu().mean()
