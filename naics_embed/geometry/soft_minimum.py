"""The texts nearest to a query, and how far it is from those of each code: a soft minimum.

Of a query's n nearest texts, those of code c have distances d₁ … ; its distance from the texts of c
is

    D(c) = −1/b · log( exp(−b·dₙ) + Σ exp(−b·dᵢ) ),

which is at most the distance dₙ of the farthest text that was looked at, and tends to the smallest
dᵢ as the sharpness b grows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.geometry.lorentz import pairwise_distance
from naics_embed.geometry.precision import Curvature

CHUNK = 256
"""Queries compared with all texts at a time."""


@dataclass(frozen=True)
class Near:
    """The known texts nearest to some queries.

    Attributes:
        distance: ``(q, k)``, ascending in each row; inf where there are fewer.
        row: int64 ``(q, k)``, rows of those texts.
    """

    distance: Tensor
    row: Tensor


def nearest_texts(
    queries: Tensor, texts: Tensor, count: int, *, c: Curvature, left_out: Tensor | None = None
) -> Near:
    """Find the texts nearest to each query, exactly, without gradient.

    Args:
        queries: float64 ``(q, d)``, space parts.
        texts: float64 ``(m, d)``, space parts.
        count: how many, or all m where that is less.
        c: the space has curvature −c.
        left_out: int64 ``(q, r)``, rows of texts that a query must not find, −1 for none.

    Returns:
        distances in float32; texts of one distance come in any order.
    """
    kept = min(count, len(texts))
    distances, rows = [], []
    with torch.no_grad():
        for start in range(0, len(queries), CHUNK):
            part = queries[start : start + CHUNK]
            far = pairwise_distance(part, texts, c=c, dtype=torch.float32)
            if left_out is not None:
                own = left_out[start : start + CHUNK]
                at = (own >= 0).nonzero(as_tuple=True)
                far[at[0], own[at]] = torch.inf
            near = far.topk(kept, largest=False)
            distances.append(near.values)
            rows.append(near.indices)
    if not distances:
        return Near(texts.new_empty(0, kept).float(), torch.empty(0, kept, dtype=torch.int64))
    return Near(torch.cat(distances), torch.cat(rows))


def soft_minimum(distance: Tensor, column: Tensor, codes: int, *, sharpness: float) -> Tensor:
    """Return the distance D of queries from the texts of each code; see the module.

    Args:
        distance: ``(q, n)``, to the texts nearest to each query, n ≥ 1; inf where there are fewer.
        column: int64 ``(q, n)``, the code of each of these texts, −1 for a text of no code.
        codes: number of codes, k.
        sharpness: b > 0, in units of 1 / distance.

    Returns:
        ``(q, k)``, in the type of ``distance``. Differentiable.
    """
    present = (column >= 0) & distance.isfinite()
    # Where a text is absent, neither value nor gradient may be infinite.
    kept = torch.where(distance.isfinite(), distance, 0)
    at = column.clamp_min(0)
    farthest = kept.amax(1, keepdim=True).expand(-1, codes)
    with torch.no_grad():
        candidates = torch.where(present, kept, torch.inf)
        least = farthest.scatter_reduce(1, at, candidates, 'amin')
    parts = (-sharpness * (kept - least.gather(1, at))).exp()
    total = (-sharpness * (farthest - least)).exp()
    total = total.scatter_add(1, at, torch.where(present, parts, 0))
    return least - total.log() / sharpness
