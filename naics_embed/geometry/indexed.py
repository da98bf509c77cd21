"""Distances of pairs, and centroids of sets, that are given by indices of points.

Nothing as long as the list of pairs and as wide as a point is kept: gathered rows are handled a
block at a time, so that they stay in cache, and gradients are weighted sums of points, the product
with a sparse matrix. Below, points are of the unit hyperboloid where no curvature is given.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from naics_embed.geometry.haversine import (
    EPS,
    ambient,
    distance_from_haversine,
    heights,
    pair_blocks,
    split_gradient,
    split_haversine,
)
from naics_embed.geometry.precision import Curvature, root

RELATIVE = 1e-10
"""Relative error of u that the inner product alone may leave; other pairs are computed again."""


def _dots(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    result = x.new_empty(len(i))
    for block in pair_blocks(len(i), x):
        torch.sum(x[i[block]].mul_(y[j[block]]), -1, out=result[block])
    return result


def _sums(x: Tensor, weights: Tensor, i: Tensor, j: Tensor, size: int) -> Tensor:
    """Return ``Σ w·x[i]`` over the pairs of each j, ``(size, d)``."""
    result = x.new_zeros(size, x.shape[-1])
    for block in pair_blocks(len(i), x):
        result.index_add_(0, j[block], x[i[block]].mul_(weights[block].unsqueeze(-1)))
    return result


class _Haversine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
        (above_x, norm_x), (above_y, norm_y) = (
            (part.squeeze(-1) for part in heights(points)) for points in (x, y)
        )
        first, second = above_x[i], above_y[j]
        base = first * (1 + second) + second
        u = (base - _dots(x, y, i, j)) / 2
        # The sum with all signs positive, times the rounding that is too much.
        bound = (x.shape[-1] + 8) * EPS / 2 / (2 * RELATIVE)
        near = torch.nonzero(u < bound * (base + norm_x[i] * norm_y[j])).squeeze(-1)
        for block in pair_blocks(len(near), x):
            rows = near[block]
            u[rows] = split_haversine(x[i[rows]], y[j[rows]])
        # Pairs that coincide have gradient 0 in both forms.
        ctx.save_for_backward(x, y, i, j, near[u[near] > 0])
        return u

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, y, i, j, near = ctx.saved_tensors
        weight = grad.clone()
        weight[near] = 0
        ambient_x, ambient_y = ambient(x), ambient(y)
        sum_x = _sums(ambient_y, weight, j, i, len(x))
        sum_y = _sums(ambient_x, weight, i, j, len(y))
        grad_x = (x * (sum_x[:, :1] / ambient_x[:, :1]) - sum_x[:, 1:]) / 2
        grad_y = (y * (sum_y[:, :1] / ambient_y[:, :1]) - sum_y[:, 1:]) / 2
        for block in pair_blocks(len(near), x):
            rows = near[block]
            pair_x, pair_y = split_gradient(x[i[rows]], y[j[rows]])
            scale = grad[rows].unsqueeze(-1)
            grad_x.index_add_(0, i[rows], pair_x.mul_(scale))
            grad_y.index_add_(0, j[rows], pair_y.mul_(scale))
        return grad_x, grad_y, None, None


def indexed_distance(x: Tensor, y: Tensor, i: Tensor, j: Tensor, *, c: Curvature) -> Tensor:
    """Geodesic distances of the pairs ``(x[i], y[j])``, float64 ``(pairs,)``; once differentiable.

    Args:
        x: float64 ``(n, d)``, space parts.
        y: float64 ``(m, d)``.
        i: int64 ``(pairs,)``, rows of x.
        j: int64 ``(pairs,)``, rows of y.
        c: the space has curvature −c.
    """
    if isinstance(c, float) and c == 1:
        return distance_from_haversine(_Haversine.apply(x, y, i, j))
    scale = root(c, x)
    return distance_from_haversine(_Haversine.apply(x * scale, y * scale, i, j)) / scale


class _Centroid(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weights: Tensor, member: Tensor, index: Tensor, size: int
    ) -> Tensor:
        lifted = ambient(x)
        total = _sums(lifted, weights, member, index, size)
        time, space = total[:, 0], total[:, 1:]
        length = space.square().sum(-1)
        far = length > time.square() / 2
        safe_length = torch.where(far, length, 1).sqrt()
        direction = torch.where(far, 1 / safe_length, 0).unsqueeze(-1) * space
        gaps = x.new_empty(len(member))
        for block in pair_blocks(len(member), x):
            rows = member[block]
            gaps[block] = _gap(x[rows], lifted[rows, 0], direction[index[block]])
        split = x.new_zeros(size).index_add_(0, index, weights * gaps) * (time + safe_length)
        norm = torch.where(far, split, time.square() - length)
        # A set without members, or whose weights are all 0, is at the origin.
        slope = torch.where(norm > 0, torch.where(norm > 0, norm, 1).rsqrt(), 0).unsqueeze(-1)
        ctx.save_for_backward(x, weights, member, index, lifted, total, slope)
        return space * slope

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, weights, member, index, lifted, total, slope = ctx.saved_tensors
        time, space = total[:, :1], total[:, 1:]
        pull = (grad * space).sum(-1, keepdim=True) * slope**3
        of_total = torch.cat([-pull * time, grad * slope + pull * space], dim=-1)
        of_members = _sums(of_total, weights, index, member, len(x))
        grad_x = of_members[:, 1:] + of_members[:, :1] / lifted[:, :1] * x
        return grad_x, _dots(of_total, lifted, index, member), None, None, None


def _gap(points: Tensor, times: Tensor, direction: Tensor) -> Tensor:
    """``t − s·Ŝ``: ``(1 + |s⊥|²)/(t + s·Ŝ)`` for points ahead, plainly for points behind."""
    forward = (points * direction).sum(-1, keepdim=True)
    across = points.addcmul_(forward, direction, value=-1)
    again = (across * direction).sum(-1, keepdim=True)
    across = across.addcmul_(again, direction, value=-1)
    forward = forward.squeeze(-1)
    ahead = (1 + across.square_().sum(-1)) / (times + forward.clamp(min=0))
    return torch.where(forward > 0, ahead, times - forward)


def grouped_centroid(
    x: Tensor, weights: Tensor, member: Tensor, index: Tensor, size: int, *, c: Curvature
) -> Tensor:
    """Return the weighted centroid of the rows that have one index; see `lorentz.centroid`.

    Args:
        x: float64 ``(m, d)``, space parts.
        weights: float64 ``(members,)``, not negative; they need not sum to 1.
        member: int64 ``(members,)``, the row of each member.
        index: int64 ``(members,)``, the set of each member.
        size: number of sets.
        c: the space has curvature −c.

    Returns:
        float64 ``(size, d)``; the origin for a set whose weights are all 0. Once differentiable.
    """
    if isinstance(c, float) and c == 1:
        return _Centroid.apply(x, weights, member, index, size)
    scale = root(c, x)
    return _Centroid.apply(x * scale, weights, member, index, size) / scale
