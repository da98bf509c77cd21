"""Entailment cones: every point carries a cone that opens away from the origin.

Ganea et al., Hyperbolic Entailment Cones (ICML 2018); Lorentz form in Desai et al., MERU (ICML
2023). There the exterior angle is an ``acos`` of a quotient that cancels for near pairs; here it is
the ``atan2`` of the two components of the direction from apex to point, taken from the polar split.
"""

import torch
from torch import Tensor

from naics_embed.errors import ConfigError
from naics_embed.geometry import haversine, smooth
from naics_embed.geometry.precision import Curvature, guarded, root


@guarded
def half_aperture(s: Tensor, *, c: Curvature, k: float) -> Tensor:
    """Half aperture of the cones at points ``(..., d)``, in radians: ``(...)``, in (0, π/2].

    ``asin(min(1, 2k/(√c|s|)))``; k sets how wide cones are (0.1 in both papers). Within
    ``√c|s| <= 2k`` of the origin it is π/2, with gradient 0.

    Raises:
        ConfigError: k is not positive.
    """
    if not k > 0:
        raise ConfigError(f'k must be positive, got {k}')
    norm = root(c, s) * smooth.safe_norm(s)
    narrow = norm > 2 * k
    sine = 2 * k / torch.where(narrow, norm, 4 * k)
    return torch.where(narrow, sine.asin(), torch.pi / 2)


@guarded
def exterior_angle(apex: Tensor, point: Tensor, *, c: Curvature) -> Tensor:
    """Angle at `apex` between the ray away from the origin and the geodesic to `point`.

    Both ``(..., d)``, broadcast row by row: ``(...)`` in radians, [0, π]. With radii r_a, r_p and
    angle θ at the origin, at unit curvature:
    ``atan2(sinh r_p·sin θ, sinh(r_p − r_a) − sinh r_p·cosh r_a·(1 − cos θ))``. It is 0, with
    gradient 0, where the apex is the origin (everything lies ahead) and where points coincide.
    """
    wide_a, wide_p = torch.broadcast_tensors(apex.double(), point.double())
    scale = root(c, wide_a)
    wide_a, wide_p = wide_a * scale, wide_p * scale
    norm_a, norm_p, sinh_delta, versine = haversine.polar_split(wide_a, wide_p)
    ahead = -sinh_delta - norm_p * (1 + norm_a.square()).sqrt() * versine
    aside = smooth.safe_norm(haversine.orthogonal_part(wide_p, wide_a))
    undefined = (norm_a == 0) | ((ahead == 0) & (aside == 0))
    angle = torch.atan2(torch.where(undefined, 0, aside), torch.where(undefined, 1, ahead))
    return angle.to(torch.promote_types(apex.dtype, point.dtype))


@guarded
def entailment_score(apex: Tensor, point: Tensor, *, c: Curvature, k: float) -> Tensor:
    """``half_aperture(apex) − exterior_angle(apex, point)``, row by row: ``(...)`` in radians.

    Not negative exactly where `point` lies in the cone of `apex`; the entailment loss of both
    papers is ``max(0, −score)``.
    """
    return half_aperture(apex, c=c, k=k) - exterior_angle(apex, point, c=c)
