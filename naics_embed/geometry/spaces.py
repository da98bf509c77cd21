"""Three spaces with the same operations, so that their geometry can be compared.

Each takes tangent vectors at the origin ``(..., d)`` to points, and measures geodesic distances
between points. The Lorentz space is what the project uses; a Euclidean and a spherical space of the
same dimension are there to compare it with.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.geometry import lorentz, smooth


@dataclass(frozen=True)
class LorentzSpace:
    """Curvature −c; a point is its space part ``(..., d)``. A tensor c receives gradient."""

    c: float | Tensor

    def exp0(self, v: Tensor) -> Tensor:
        """Tangent vectors at the origin → points."""
        return lorentz.exp0(v, c=self.c)

    def log0(self, x: Tensor) -> Tensor:
        """Points → tangent vectors at the origin."""
        return lorentz.log0(x, c=self.c)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances row by row, ``(...)``."""
        return lorentz.distance(x, y, c=self.c)

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of all pairs, ``(n, d), (m, d) → (n, m)``."""
        return lorentz.pairwise_distance(x, y, c=self.c)


@dataclass(frozen=True)
class EuclideanSpace:
    """Curvature 0; a point is its own tangent vector."""

    def exp0(self, v: Tensor) -> Tensor:
        """Tangent vectors at the origin → points."""
        return v

    def log0(self, x: Tensor) -> Tensor:
        """Points → tangent vectors at the origin."""
        return x

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances row by row, ``(...)``."""
        return smooth.safe_norm(x - y)

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of all pairs, ``(n, d), (m, d) → (n, m)``."""
        square = x.square().sum(-1)[:, None] + y.square().sum(-1)[None, :] - 2 * x @ y.T
        return smooth.safe_root(square.clamp_min(0))


@dataclass(frozen=True)
class SphericalSpace:
    """Curvature c; a point is a unit vector ``(..., d + 1)``, the pole first."""

    c: float

    def exp0(self, v: Tensor) -> Tensor:
        """Tangent vectors at the pole, shorter than π/√c → points."""
        angle = math.sqrt(self.c) * smooth.safe_norm(v)[..., None]
        # sin(a)/a is torch's sinc of a/π, smooth at 0.
        return torch.cat([angle.cos(), torch.sinc(angle / torch.pi) * math.sqrt(self.c) * v], -1)

    def log0(self, x: Tensor) -> Tensor:
        """Points → tangent vectors at the pole."""
        side = x[..., 1:]
        norm = smooth.safe_norm(side)[..., None]
        angle = torch.atan2(norm, x[..., :1])
        at_pole = norm == 0
        ratio = torch.where(at_pole, 1, angle / torch.where(at_pole, 1, norm))
        return ratio * side / math.sqrt(self.c)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances row by row, ``(...)``."""
        return self._angle((x * y).sum(-1)) / math.sqrt(self.c)

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of all pairs, ``(n, d + 1), (m, d + 1) → (n, m)``."""
        return self._angle(x @ y.T) / math.sqrt(self.c)

    def _angle(self, cosine: Tensor) -> Tensor:
        # From both half chords: exact to the rounding of the product near 0 and near π.
        near, far = (1 - cosine).clamp_min(0), (1 + cosine).clamp_min(0)
        return 2 * torch.atan2(smooth.safe_root(near), smooth.safe_root(far))


Space = LorentzSpace | EuclideanSpace | SphericalSpace


def make_space(geometry: str, c: float) -> Space:
    """Return the space called ``lorentz``, ``euclidean`` or ``spherical``; c is its |curvature|."""
    if geometry == 'euclidean':
        return EuclideanSpace()
    return SphericalSpace(c) if geometry == 'spherical' else LorentzSpace(c)
