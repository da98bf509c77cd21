"""The Lorentz model of hyperbolic space, curvature −c with c > 0.

A point is ``x = (t, s)`` with ``−t² + |s|² = −1/c`` and ``t > 0``. Only the space part s
``(..., d)`` is stored; the time component ``t = √(1/c + |s|²)`` is derived. Distance is
``d = arcosh(−c⟨x, y⟩)/√c``. MERU's c is this c; geoopt's k is 1/c (see `geoopt_bridge`).

A tangent vector at a point p is stored by the space part v ``(..., d)`` of the ambient vector
``(v_t, v)`` with ``⟨p, v⟩ = 0``, so ``v_t = (p·v)/t_p``. At the origin ``v_t = 0`` and v is the
tangent vector itself, with ``|v|`` the geodesic distance that ``exp0`` travels, for every c.

All functions take float32 or float64 (half precision is raised to float32), with autocast off, and
give finite gradients everywhere; the distance has gradient 0 at coincident points. Distances are
once differentiable. Curvature is a float or a 0-d tensor, and gradient flows to a tensor.

Float32 storage has its own limit, whatever is computed with it: rounding s moves a point at radius
r by about ``6e-8·sinh(√c·r)/√c`` (1e-4 at r = 8, c = 1). Keep tables as tangent
vectors, or in float64.
"""

import torch
from torch import Tensor

from naics_embed.errors import ConfigError
from naics_embed.geometry import haversine, smooth
from naics_embed.geometry.centroids import weighted_centroid
from naics_embed.geometry.precision import Curvature, guarded, root

SATURATED = 32.0
"""tanh of this is 1 in float64."""


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _unit(c: Curvature, *tensors: Tensor) -> tuple[Curvature, list[Tensor]]:
    """Return √c and the tensors in float64, scaled to unit curvature."""
    wide = [tensor.double() for tensor in tensors]
    scale = root(c, wide[0])
    if isinstance(scale, float) and scale == 1:
        return scale, wide
    return scale, [tensor * scale for tensor in wide]


def _scaled_square(v: Tensor, c: Curvature) -> Tensor:
    """``c·|v|²``, shape ``(..., 1)``."""
    square = v.square().sum(-1, keepdim=True)
    return square if c == 1 and not isinstance(c, Tensor) else root(c, v) ** 2 * square


def _check_pair(x: Tensor, y: Tensor, *, rows: bool) -> None:
    """Raise ConfigError for points of two spaces, or, where all pairs are computed, for one."""
    if rows and min(x.ndim, y.ndim) < 2:
        raise ConfigError(
            f'all pairs need points (..., n, d), got shapes {tuple(x.shape)} and {tuple(y.shape)}; '
            'distance takes single points'
        )
    if x.shape[-1:] != y.shape[-1:]:
        raise ConfigError(
            f'points of {x.shape[-1]} and of {y.shape[-1]} dimensions have no distance'
            if x.ndim and y.ndim
            else 'a point is a vector (..., d), not a number'
        )


def _result(*tensors: Tensor) -> torch.dtype:
    dtype = tensors[0].dtype
    for tensor in tensors[1:]:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


@guarded
def time_component(s: Tensor, *, c: Curvature) -> Tensor:
    """Time component of points ``(..., d)``: ``t = √(1/c + |s|²)``, shape ``(...)``."""
    return (root(c, s) ** -2 + s.square().sum(-1)).sqrt()


@guarded
def to_ambient(s: Tensor, *, c: Curvature) -> Tensor:
    """Ambient coordinates ``(t, s)`` of points ``(..., d)``: shape ``(..., d + 1)``, time first."""
    return torch.cat([time_component(s, c=c).unsqueeze(-1), s], dim=-1)


@guarded
def project(ambient: Tensor, *, c: Curvature) -> Tensor:
    """Put ambient vectors ``(..., d + 1)`` back on the hyperboloid: space kept, time derived."""
    return to_ambient(ambient[..., 1:], c=c)


@guarded
def inner(x: Tensor, y: Tensor, *, c: Curvature) -> Tensor:
    """Lorentz inner product ``⟨x, y⟩ = x·y − t_x t_y`` of points ``(..., d)``: ``(...)``, ≤ −1/c.

    Computed as ``−(1 + 2u)/c`` with u the haversine, so that no digits cancel and ``⟨x, x⟩`` is
    −1/c exactly.
    """
    _, (wide_x, wide_y) = _unit(c, x, y)
    return (-(1 + 2 * haversine.haversine(wide_x, wide_y)) / c).to(_result(x, y))


@guarded
def radius(s: Tensor, *, c: Curvature) -> Tensor:
    """Geodesic distance to the origin of points ``(..., d)``: ``asinh(√c|s|)/√c``, ``(...)``.

    Its gradient at the origin is 0.
    """
    scale = root(c, s)
    return (scale * smooth.safe_norm(s)).asinh() / scale


