"""k-means in hyperbolic space, with the Lorentz centroid.

Lloyd's algorithm on the squared Lorentzian distance: the centroid of Law et al. (Lorentzian
Distance Learning, ICML 2019) is the point that minimises it for the members of a cluster, so that
no step raises the inertia. Seeds by k-means++ (Arthur and Vassilvitskii, SODA 2007).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.geometry.lorentz import centroid, pairwise_squared_lorentzian_distance


@dataclass(frozen=True)
class Clusters:
    """Clusters of points by k-means.

    Attributes:
        label: int64 ``(n,)``, cluster of each point.
        centre: ``(k, d)`` space parts.
        inertia: sum of squared Lorentzian distances of the points to their centres.
        iterations: steps taken.
    """

    label: Tensor
    centre: Tensor
    inertia: float
    iterations: int


@torch.no_grad()
def lorentz_kmeans(points: Tensor, k: int, *, c: float, seed: int, iterations: int) -> Clusters:
    """Cluster points ``(n, d)`` (space parts) into at most ``k`` clusters.

    The same seed gives the same clusters. A cluster that loses all members takes the point that is
    farthest from its centre.

    Args:
        points: space parts, on any device.
        k: clusters; at most one a point.
        c: curvature parameter.
        seed: seed of the first centres.
        iterations: most steps; fewer where the labels settle.
    """
    generator = torch.Generator().manual_seed(seed)
    wide = points.detach().double()
    centre = _seeds(wide, min(k, len(wide)), c, generator)
    square = pairwise_squared_lorentzian_distance(wide, centre, c=c)
    label = square.argmin(1)
    steps = 0
    for _ in range(iterations):
        centre, label = _centres(wide, label, len(centre), square, c)
        square = pairwise_squared_lorentzian_distance(wide, centre, c=c)
        nearest = square.argmin(1)
        steps += 1
        if torch.equal(nearest, label):
            break
        label = nearest
    nearest_square = square.gather(1, label[:, None])
    return Clusters(label, centre.to(points.dtype), float(nearest_square.sum()), steps)


def _seeds(points: Tensor, k: int, c: float, generator: torch.Generator) -> Tensor:
    first = int(torch.randint(len(points), (1,), generator=generator))
    chosen = [first]
    nearest = pairwise_squared_lorentzian_distance(points, points[[first]], c=c).squeeze(1)
    for _ in range(k - 1):
        # Drawn on the CPU, so that devices agree; where all points are taken, any will do.
        weight = nearest.cpu()
        weight = weight if float(weight.sum()) > 0 else torch.ones_like(weight)
        drawn = int(torch.multinomial(weight, 1, generator=generator))
        chosen.append(drawn)
        square = pairwise_squared_lorentzian_distance(points, points[[drawn]], c=c).squeeze(1)
        nearest = torch.minimum(nearest, square)
    return points[chosen]


def _centres(
    points: Tensor, label: Tensor, k: int, square: Tensor, c: float
) -> tuple[Tensor, Tensor]:
    """Return the centroid of each cluster, and the labels after empty clusters were filled."""
    label = label.clone()
    size = torch.bincount(label, minlength=k)
    for empty in (size == 0).nonzero().squeeze(1).tolist():
        to_centre = square.gather(1, label[:, None]).squeeze(1)
        to_centre = to_centre.masked_fill(size[label] < 2, -1)
        farthest = int(to_centre.argmax())
        size[label[farthest]] -= 1
        label[farthest] = empty
        size[empty] = 1
        square[farthest, empty] = 0
    centres = [centroid(points[label == cluster], c=c) for cluster in range(k)]
    return torch.stack(centres), label
