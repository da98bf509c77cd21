"""Whether points still lie on their hyperboloid, and how far out."""

import math

import torch
from torch import Tensor

from naics_embed.geometry.lorentz import radius, time_component
from naics_embed.geometry.precision import Curvature

NEAR_BOUND = 0.95
"""Radii above this fraction of `r_max` count as being at the bound."""

QUANTILES = {'min': 0.0, 'q05': 0.05, 'median': 0.5, 'q95': 0.95, 'max': 1.0}


@torch.no_grad()
def finite(s: Tensor, *, c: Curvature, time: Tensor | None = None) -> Tensor:
    """Return for points ``(..., d)`` whether coordinates and time component are finite: ``(...)``.

    Args:
        s: space parts.
        c: curvature parameter.
        time: time components ``(...)``, if they were stored; else derived, in the type of `s`.
    """
    times = time_component(s, c=c) if time is None else time
    return s.isfinite().all(-1) & times.isfinite()


def validity(
    s: Tensor, *, c: Curvature, r_max: float | None = None, time: Tensor | None = None
) -> dict[str, float]:
    """Report on the health of points ``(..., d)``.

    Args:
        s: space parts.
        c: curvature parameter.
        r_max: bound of the radius, if one is set.
        time: time components ``(...)``, if they were stored; else derived.

    Returns:
        ``non_finite``: points that are not `finite`. ``residual``: largest
        ``|⟨x, x⟩ + 1/c|/t²`` of the finite points. ``radius_*``: min, 5 %, median, 95 %, max of the
        geodesic radius of the finite points (NaN if there are none). ``fraction_at_bound``:
        fraction of the finite points with radius above 0.95·r_max; only where `r_max` is given.
    """
    with torch.no_grad():
        flat = s.detach().double().reshape(-1, s.shape[-1])
        times = time_component(s.detach(), c=c) if time is None else time.detach()
        times = times.double().reshape(-1)
        kept = finite(s, c=c, time=time).reshape(-1)
        flat, times = flat[kept], times[kept]
        report = {'non_finite': float((~kept).sum())}
        gap = (times - time_component(flat, c=c)) * (times + time_component(flat, c=c))
        radii = radius(flat, c=c)
        if len(radii):
            report['residual'] = float((gap / times.square()).abs().max())
            levels = torch.tensor(list(QUANTILES.values()), dtype=radii.dtype, device=radii.device)
            values = _quantile(radii, levels)
        else:
            report['residual'] = math.nan
            values = [math.nan] * len(QUANTILES)
        report.update(
            {f'radius_{name}': value for name, value in zip(QUANTILES, values, strict=True)}
        )
        if r_max is not None:
            fraction = (radii > NEAR_BOUND * r_max).double().mean() if len(radii) else math.nan
            report['fraction_at_bound'] = float(fraction)
    return report


def _quantile(values: Tensor, levels: Tensor) -> list[float]:
    """Quantiles by linear interpolation, for any count (`torch.quantile` stops at 2²⁴ numbers)."""
    ordered = values.sort().values
    position = levels * (len(ordered) - 1)
    low = position.floor().long()
    high = position.ceil().long()
    return torch.lerp(ordered[low], ordered[high], position - low).tolist()
