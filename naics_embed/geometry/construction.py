"""A tree laid out in hyperbolic space without training.

After Sarkar (Low Distortion Delaunay Embedding of Trees in Hyperbolic Plane, 2011), in any
dimension: the root is the origin, every edge has length τ, and the children of a node leave it at
a fixed angle (the turn) from the direction in which the node itself was reached, an only child
straight on. Around that direction children are arranged by how their texts differ from those of
their siblings: by their features, centred in the family and partly whitened to keep them apart.

The layout goes level by level. A direction at a node is kept in the frame that parallel transport
along the ray carries from the origin, so that one meaning has one direction throughout.
"""

import logging
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from naics_embed.errors import ConfigError
from naics_embed.geometry import lorentz
from naics_embed.geometry.precision import root

logger = logging.getLogger(__name__)

TURN = math.pi / 3
"""Angle between the direction of a child and that in which its parent was reached."""
JITTER = 1e-6
"""Noise relative to the features' scale, so that every family spans some directions."""
TWINS = 1e-4
"""Siblings whose features differ by less, relative to their family, share one text."""
TWIN_NOISE = 0.1
"""Noise relative to the family's scale that separates such siblings."""
REPULSION_STEPS = 120
REPULSION_RATE = 0.3
REPULSION_FLOOR = 1e-3
REPULSION_SAMPLE = 256
"""Siblings that each child of a very large family is repelled by in one step."""
RADIUS_OF_DOUBT = 16.0
"""Beyond this ``√c·r`` float64 no longer separates siblings reliably."""
RADIUS_OF_LOSS = 32.0
"""Beyond this the direction in which a node was reached is lost in rounding."""


def construct(
    parent: Sequence[int] | np.ndarray | Tensor,
    *,
    dim: int,
    tau: float,
    spread: float,
    turn: float = TURN,
    directions: Tensor | None = None,
    seed: int = 0,
    c: float = 1.0,
) -> Tensor:
    """Embed a rooted tree; the virtual root above all top nodes is the origin.

    Args:
        parent: index of the parent of each node ``(n,)``, −1 for a child of the virtual root; in
            any order.
        dim: dimensions of the space, at least 3 (in a plane only two directions have the angle).
        tau: geodesic length of an edge.
        spread: 0 keeps the features' own similarities within a family, 1 puts siblings as far
            apart as the dimensions allow, in the arrangement nearest to the features.
        turn: angle in radians, in (0, π/2], between a child's direction and its parent's.
        directions: features ``(n, k)`` that set where children point; None for random ones.
        seed: of the random features and of the noise that separates siblings with equal features.
        c: curvature is −c.

    Returns:
        Tangent vectors at the origin, float64 ``(n, dim)``; ``lorentz.exp0`` gives the points.

    Raises:
        ConfigError: a parameter is out of range, a shape does not fit, or `parent` is no forest.
    """
    ups = _indices(parent)
    levels = _levels(ups)
    _check(ups, directions, dim=dim, tau=tau, turn=turn, spread=spread)
    scale = float(root(c, torch.ones((), dtype=torch.float64)))
    _check_depth(len(levels), tau, scale)
    generator = torch.Generator().manual_seed(seed)
    features = _features(ups, directions, dim=dim, generator=generator)

    # The virtual root is the last row, so that −1 indexes it.
    points = torch.zeros(len(ups) + 1, dim, dtype=torch.float64)
    outward = torch.zeros_like(points)
    for nodes in levels:
        above = ups[nodes]
        heading = _headings(features[nodes], above, outward[above], turn, spread, generator)
        base = points[above]
        points[nodes] = lorentz.exp(base, _from_frame(base, tau * scale * heading), c=1.0)
        back = _to_frame(points[nodes], lorentz.log(points[nodes], base, c=1.0))
        outward[nodes] = -back / back.norm(dim=-1, keepdim=True)
    return lorentz.log0(points[:-1], c=1.0) / scale


