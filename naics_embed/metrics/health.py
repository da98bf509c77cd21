"""Whether the coordinates of a table of Lorentz points can still be trusted."""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from naics_embed.geometry import lorentz, validity
from naics_embed.metrics.validation import MetricError, check_length

LEVEL_QUANTILES = {'q05': 0.05, 'median': 0.5, 'q95': 0.95}


@dataclass(frozen=True)
class HealthLimits:
    """Bounds that a health report must keep; None where a metric is not watched.

    Attributes:
        non_finite: greatest number of points with a NaN or infinite coordinate.
        residual: greatest relative residual of the hyperboloid equation, |⟨x, x⟩ + 1/c|/t².
        bound_fraction: greatest fraction of points at the radius bound. A table that ends on its
            bound is a sphere, and has lost the levels.
        min_rank: least effective rank of the tangent vectors about their mean. Near 1, all points
            lie on a line.
        min_mean_radius: least mean radius. Near 0, all points coincide.
        max_radius: greatest radius, beyond which the dtype no longer holds the points.
        min_radius_q05: least 5 % quantile of the radius: a part of the points falls to the origin.
        max_radius_q95: greatest 95 % quantile of the radius.
    """

    non_finite: float | None = 0
    residual: float | None = None
    bound_fraction: float | None = None
    min_rank: float | None = None
    min_mean_radius: float | None = None
    max_radius: float | None = None
    min_radius_q05: float | None = None
    max_radius_q95: float | None = None


@dataclass(frozen=True)
class _Rule:
    """The metric that a limit bounds, on which side, and the words and advice of the message."""

    metric: str
    least: bool
    meaning: str
    advice: str


_RULES = {
    'non_finite': _Rule(
        'non_finite',
        False,
        'points with a NaN or infinite coordinate',
        'lower the learning rate or clip the gradient',
    ),
    'residual': _Rule(
        'residual',
        False,
        'relative residual of the hyperboloid equation',
        'keep points as tangent vectors, or in float64',
    ),
    'bound_fraction': _Rule(
        'fraction_at_bound',
        False,
        'fraction of points at the radius bound',
        'lower the temperature or the learning rate, or raise r_max',
    ),
    'max_radius': _Rule(
        'radius_max', False, 'greatest radius', 'bound the radius, or lower the learning rate'
    ),
    'min_radius_q05': _Rule(
        'radius_q05',
        True,
        '5 % quantile of the radius',
        'points fall to the origin: check the losses',
    ),
    'max_radius_q95': _Rule(
        'radius_q95',
        False,
        '95 % quantile of the radius',
        'lower the temperature or the learning rate, or raise the weight of the tree term',
    ),
    'min_mean_radius': _Rule(
        'radius_mean', True, 'mean radius', 'the points collapse onto the origin: check the losses'
    ),
    'min_rank': _Rule(
        'effective_rank_centred',
        True,
        'effective rank of the tangent vectors',
        'the points collapse onto few directions: check the losses',
    ),
}


def health_report(
    space: Tensor,
    *,
    c: float,
    level: Tensor | None = None,
    r_max: float | None = None,
    time: Tensor | None = None,
) -> dict[str, float]:
    """Return the health of a table. It never raises an error for a value: it reports them.

    Args:
        space: ``(n, d)`` space parts, in the dtype in which they are kept.
        c: c > 0, the space has curvature −c.
        level: int64 ``(n,)``, level of each point; for radii by level.
        r_max: bound of the radius, where one is set.
        time: ``(n,)`` time components where they are kept too; derived otherwise.

    Returns:
        - ``non_finite``: points with a NaN or infinite coordinate or time component; they are left
          out of everything else, and all metrics are NaN where no other is left.
        - ``residual``: largest |⟨x, x⟩ + 1/c|/t² (`validity.validity`).
        - ``radius_min``, ``_q05``, ``_median``, ``_q95``, ``_max``, ``radius_mean``; and
          ``radius_level_L_q05``, ``_median``, ``_q95`` for each level.
        - ``fraction_at_bound``: fraction of points with a radius above `validity.NEAR_BOUND`·r_max;
          only with ``r_max``.
        - ``effective_rank``, ``effective_rank_centred``: see `effective_rank`, of the tangent
          vectors at the origin, and of these about their mean.

    Raises:
        MetricError: shapes that do not fit.
    """
    if space.ndim != 2:
        raise MetricError(f'points must be a matrix (n, d), not of shape {tuple(space.shape)}')
    if time is not None:
        check_length('time', time, len(space))
    report = validity.validity(space, c=c, r_max=r_max, time=time)
    finite = validity.finite(space, c=c, time=time).cpu()
    points = space.detach().to(dtype=torch.float64, device='cpu')[finite]
    radii = lorentz.radius(points, c=c)
    report['radius_mean'] = float(radii.mean())
    if level is not None:
        check_length('level', level, len(space))
        quantiles = torch.tensor(list(LEVEL_QUANTILES.values()), dtype=torch.float64)
        kept = level.cpu()[finite]
        for value in level.unique().tolist():
            chosen = radii[kept == value]
            values = (
                chosen.quantile(quantiles).tolist()
                if len(chosen)
                else [float('nan')] * len(quantiles)
            )
            for name, metric in zip(LEVEL_QUANTILES, values, strict=True):
                report[f'radius_level_{value}_{name}'] = metric
    tangents = lorentz.log0(points, c=c)
    report['effective_rank'] = effective_rank(tangents)
    report['effective_rank_centred'] = effective_rank(tangents - tangents.mean(dim=0))
    return report


def effective_rank(vectors: Tensor) -> float:
    """Return exp of the entropy of the normalised singular values (Roy & Vetterli 2007).

    Between 1, all vectors on one line, and min(n, d), the same extent in every direction. 0 where
    all vectors are zero, NaN where there are none.

    Args:
        vectors: ``(n, d)``, finite.
    """
    if not vectors.numel():
        return float('nan')
    values = torch.linalg.svdvals(vectors.to(torch.float64))
    total = float(values.sum())
    if total == 0:
        return 0.0
    fraction = values / total
    return float(torch.special.entr(fraction).sum().exp())


def violations(report: dict[str, float], limits: HealthLimits) -> list[str]:
    """Return a plain sentence for each limit that a report breaks.

    NaN breaks every limit, but beside points that are not finite, which explain it.

    Raises:
        MetricError: a limit is set, but the report lacks its metric.
    """
    sentences = []
    explained = limits.non_finite is not None and report.get('non_finite', 0) > limits.non_finite
    for field in fields(limits):
        limit = getattr(limits, field.name)
        if limit is None:
            continue
        rule = _RULES[field.name]
        if rule.metric not in report:
            raise MetricError(
                f'the limit {field.name} is set, but the report has no {rule.metric}'
                + (': give r_max to health_report' if rule.metric == 'fraction_at_bound' else '')
            )
        value = report[rule.metric]
        if explained and math.isnan(value):
            continue
        kept = value >= limit if rule.least else value <= limit
        if not kept:
            side = 'below' if rule.least else 'above'
            measured = 'not a number' if value != value else f'{value:.4g}, {side} {limit:g}'
            sentences.append(f'{rule.meaning} ({rule.metric}) is {measured}; {rule.advice}')
    return sentences
