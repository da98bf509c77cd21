"""Analytic functions of a square, so that no gradient passes through a norm at zero.

Every map of the Lorentz model that looks like ``f(|v|)/|v|`` is an analytic function of
``q = |v|²``. Written in `q`, with a series near zero, value and gradient are exact there; written
in ``|v|`` the gradient is 0/0. The terms left out of each series are below the rounding of float64
at the border.
"""

import torch
from torch import Tensor

SERIES_BELOW = 1e-4
"""Squares below this use the series."""


def _split(q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the series holds, `q` there and 0 elsewhere, ``√q`` elsewhere and 1 there.

    Neither branch then overflows where the other is taken, which would make its gradient NaN.
    """
    small = q < SERIES_BELOW
    low = torch.where(small, q, torch.zeros_like(q))
    return small, low, torch.where(small, torch.ones_like(q), q).sqrt()


def safe_root(q: Tensor) -> Tensor:
    """``√q`` for ``q >= 0``, with gradient 0 at ``q = 0``."""
    zero = q == 0
    return torch.where(zero, q, torch.where(zero, torch.ones_like(q), q).sqrt())


def safe_norm(v: Tensor) -> Tensor:
    """Euclidean norm over the last dimension, ``(..., d)`` to ``(...)``; gradient 0 at 0."""
    return safe_root(v.square().sum(-1))


def cosh_root(q: Tensor) -> Tensor:
    """``cosh √q`` for ``q >= 0``."""
    small, low, root = _split(q)
    return torch.where(small, 1 + low / 2 + low.square() / 24 + low.pow(3) / 720, root.cosh())


def coshm1c_root(q: Tensor) -> Tensor:
    """``(cosh √q − 1) / q`` for ``q >= 0``, from ``2·sinh²(√q/2)``, in which nothing cancels."""
    return sinhc_root(q / 4).square() / 2


def sinhc_root(q: Tensor) -> Tensor:
    """``sinh √q / √q`` for ``q >= 0``."""
    small, low, root = _split(q)
    series = 1 + low / 6 + low.square() / 120 + low.pow(3) / 5040
    return torch.where(small, series, root.sinh() / root)


def asinhc_root(q: Tensor) -> Tensor:
    """``asinh √q / √q`` for ``q >= 0``."""
    small, low, root = _split(q)
    series = 1 - low / 6 + 3 * low.square() / 40 - 5 * low.pow(3) / 112
    return torch.where(small, series, root.asinh() / root)


def tanhc_root(q: Tensor) -> Tensor:
    """``tanh √q / √q`` for ``q >= 0``."""
    small, low, root = _split(q)
    series = 1 - low / 3 + 2 * low.square() / 15 - 17 * low.pow(3) / 315
    return torch.where(small, series, root.tanh() / root)
