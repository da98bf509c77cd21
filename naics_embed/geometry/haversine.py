"""The hyperbolic haversine ``u = sinh²(d/2)`` at unit curvature, row by row and for all pairs.

Points are space parts of the unit hyperboloid, float64. ``cosh d = 1 + 2u``, so u carries the
distance without the cancellation of ``arcosh(−⟨x, y⟩)``, and it is smooth where points coincide.

Row by row, with radii r, angle θ and ``Δ = r_x − r_y`` (the polar split):

    u = sinh²(Δ/2) + |x||y|·(1 − cos θ)/2
    sinh Δ = (x − y)·(x + y) / (|x|·t_y + |y|·t_x)
    1 − cos θ = sin²θ / (1 + cos θ) where cos θ > 0, sin θ from the part of one vector orthogonal
    to the other.

For all pairs one matrix product gives ``u = (h_x t_y + h_y − x·y)/2`` with ``h = t − 1``. Its
rounding error is at most ``(d + 8)·ε/2`` times the same sum with all signs positive. Pairs for
which that is not small against u itself (parent and child far out, close siblings, a point with
itself) are few; they are computed again by the split. The gradient is computed in the same two
ways, so it too is exact for near pairs. Most pairs need the slow way only where most points all but
coincide, away from the origin.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from naics_embed.geometry.smooth import safe_root

EPS = torch.finfo(torch.float64).eps
BLOCK = {'cpu': 2**20}
"""Elements of a block of the pair matrix by device type: on a CPU a block should stay in cache."""
BLOCK_ELSEWHERE = 2**26
SPARSE_BLOCK = {'cpu': 2**17}
"""Numbers (pairs × dimensions) handled at once when near pairs are computed again."""
TOLERANCE = {torch.float32: 5e-8, torch.float64: 1e-11}
"""Relative error of a distance that the matrix product alone may leave, by type of the result."""


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _nonzero(a: Tensor) -> Tensor:
    return torch.where(a == 0, torch.ones_like(a), a)


def orthogonal_part(y: Tensor, x: Tensor) -> Tensor:
    """Part of y orthogonal to x, from ``y − x`` so that close vectors keep their digits.

    The second pass removes what rounding left along x. For ``x = 0`` it is y.
    """
    square = _nonzero(_dot(x, x))
    part = y - x
    for _ in range(2):
        along = (_dot(part, x) / square).unsqueeze(-1)
        part = torch.addcmul(part, along, x, value=-1)
    return part


def polar_split(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ``|x|, |y|, sinh(r_x − r_y), 1 − cos θ`` of points ``(..., d)``, each ``(...)``."""
    xx, yy = _dot(x, x), _dot(y, y)
    # The longer is split along the shorter: its rounding is then small against its own length.
    swap = (xx > yy).unsqueeze(-1)
    short, long = torch.where(swap, y, x), torch.where(swap, x, y)
    part = orthogonal_part(long, short)
    return _polar(x, y, xx, yy, _dot(part, part))