@guarded
def exp0(v: Tensor, *, c: Curvature) -> Tensor:
    """Exponential map at the origin: ``sinh(√c|v|)/(√c|v|)·v``, ``(..., d)`` to ``(..., d)``."""
    return smooth.sinhc_root(_scaled_square(v, c)) * v


@guarded
def log0(s: Tensor, *, c: Curvature) -> Tensor:
    """Logarithm at the origin, the inverse of `exp0`: ``asinh(√c|s|)/(√c|s|)·s``, ``(..., d)``."""
    return smooth.asinhc_root(_scaled_square(s, c)) * s


@guarded
def exp(p: Tensor, v: Tensor, *, c: Curvature) -> Tensor:
    """Exponential map at p of tangent vectors v (space parts), both ``(..., d)``: ``(..., d)``.

    ``cosh n·p + sinh n/n·v`` with n the Lorentz norm of v. Away from the origin the part along p
    is composed as ``sinh(r ± n)`` plus a remainder, so that a step inwards does not cancel.
    """
    scale, (base, step) = _unit(c, p, v)
    square = _dot(base, base).unsqueeze(-1)
    far = square > 0.25
    along = torch.where(far, base / torch.where(far, square, 1).sqrt(), 0)
    radial = _dot(along, step).unsqueeze(-1)
    time = (1 + square).sqrt()
    # ⟨v, v⟩ with the radial part shrunk by cosh r; the plain form serves near the origin.
    across = step - radial * along
    across = across - _dot(along, across).unsqueeze(-1) * along
    split_q = _dot(across, across).unsqueeze(-1) + (radial / time).square()
    plain_q = (
        _dot(step, step).unsqueeze(-1) - (_dot(base, step).unsqueeze(-1) / time).square()
    ).clamp(min=0)
    q = torch.where(far, split_q, plain_q)
    plain = smooth.cosh_root(q) * base + smooth.sinhc_root(q) * step

    safe_q = torch.where(far & (q > 0), q, 1.0)
    n = safe_q.sqrt()
    r = torch.where(far, square, 1).sqrt().asinh()
    cos = radial / time / n
    turned = _dot(across, across).unsqueeze(-1) / safe_q / (1 + cos.abs())
    sign = torch.where(cos < 0, -1.0, 1.0)
    split = ((r + sign * n).sinh() - sign * n.sinh() * time * turned) * along
    split = split + smooth.sinhc_root(safe_q) * across
    return (torch.where(far & (q > 0), split, plain) / scale).to(_result(p, v))


@guarded
def log(p: Tensor, q: Tensor, *, c: Curvature) -> Tensor:
    """Tangent vector at p that leads to q, as its space part; both ``(..., d)``: ``(..., d)``.

    ``d/sinh d·(q − cosh d·p)`` at unit curvature. Its Lorentz norm is ``distance(p, q)``.
    """
    scale, (base, goal) = _unit(c, p, q)
    u = haversine.haversine(base, goal).unsqueeze(-1)
    ratio = smooth.asinhc_root(u) / (1 + u).sqrt()
    return (ratio * ((goal - base) - 2 * u * base) / scale).to(_result(p, q))


@guarded
def parallel_transport(p: Tensor, q: Tensor, v: Tensor, *, c: Curvature) -> Tensor:
    """Carry the tangent vector v at p to q along the geodesic; space parts, all ``(..., d)``.

    ``v + c⟨q, v⟩/(1 − c⟨p, q⟩)·(p + q)``: an isometry of the tangent spaces.
    """
    _, (base, goal) = _unit(c, p, q)
    wide = v.double()
    time_base, time_goal = (1 + _dot(base, base)).sqrt(), (1 + _dot(goal, goal)).sqrt()
    step = goal - base
    time_step = _dot(step, goal + base) / (time_base + time_goal)
    product = _dot(step, wide) - _dot(base, wide) * time_step / time_base
    denominator = 2 + 2 * haversine.haversine(base, goal)
    moved = wide + (product / denominator).unsqueeze(-1) * (base + goal)
    return moved.to(_result(p, q, v))


@guarded
def geodesic(p: Tensor, q: Tensor, t: float | Tensor, *, c: Curvature) -> Tensor:
    """Point at fraction t of the way from p to q (0 gives p, 1 gives q): ``(..., d)``.

    ``t`` is a number or a tensor that broadcasts against the leading dimensions; outside [0, 1] it
    extrapolates. ``(sinh((1 − t)D)·p + sinh(tD)·q)/sinh D`` with D the distance at unit curvature.
    """
    _, (base, goal) = _unit(c, p, q)
    u = haversine.haversine(base, goal).unsqueeze(-1)
    square = 4 * u * smooth.asinhc_root(u).square()
    fraction = t.double().unsqueeze(-1) if isinstance(t, Tensor) else t
    whole = smooth.sinhc_root(square)
    rest = 1 - fraction
    weight_p = rest * smooth.sinhc_root(rest**2 * square) / whole
    weight_q = fraction * smooth.sinhc_root(fraction**2 * square) / whole
    return (weight_p * p.double() + weight_q * q.double()).to(_result(p, q))


