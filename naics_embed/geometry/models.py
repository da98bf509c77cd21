"""Other charts of the same space (Poincaré ball, Klein model) and the Lorentz boost.

Ball and Klein coordinates lie within the radius ``1/√c``. Both press distant points against the
rim: in float32 a point of radius r keeps about ``7 − 0.43·√c·r`` digits (Poincaré) and half as many
in the Klein model, so convert float64 points, and store Lorentz coordinates.
"""

import torch
from torch import Tensor

from naics_embed.geometry import smooth
from naics_embed.geometry.precision import Curvature, guarded, root


def _square(x: Tensor) -> Tensor:
    return x.square().sum(-1, keepdim=True)


@guarded
def to_poincare(s: Tensor, *, c: Curvature) -> Tensor:
    """Poincaré ball coordinates ``s/(1 + √c·t)`` of points ``(..., d)``: ``(..., d)``."""
    wide = s.double()
    q = _square(wide * root(c, wide))
    return (wide / (1 + (1 + q).sqrt())).to(s.dtype)


@guarded
def from_poincare(x: Tensor, *, c: Curvature) -> Tensor:
    """Points ``2x/(1 − c|x|²)`` of Poincaré coordinates ``(..., d)``; NaN outside the ball."""
    wide = x.double()
    gap = 1 - _square(wide * root(c, wide))
    return (2 * wide / torch.where(gap > 0, gap, torch.nan)).to(x.dtype)


@guarded
def to_klein(s: Tensor, *, c: Curvature) -> Tensor:
    """Klein coordinates ``s/(√c·t)`` of points ``(..., d)``: ``(..., d)``."""
    wide = s.double()
    q = _square(wide * root(c, wide))
    return (wide / (1 + q).sqrt()).to(s.dtype)


@guarded
def from_klein(x: Tensor, *, c: Curvature) -> Tensor:
    """Points ``x/√(1 − c|x|²)`` of Klein coordinates ``(..., d)``; NaN outside the ball."""
    wide = x.double()
    gap = 1 - _square(wide * root(c, wide))
    return (wide / torch.where(gap > 0, gap, torch.nan).sqrt()).to(x.dtype)


@guarded
def boost(s: Tensor, w: Tensor, *, c: Curvature) -> Tensor:
    """Lorentz boost of points s by the rapidity vector w, ``(..., d)`` broadcast: ``(..., d)``.

    The isometry that moves the origin to ``exp0(w)`` along the geodesic through both:
    ``s + ((cosh φ − 1)(n·s) + sinh φ·t)·n`` with ``φ = √c|w|``, ``n = w/|w|``. Its inverse is the
    boost by −w.
    """
    wide, rapidity = s.double(), w.double()
    scale = root(c, wide)
    time = (scale**-2 + _square(wide)).sqrt()
    q = _square(rapidity * scale)
    along = (rapidity * wide).sum(-1, keepdim=True) * scale**2
    factor = smooth.coshm1c_root(q) * along + smooth.sinhc_root(q) * time * scale
    return (wide + factor * rapidity).to(torch.promote_types(s.dtype, w.dtype))
