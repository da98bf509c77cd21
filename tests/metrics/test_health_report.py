import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from naics_embed.geometry import lorentz
from naics_embed.metrics.health import HealthLimits, effective_rank, health_report, violations
from naics_embed.metrics.validation import MetricError

LIMITS = HealthLimits(
    residual=1e-6, bound_fraction=0.1, min_rank=3.0, min_mean_radius=0.5, max_radius=8.0
)


@pytest.fixture
def level():
    return torch.arange(200) % 5 + 2


@pytest.fixture
def table(noise, level):
    """Radius equal to the level, directions at random, c = 2."""
    tangents = noise(200, 6)
    tangents *= (level / tangents.norm(dim=1))[:, None]
    return lorentz.exp0(tangents, c=2.0)


def report_of(space, **kwargs):
    return health_report(space, c=2.0, **{'r_max': 8.0, **kwargs})


def test_report_of_a_known_table(table, level):
    report = report_of(table, level=level)
    assert report['non_finite'] == 0
    assert report['residual'] < 1e-12
    assert report['radius_mean'] == pytest.approx(4)
    assert report['radius_min'] == pytest.approx(2)
    assert report['radius_max'] == pytest.approx(6)
    assert report['fraction_at_bound'] == 0
    for value in range(2, 7):
        for name in ('q05', 'median', 'q95'):
            assert report[f'radius_level_{value}_{name}'] == pytest.approx(value)
    assert 5 < report['effective_rank'] <= 6
    assert violations(report, LIMITS) == []


def test_quantiles_by_level_are_numpys(noise):
    space, level = noise(60, 3), torch.arange(60) % 2
    report = health_report(space, c=1.0, level=level)
    radii = lorentz.radius(space[level == 1], c=1.0).numpy()
    assert report['radius_level_1_q05'] == pytest.approx(np.quantile(radii, 0.05))
    assert report['radius_level_1_q95'] == pytest.approx(np.quantile(radii, 0.95))
    assert 'fraction_at_bound' not in report


def test_fraction_at_bound_counts_saturated_points(table):
    tangents = lorentz.log0(table, c=2.0)
    tangents[:50] *= 100
    bounded = lorentz.exp0(lorentz.bound_radius(tangents, r_max=8.0), c=2.0)
    report = report_of(bounded)
    assert report['fraction_at_bound'] == pytest.approx(0.25)
    assert [text for text in violations(report, LIMITS) if 'radius bound' in text]


def test_points_off_the_hyperboloid_are_seen(table):
    time = lorentz.time_component(table, c=2.0)
    assert report_of(table, time=time)['residual'] < 1e-12
    time[3] *= 1.01
    report = report_of(table, time=time)
    assert report['residual'] == pytest.approx(1 - 1 / 1.01**2, rel=0.05)
    assert violations(report, LIMITS)[0].startswith('relative residual')


def test_non_finite_points_are_counted_and_left_out(table, level):
    broken = table.clone()
    broken[0, 1] = math.nan
    broken[5] = math.inf
    report = report_of(broken, level=level)
    assert report.pop('non_finite') == 2
    keep = torch.ones(200, dtype=torch.bool)
    keep[[0, 5]] = False
    expected = report_of(table[keep], level=level[keep])
    expected.pop('non_finite')
    assert report == pytest.approx(expected)
    broken_report = report | {'non_finite': 2.0}
    assert len(violations(broken_report, LIMITS)) == 1
    assert 'NaN or infinite' in violations(broken_report, HealthLimits())[0]


def test_a_table_without_a_finite_point_breaks_every_limit(table, level):
    report = report_of(table * math.nan, level=level)
    assert report['non_finite'] == 200
    assert math.isnan(report['radius_level_4_median'])
    assert len(violations(report, replace(LIMITS, non_finite=None))) == 5
    (only,) = violations(report, LIMITS)
    assert 'NaN or infinite' in only, 'the cause is reported, and not its consequences'


@pytest.mark.parametrize(('dtype', 'huge'), [(torch.float32, 1e30), (torch.float64, 1e200)])
def test_points_beyond_the_type_are_left_out(table, dtype, huge):
    space = table.to(dtype)
    space[:3] = huge
    report = report_of(space)
    rest = report_of(space[3:])
    assert report == pytest.approx(rest | {'non_finite': 3.0})


@pytest.mark.parametrize(
    ('broken', 'words'),
    [
        ({'max_radius': 5.0}, 'greatest radius (radius_max) is 6, above 5'),
        ({'min_mean_radius': 5.0}, 'mean radius (radius_mean) is 4, below 5'),
        ({'min_radius_q05': 5.0}, '5 % quantile of the radius (radius_q05) is'),
        ({'max_radius_q95': 2.0}, '95 % quantile of the radius (radius_q95) is'),
        ({'min_rank': 6.5}, 'effective rank of the tangent vectors'),
        ({'bound_fraction': -0.5}, 'fraction of points at the radius bound'),
        ({'residual': -1.0}, 'relative residual'),
        ({'non_finite': -1}, 'NaN or infinite'),
    ],
)
def test_each_limit_acts(table, broken, words):
    report = report_of(table)
    messages = violations(report, HealthLimits(**{'non_finite': None, **broken}))
    assert len(messages) == 1
    assert words in messages[0]


def test_collapse_onto_a_line_is_seen(table):
    line = table[:, :1] * torch.ones(6)
    report = report_of(line)
    assert report['effective_rank'] == pytest.approx(1)
    assert [text for text in violations(report, LIMITS) if 'few directions' in text]


def test_a_limit_whose_metric_is_missing_is_an_error(table):
    report = health_report(table, c=2.0)
    assert violations(report, HealthLimits(min_rank=1.0)) == []
    with pytest.raises(MetricError, match='give r_max'):
        violations(report, HealthLimits(bound_fraction=0.5))


def test_effective_rank_is_its_definition(noise):
    vectors = noise(30, 7)
    fraction = np.linalg.svd(vectors.numpy(), compute_uv=False)
    fraction /= fraction.sum()
    assert effective_rank(vectors) == pytest.approx(math.exp(-(fraction * np.log(fraction)).sum()))
    assert effective_rank(3 * torch.eye(5)) == pytest.approx(5)
    assert effective_rank(torch.zeros(4, 3)) == 0
    assert math.isnan(effective_rank(torch.zeros(0, 3)))
    # Far from the origin, one direction hides the others unless the mean is taken off.
    shifted = torch.eye(6).repeat(4, 1) + 100
    report = health_report(shifted.double(), c=1.0)
    assert report['effective_rank'] < 1.5
    assert report['effective_rank_centred'] > 4


def test_wrong_shapes_are_refused(table):
    with pytest.raises(MetricError, match='must be a matrix'):
        report_of(table[0])
    with pytest.raises(MetricError, match='level must have shape'):
        report_of(table, level=torch.zeros(3))