def _indices(parent: Sequence[int] | np.ndarray | Tensor) -> Tensor:
    array = np.array(parent.cpu() if isinstance(parent, Tensor) else parent)
    if array.ndim != 1 or (array.size and array.dtype.kind not in 'iu'):
        raise ConfigError(f'parent must be integers of shape (n,), got {array.dtype} {array.shape}')
    if array.size and not (array.min() >= -1 and array.max() < len(array)):
        raise ConfigError(f'parent must lie in −1 … {len(array) - 1}, one index a node')
    return torch.from_numpy(array.astype(np.int64))


def _check_depth(depth: int, tau: float, scale: float) -> None:
    reach = depth * tau * scale
    if reach > RADIUS_OF_LOSS:
        most = math.floor(1e3 * RADIUS_OF_LOSS / (depth * scale)) / 1e3
        raise ConfigError(
            f'a tree of depth {depth} with edges {tau:g} reaches radius {reach:g} at unit '
            f'curvature, beyond the {RADIUS_OF_LOSS:g} that float64 holds: choose tau of at most '
            f'{most:g}'
        )
    if reach > RADIUS_OF_DOUBT:
        logger.warning(
            'the tree reaches radius %.1f at unit curvature; float64 is doubtful beyond %.0f: '
            'choose a smaller tau',
            reach,
            RADIUS_OF_DOUBT,
        )


def _check(
    ups: Tensor,
    directions: Tensor | None,
    *,
    dim: int,
    tau: float,
    turn: float,
    spread: float,
) -> None:
    if dim < 3:
        raise ConfigError(f'dim must be at least 3, got {dim}')
    if not tau > 0:
        raise ConfigError(f'tau must be positive, got {tau}')
    if not 0 < turn <= math.pi / 2:
        raise ConfigError(f'turn must lie in (0, π/2] radians, got {turn}')
    if not 0 <= spread <= 1:
        raise ConfigError(f'spread must lie in [0, 1], got {spread}')
    if directions is None:
        return
    if directions.ndim != 2 or len(directions) != len(ups):
        raise ConfigError(
            f'directions must have one row a node, ({len(ups)}, k); got {tuple(directions.shape)}'
        )
    if not directions.isfinite().all():
        raise ConfigError('directions contain NaN or infinite values')


def _levels(ups: Tensor) -> list[Tensor]:
    """Nodes by depth, each level sorted by parent."""
    depth = torch.full((len(ups) + 1,), -1, dtype=torch.int64)
    depth[-1] = 0
    while True:
        fresh = (depth[:-1] < 0) & (depth[ups] >= 0)
        if not fresh.any():
            break
        depth[:-1] = torch.where(fresh, depth[ups] + 1, depth[:-1])
    if (depth < 0).any():
        lost = int(torch.nonzero(depth < 0)[0])
        raise ConfigError(f'parent holds a cycle: node {lost} does not lead to a root (−1)')
    order = torch.argsort(ups, stable=True)
    return [order[depth[order] == level] for level in range(1, int(depth.max()) + 1)]


def _features(
    ups: Tensor, directions: Tensor | None, *, dim: int, generator: torch.Generator
) -> Tensor:
    """Features less their family mean, in `dim` dimensions, with a trace of noise."""
    count = len(ups)
    noise = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    if directions is None or not count:
        return noise
    wide = directions.detach().cpu().double()
    family = ups % (count + 1)
    sums = torch.zeros(count + 1, wide.shape[1], dtype=torch.float64).index_add(0, family, wide)
    sizes = torch.bincount(family, minlength=count + 1).clamp(min=1)
    centred = wide - (sums / sizes.unsqueeze(-1))[family]
    # Principal axes of the differences between siblings.
    _, axes = torch.linalg.eigh(centred.T @ centred)
    kept = centred @ axes.flip(-1)[:, :dim]
    flat = torch.nn.functional.pad(kept, (0, dim - kept.shape[1]))
    scale = flat.square().mean().sqrt().clamp(min=1e-12)
    twins = _twins(flat, family, sizes)
    return flat + (JITTER * scale + TWIN_NOISE * twins.unsqueeze(-1)) * noise