def _polar(
    x: Tensor, y: Tensor, xx: Tensor, yy: Tensor, part: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`polar_split`, given the squares of both and of the longer's part across the shorter."""
    norm_x, norm_y = safe_root(xx), safe_root(yy)
    weight = norm_x * (1 + yy).sqrt() + norm_y * (1 + xx).sqrt()
    sinh_delta = _dot(x - y, x + y) / _nonzero(weight)
    sin_square = (part / _nonzero(torch.maximum(xx, yy))).clamp(max=1)
    cos = _dot(x, y) / _nonzero(norm_x * norm_y)
    versine = torch.where(cos > 0, sin_square / (1 + cos.clamp(min=0)), 1 - cos)
    return norm_x, norm_y, sinh_delta, versine


def split_haversine(x: Tensor, y: Tensor) -> Tensor:
    norm_x, norm_y, sinh_delta, versine = polar_split(x, y)
    square = sinh_delta.square()
    return square / (2 * (1 + (1 + square).sqrt())) + norm_x * norm_y * versine / 2


def split_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of ``u`` in x and y, each ``(..., d)``.

    ``∂cosh d/∂x = t_y x/t_x − y``, split along x so that nothing cancels: radial part
    ``sinh Δ/t_x + |y|(1 − cos θ)``, orthogonal part ``−y⊥``.
    """
    xx, yy = _dot(x, x), _dot(y, y)
    across_y, across_x = orthogonal_part(y, x), orthogonal_part(x, y)
    part = torch.where(xx > yy, _dot(across_x, across_x), _dot(across_y, across_y))
    norm_x, norm_y, sinh_delta, versine = _polar(x, y, xx, yy, part)
    along_x = sinh_delta / (1 + norm_x.square()).sqrt() + norm_y * versine
    along_y = -sinh_delta / (1 + norm_y.square()).sqrt() + norm_x * versine
    slope_x, slope_y = along_x / _nonzero(norm_x), along_y / _nonzero(norm_y)
    grad_x = across_y.neg_().addcmul_(slope_x.unsqueeze(-1), x)
    grad_y = across_x.neg_().addcmul_(slope_y.unsqueeze(-1), y)
    return grad_x.div_(2), grad_y.div_(2)


class _Haversine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return split_haversine(x, y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        grad_x, grad_y = split_gradient(*ctx.saved_tensors)
        weight = grad.unsqueeze(-1)
        return weight * grad_x, weight * grad_y


def haversine(x: Tensor, y: Tensor) -> Tensor:
    """``sinh²(d/2)`` of float64 points ``(..., d)``, broadcast: ``(...)``. Once differentiable."""
    return _Haversine.apply(*torch.broadcast_tensors(x, y))


def distance_from_haversine(u: Tensor) -> Tensor:
    """``d = 2·asinh √u``, with gradient 0 at ``u = 0``."""
    return 2 * safe_root(u).asinh()


class _Pairwise(torch.autograd.Function):
    """All pairs of ``(b, n, d)`` and ``(b, m, d)``: u, or d where `as_distance`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, dtype: torch.dtype, as_distance: bool) -> Tensor:
        (above_x, norm_x), (above_y, norm_y) = heights(x), heights(y)
        half = torch.full_like(above_x, 0.5)
        left = torch.cat([above_x / 2, half, -x / 2], dim=-1)
        right = torch.cat([1 + above_y, above_y, y], dim=-1).mT
        # The same sum with all signs positive, times the rounding that is too much.
        bound = (x.shape[-1] + 8) * EPS / 2 / (2 * TOLERANCE[dtype])
        left_bound = bound * torch.cat([above_x / 2, half, norm_x / 2], dim=-1)
        right_bound = torch.cat([1 + above_y, above_y, norm_y], dim=-1).mT
        u = x.new_empty((*x.shape[:-1], y.shape[-2]), dtype=dtype)
        near = [torch.empty(0, 3, dtype=torch.int64, device=x.device)]
        for rows in _row_blocks(u):
            block = left[:, rows] @ right
            pairs = torch.nonzero(block < left_bound[:, rows] @ right_bound)
            pairs[:, 1] += rows.start
            near.append(pairs)
            u[:, rows] = block
        batch, i, j = torch.cat(near).unbind(-1)
        for part in pair_blocks(len(batch), x):
            at = batch[part], i[part], j[part]
            u[at] = split_haversine(x[at[0], at[1]], y[at[0], at[2]]).to(dtype)
        # Pairs that coincide have gradient 0 in both forms.
        apart = u[batch, i, j] > 0
        ctx.save_for_backward(x, y, u, batch[apart], i[apart], j[apart])
        ctx.as_distance = as_distance
        if not as_distance:
            return u
        out = torch.empty_like(u)
        for rows in _row_blocks(u):
            h = u[:, rows]
            # 2·asinh √u as log1p(2(u + √(u(1 + u)))): vectorised, and exact towards 0.
            out[:, rows] = h.sqrt().mul_((1 + h).sqrt_()).add_(h).mul_(2).log1p_()
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, y, u, batch, i, j = ctx.saved_tensors
        ambient_x, ambient_y = ambient(x), ambient(y)
        sum_x, sum_y = torch.empty_like(ambient_x), torch.zeros_like(ambient_y)
        near_grad = x.new_empty(len(batch))
        for rows in _row_blocks(u):
            weight = grad[:, rows]
            if ctx.as_distance:
                h = u[:, rows]
                slope = h.rsqrt().mul_((1 + h).rsqrt_()).masked_fill_(h == 0, 0)
                weight = slope.mul_(weight)
            weight = weight.to(torch.float64, copy=not ctx.as_distance)
            inside = (i >= rows.start) & (i < rows.stop)
            at = batch[inside], i[inside] - rows.start, j[inside]
            near_grad[inside] = weight[at]
            weight[at] = 0
            sum_x[:, rows] = weight @ ambient_y
            sum_y += weight.mT @ ambient_x[:, rows]
        grad_x = (x * (sum_x[..., :1] / ambient_x[..., :1]) - sum_x[..., 1:]) / 2
        grad_y = (y * (sum_y[..., :1] / ambient_y[..., :1]) - sum_y[..., 1:]) / 2
        for part in pair_blocks(len(batch), x):
            b, row, column = batch[part], i[part], j[part]
            pair_x, pair_y = split_gradient(x[b, row], y[b, column])
            weight = near_grad[part].unsqueeze(-1)
            grad_x.index_put_((b, row), weight * pair_x, accumulate=True)
            grad_y.index_put_((b, column), weight * pair_y, accumulate=True)
        return grad_x, grad_y, None, None


def heights(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``t − 1 = |x|²/(1 + t)``, which does not cancel near the origin, and ``|x|``."""
    square = _dot(x, x).unsqueeze(-1)
    return square / (1 + (1 + square).sqrt()), square.sqrt()


def ambient(x: Tensor) -> Tensor:
    return torch.cat([(1 + _dot(x, x)).sqrt().unsqueeze(-1), x], dim=-1)


def _row_blocks(pairs: Tensor) -> list[slice]:
    batch, n, m = pairs.shape
    step = max(1, BLOCK.get(pairs.device.type, BLOCK_ELSEWHERE) // max(1, batch * m))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def pair_blocks(count: int, x: Tensor) -> list[slice]:
    numbers = SPARSE_BLOCK.get(x.device.type, BLOCK_ELSEWHERE)
    step = max(1, numbers // max(1, x.shape[-1]))
    return [slice(start, start + step) for start in range(0, count, step)]


def pairwise(x: Tensor, y: Tensor, *, dtype: torch.dtype, as_distance: bool) -> Tensor:
    """All pairs of float64 points ``(..., n, d)`` and ``(..., m, d)``: ``(..., n, m)`` in `dtype`.

    Returns ``sinh²(d/2)``, or d where `as_distance`. Once differentiable; the gradient of d at
    coincident points is 0. Working memory beyond the result is bounded by `BLOCK`, and by 24 bytes
    for each pair that is computed again.
    """
    # torch's own loads sympy at its first call: a second or more of the first answer.
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    n, m, dim = x.shape[-2], y.shape[-2], x.shape[-1]
    flat_x = x.expand(*lead, n, dim).reshape(math.prod(lead), n, dim)
    flat_y = y.expand(*lead, m, dim).reshape(math.prod(lead), m, dim)
    return _Pairwise.apply(flat_x, flat_y, dtype, as_distance).reshape(*lead, n, m)
