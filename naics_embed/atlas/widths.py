"""Widths of the leaves' fractions of the circle, fitted so that the plane keeps the table's
distances.

Radii and order are given; what is left is how wide each leaf's share is. The raw stress
``mean (d − s·D)²`` (Kruskal 1964) between the plane's distances d and the table's D, times the
stretch s, goes down by Adam on the logarithms of the widths: they stay positive, so subtrees keep
their order and never overlap.
"""

import math

import numpy as np
import torch
from torch import Tensor

FLOOR = 1e-12
"""Keeps the gradient of the root finite where points coincide."""


def fitted_angles(
    first: np.ndarray,
    last: np.ndarray,
    leaves: int,
    radius: np.ndarray,
    targets: np.ndarray,
    *,
    steps: int,
    sample: int,
    rate: float,
    seed: int,
) -> np.ndarray:
    """Return the middle of each code's span of the circle, float64 ``(n,)`` in radians.

    Args:
        first: int64 ``(n,)``, position on the circle of a code's first leaf.
        last: int64 ``(n,)``, one past the position of its last leaf.
        leaves: how many there are.
        radius: float ``(n,)`` at unit curvature.
        targets: float ``(n, n)``, target distances in the plane.
        steps: of Adam, with a rate that falls to 0.
        sample: codes drawn a step, whose distances to all others enter the stress.
        rate: the first learning rate.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    starts, ends = torch.from_numpy(first), torch.from_numpy(last)
    radii = torch.from_numpy(radius)
    target_distances = torch.from_numpy(targets)
    logits = torch.zeros(leaves, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, max(steps, 1))
    for _ in range(steps):
        rows = torch.randperm(len(radii), generator=generator)[:sample]
        angle = _middles(logits, starts, ends)
        far = polar_distance(radii[rows, None], angle[rows, None], radii, angle)
        optimiser.zero_grad()
        (far - target_distances[rows]).square().mean().backward()
        optimiser.step()
        schedule.step()
    return _middles(logits.detach(), starts, ends).numpy()


def polar_distance(r: Tensor, a: Tensor, s: Tensor, b: Tensor) -> Tensor:
    """Distance at curvature −1 of points with radii r, s and angles a, b, all broadcast.

    ``sinh²(d/2) = sinh²((r − s)/2) + sinh r sinh s sin²((a − b)/2)``, the law of cosines without
    its cancellation.
    """
    u = ((r - s) / 2).sinh().square() + r.sinh() * s.sinh() * ((a - b) / 2).sin().square()
    return 2 * (u + FLOOR).sqrt().asinh()


def _middles(logits: Tensor, first: Tensor, last: Tensor) -> Tensor:
    width = torch.softmax(logits, dim=0)
    edge = torch.cat([width.new_zeros(1), width.cumsum(0)])
    return math.pi * (edge[first] + edge[last])
