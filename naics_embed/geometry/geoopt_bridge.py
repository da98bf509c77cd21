"""Conversion to and from geoopt: the only module that uses both our c and its k.

geoopt's Lorentz model keeps ambient points ``(t, s)`` with ``⟨x, x⟩ = −k``: its k is the radius
squared, ``k = 1/c``. Its manifold and optimisers are used from here; its distances are not, since
in float32 they are wrong for near and for far points.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from naics_embed.errors import ConfigError, UserError
from naics_embed.geometry import lorentz
from naics_embed.geometry.precision import Curvature

if TYPE_CHECKING:
    import geoopt


def manifold(c: float, *, dtype: torch.dtype) -> 'geoopt.Lorentz':
    """Return geoopt's Lorentz manifold of curvature −c, fixed, for points of one dtype.

    Raises:
        ConfigError: c is not positive.
        UserError: geoopt is not installed.
    """
    try:
        import geoopt
    except ImportError as error:
        raise UserError(
            "geoopt is not installed: install the extra 'train' (pip install naics-embed[train])"
        ) from error
    if not c > 0:
        raise ConfigError(f'curvature c must be positive (curvature is −c), got {c}')
    return geoopt.Lorentz(k=torch.tensor(1.0 / c, dtype=dtype), learnable=False)


def curvature(space: 'geoopt.Lorentz') -> Tensor:
    """Return c of a geoopt Lorentz manifold, 0-d; gradient flows to a learnable k."""
    return 1 / space.k


def to_geoopt(s: Tensor, *, c: Curvature) -> Tensor:
    """Ambient coordinates ``(..., d + 1)`` of points ``(..., d)``, as geoopt expects them."""
    return lorentz.to_ambient(s, c=c)


def from_geoopt(x: Tensor) -> Tensor:
    """Space parts ``(..., d)`` of geoopt's ambient points ``(..., d + 1)``, for every curvature."""
    return x[..., 1:]


def manifold_parameter(s: Tensor, *, c: float) -> 'geoopt.ManifoldParameter':
    """Return a trainable copy of points ``(..., d)`` for geoopt's Riemannian optimisers.

    The parameter holds ambient coordinates ``(..., d + 1)``, in float64 whatever the points are in:
    geoopt's steps in float32 are NaN from r = 8 or so. Read it back with `from_geoopt`. Raises
    like `manifold`.
    """
    space = manifold(c, dtype=torch.float64)
    import geoopt

    return geoopt.ManifoldParameter(to_geoopt(s.detach().double(), c=c).clone(), manifold=space)
