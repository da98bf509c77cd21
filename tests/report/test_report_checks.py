"""When a run is called good."""

from dataclasses import replace

import pytest

from naics_embed.report.contents import RunReport
from naics_embed.report.verdict import CLOSE, GOOD, MET, MISSED, MIXED, POOR, judge


def status_of(verdict, name):
    [found] = [check.status for check in verdict.checks if check.name == name]
    return found


def test_a_run_that_reaches_its_marks_is_good(whole, config):
    verdict = judge(whole, config.report)
    assert verdict.status == GOOD
    assert (verdict.met, verdict.deciding) == (11, 11)
    assert verdict.sentence.startswith('11 of 11 checks are met.')


def test_the_distance_alone_is_named_but_decides_nothing(whole, config):
    verdict = judge(whole, config.report)
    name = 'Distance alone, index entries: top-1'
    assert status_of(verdict, name) == MISSED, '0.70 against 0.72, with two errors of 0.005'
    assert name in verdict.sentence
    assert verdict.status == GOOD


@pytest.mark.parametrize(
    ('key', 'value', 'name', 'status'),
    [
        ('test/hybrid_top1', 0.735, 'Coder, index entries: top-1', CLOSE),
        ('test/hybrid_top1', 0.705, 'Coder, index entries: top-1', CLOSE),
        ('test/hybrid_top1', 0.69, 'Coder, index entries: top-1', MISSED),
        ('test/hybrid_ece', 0.05, 'Calibration error, index entries', MET),
        ('test/hybrid_ece', 0.08, 'Calibration error, index entries', CLOSE),
        ('test/hybrid_ece', 0.2, 'Calibration error, index entries', MISSED),
        ('tree/spearman', 0.9, 'Tree distances, rank correlation', CLOSE),
        ('tree/spearman', 0.8, 'Tree distances, rank correlation', MISSED),
        ('test/holdout_parent_at_1', 0.3, 'Hidden codes find their parent', CLOSE),
        ('test/holdout_parent_at_1', 0.1, 'Hidden codes find their parent', MISSED),
        ('health/fraction_at_bound', 0.6, 'Codes at the radius bound', MISSED),
        ('health/non_finite', 1.0, 'Points that are not finite', MISSED),
    ],
)
def test_marks_tell_met_from_close_from_missed(whole, config, key, value, name, status):
    metrics = whole.metrics | {key: {**whole.metrics[key], 'value': value}}
    verdict = judge(replace(whole, metrics=metrics), config.report)
    assert status_of(verdict, name) == status
    assert verdict.status == (MIXED if status == MISSED else GOOD)
    assert (name in verdict.sentence) == (status != MET)


def test_a_run_that_misses_more_than_it_meets_is_poor(whole, config):
    metrics = {
        key: {**metric, 'value': 0.0 if 'ece' not in key and 'health' not in key else 0.9}
        for key, metric in whole.metrics.items()
    }
    metrics |= {key: whole.metrics[key] for key in whole.metrics if key.endswith('queries')}
    verdict = judge(replace(whole, metrics=metrics), config.report)
    assert verdict.status == POOR
    assert 'Missed: Coder, index entries: top-1; ' in verdict.sentence


def test_marks_come_from_the_configuration(whole, config):
    strict = replace(config.report, calibration=0.01, ceiling_fraction=1.0)
    assert judge(whole, strict).status != GOOD
    alone = RunReport(metrics={'tree/spearman': whole.metrics['tree/spearman']})
    assert judge(alone, config.report).deciding == 1


def test_metrics_that_are_unknown_are_left_out(whole, config):
    metrics = whole.metrics | {
        'test/hybrid_top1': {'value': None, 'reference': 0.7, 'reference_name': 'bm25'}
    }
    verdict = judge(replace(whole, metrics=metrics), config.report)
    assert verdict.deciding == 10


@pytest.mark.parametrize(
    ('ancestors', 'status', 'named'),
    [(0.2, MET, False), (0.32, CLOSE, True), (0.4, MISSED, True)],
)
def test_regressors_are_judged_against_columns_of_ancestors(
    whole, config, ancestors, status, named
):
    name = 'Coordinates as regressors, families held out: R²'
    rival = {'value': ancestors, 'reference': 0.6, 'reference_name': 'ceiling'}
    regression = {**whole.regression, 'ancestors/held_out_r2': rival}
    verdict = judge(replace(whole, regression=regression), config.report)
    assert verdict.deciding == 12
    assert status_of(verdict, name) == status
    assert (name in verdict.sentence) == named