def _twins(flat: Tensor, family: Tensor, sizes: Tensor) -> Tensor:
    """Scale ``(n,)`` of the family of a node that shares its features with a sibling, else 0."""
    squares = torch.zeros(len(sizes), dtype=torch.float64).index_add(
        0, family, flat.square().sum(1)
    )
    scale = (squares / sizes).sqrt()[family]
    unit = torch.where(scale > 0, scale, 1.0).unsqueeze(-1) * TWINS
    rounded = torch.cat([family.unsqueeze(-1).double(), (flat / unit).round()], dim=1)
    _, group, count = torch.unique(rounded, dim=0, return_inverse=True, return_counts=True)
    return torch.where(count[group] > 1, scale, 0.0)


def _headings(
    features: Tensor,
    above: Tensor,
    outward: Tensor,
    turn: float,
    spread: float,
    generator: torch.Generator,
) -> Tensor:
    """Unit directions ``(m, dim)`` of the nodes of one level, sorted by parent `above`."""
    _, sizes = torch.unique_consecutive(above, return_counts=True)
    starts = sizes.cumsum(0) - sizes
    heading = torch.empty_like(features)
    for size in sizes.unique().tolist():
        rows = starts[sizes == size].unsqueeze(-1) + torch.arange(size)
        forward = outward[rows[:, :1]]
        if size == 1 and bool(forward.any()):
            heading[rows] = forward
            continue
        around = _family(features[rows], forward, spread, generator)
        turned = math.cos(turn) * forward + math.sin(turn) * around
        heading[rows] = turned / turned.norm(dim=-1, keepdim=True)
    return heading


def _family(features: Tensor, forward: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Unit vectors ``(b, m, dim)`` orthogonal to `forward` ``(b, 1, dim)``, apart within a family.

    With ``F = U S Vᵀ`` the centred features, ``U S^(1 − w) Vᵀ``: for w = 1 the orthogonal factor,
    a regular simplex where the dimensions allow one. Families too large for that repel each other.
    """

    size, dim = features.shape[-2:]
    flat = _across(features, forward)
    if size > 1:
        flat = flat - flat.mean(-2, keepdim=True)
    u, s, vt = torch.linalg.svd(flat, full_matrices=False)
    real = s > 1e-9 * s[..., :1]
    power = torch.where(real, torch.where(real, s / s[..., :1], 1) ** (1 - spread), 0)
    codes = _unit(_across((u * power.unsqueeze(-2)) @ vt, forward))
    free = dim - int(bool(forward.any()))
    return codes if size <= free + 1 else _repelled(codes, forward, free, generator)


def _repelled(codes: Tensor, forward: Tensor, free: int, generator: torch.Generator) -> Tensor:
    """Spherical codes ``(b, m, dim)`` after steps of repulsion by the cube of the distance."""
    size = codes.shape[-2]
    first = REPULSION_RATE * size ** (-1 / (free - 1))
    for step in range(REPULSION_STEPS):
        others = codes
        if size > REPULSION_SAMPLE:
            others = codes[:, torch.randperm(size, generator=generator)[:REPULSION_SAMPLE]]
        square = (codes @ others.mT).mul_(-2).add_(2).clamp_(min=REPULSION_FLOOR)
        weight = square.square_().reciprocal_()
        push = weight.sum(-1, keepdim=True) * codes - weight @ others
        push = _unit(_across(push, forward))
        codes = _unit(codes + first * (1 - step / REPULSION_STEPS) * push)
    return codes


def _across(x: Tensor, forward: Tensor) -> Tensor:
    return x - (x * forward).sum(-1, keepdim=True) * forward


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)


def _from_frame(base: Tensor, v: Tensor) -> Tensor:
    """Space parts of tangent vectors at `base` given in the frame carried from the origin."""
    square = base.square().sum(-1, keepdim=True)
    radial = (base * v).sum(-1, keepdim=True)
    return v + radial * base / (1 + (1 + square).sqrt())


def _to_frame(base: Tensor, v: Tensor) -> Tensor:
    """Inverse of `_from_frame`."""
    square = base.square().sum(-1, keepdim=True)
    time = (1 + square).sqrt()
    radial = (base * v).sum(-1, keepdim=True)
    return v - radial * base / (time * (1 + time))