@guarded
def distance(x: Tensor, y: Tensor, *, c: Curvature) -> Tensor:
    """Geodesic distance of points ``(..., d)``, broadcast row by row: ``(...)``.

    Computed in float64 by the polar split of `haversine`; the result has the type of the input.
    Like the other distances it raises ConfigError where the dimensions of the points differ.
    """
    _check_pair(x, y, rows=False)
    scale, (wide_x, wide_y) = _unit(c, x, y)
    u = haversine.haversine(wide_x, wide_y)
    return (haversine.distance_from_haversine(u) / scale).to(_result(x, y))


@guarded
def pairwise_distance(
    x: Tensor, y: Tensor, *, c: Curvature, dtype: torch.dtype | None = None
) -> Tensor:
    """Geodesic distances of all pairs: ``(..., n, d)`` and ``(..., m, d)`` give ``(..., n, m)``.

    ``dtype`` is that of the result where not that of the points: float32 costs half of the time,
    and still has the digits of distances of points in float64.
    """
    _check_pair(x, y, rows=True)
    scale, (wide_x, wide_y) = _unit(c, x, y)
    d = haversine.pairwise(wide_x, wide_y, dtype=dtype or _result(x, y), as_distance=True)
    return d if isinstance(scale, float) and scale == 1 else d / scale


@guarded
def squared_lorentzian_distance(x: Tensor, y: Tensor, *, c: Curvature) -> Tensor:
    """``−2/c − 2⟨x, y⟩ = (4/c)·sinh²(√c·d/2)`` of points ``(..., d)``, row by row: ``(...)``.

    Smooth where points coincide (Law et al., Lorentzian Distance Learning, ICML 2019).
    """
    _check_pair(x, y, rows=False)
    scale, (wide_x, wide_y) = _unit(c, x, y)
    return (4 * haversine.haversine(wide_x, wide_y) / scale**2).to(_result(x, y))


@guarded
def pairwise_squared_lorentzian_distance(x: Tensor, y: Tensor, *, c: Curvature) -> Tensor:
    """`squared_lorentzian_distance` of all pairs: ``(..., n, d), (..., m, d) -> (..., n, m)``."""
    _check_pair(x, y, rows=True)
    scale, (wide_x, wide_y) = _unit(c, x, y)
    u = haversine.pairwise(wide_x, wide_y, dtype=_result(x, y), as_distance=False)
    return u * (4 / scale**2)


@guarded
def centroid(x: Tensor, weights: Tensor | None = None, *, c: Curvature) -> Tensor:
    """Weighted centroid over dimension −2: points ``(..., n, d)``, weights ``(..., n)``.

    Returns ``(..., d)``: ``S/√(−c⟨S, S⟩)`` with ``S = Σ wᵢxᵢ``, which minimises the weighted
    squared Lorentzian distance (Law et al., ICML 2019) and equals the Einstein midpoint. Weights
    are not negative and need not sum to 1; a set whose weights are all 0 gets the origin. See
    `geometry.indexed` for sets that are given by an index.
    """
    scale, (points,) = _unit(c, x)
    weight = torch.ones_like(points[..., 0]) if weights is None else weights.double()
    mean = weighted_centroid(
        points, weight.unsqueeze(-1), lambda v: v.sum(-2, keepdim=True), lambda v: v
    )
    return (mean.squeeze(-2) / scale).to(x.dtype)


@guarded
def bound_radius(v: Tensor, *, r_max: float) -> Tensor:
    """Bound tangent vectors at the origin ``(..., d)`` smoothly: ``r_max·tanh(|v|/r_max)·v/|v|``.

    ``|v|`` is the geodesic radius of ``exp0(v)`` for every c, so `r_max` is one too. What
    floats can hold depends on ``√c·r_max``, which should stay below about 12.

    Raises:
        ConfigError: `r_max` is not positive.
    """
    if not r_max > 0:
        raise ConfigError(f'r_max must be positive, got {r_max}')
    # Where tanh is 1 to the last digit the length no longer counts, and its square may overflow.
    excess = v.detach().abs().amax(-1, keepdim=True) / (SATURATED * r_max)
    v = v / excess.clamp(min=1)
    return smooth.tanhc_root((v / r_max).square().sum(-1, keepdim=True)) * v
