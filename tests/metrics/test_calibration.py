import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from naics_embed.metrics.calibration import (
    confidence_metrics,
    expected_calibration_error,
)
from naics_embed.metrics.selective import accuracy_at_coverage, area_under_risk, risk_coverage
from naics_embed.metrics.validation import MetricError

BINS = {'bins': 10, 'coverages': (0.5, 0.8)}


@pytest.fixture
def answers(noise):
    confidence = torch.sigmoid(noise(800))
    generator = torch.Generator().manual_seed(1)
    return confidence, torch.rand(800, generator=generator) < confidence**1.5


@pytest.mark.parametrize(('strategy', 'equal_mass'), [('uniform', False), ('quantile', True)])
@pytest.mark.parametrize(('bins', 'kept'), [(10, 800), (15, 800), (7, 101), (20, 61), (12, 733)])
def test_calibration_error_is_from_scikit_learns_curve(answers, strategy, equal_mass, bins, kept):
    answers = tuple(values[:kept] for values in answers)
    confidence, correct = (values.numpy() for values in answers)
    curve = calibration_curve(correct, confidence, n_bins=bins, strategy=strategy)
    edges = np.linspace(0, 1, bins + 1)
    if equal_mass:
        edges = np.percentile(confidence, edges * 100)
    weight = np.bincount(np.searchsorted(edges[1:-1], confidence)) / len(confidence)
    expected = (weight[weight > 0] * np.abs(curve[0] - curve[1])).sum()
    result = expected_calibration_error(*answers, bins=bins, equal_mass=equal_mass)
    assert result == pytest.approx(expected, abs=1e-12)
    assert result > 0.05


def test_bounds_of_bins_belong_to_the_lower_bin():
    confidence = torch.tensor([0.0, 0.5, 0.6, 1.0]).double()
    correct = torch.tensor([True, False, False, True])
    # Bins {0, .5} and {.6, 1}: |1 − .5|/4 + |1 − 1.6|/4.
    result = expected_calibration_error(confidence, correct, bins=2)
    assert result == pytest.approx((0.5 + 0.6) / 4)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=15),
    st.floats(0.05, 1),
)
@settings(deadline=None, max_examples=80)
def test_selective_metrics_are_means_over_random_orders_of_ties(rows, fraction):
    confidence = torch.tensor([c for c, _ in rows]).double()
    correct = torch.tensor([r for _, r in rows])
    # In expectation, each answer of a tie has the accuracy of the tie.
    tied = torch.stack([correct[confidence == c].double().mean() for c in confidence])
    order = confidence.argsort(descending=True, stable=True)
    errors = (1 - tied[order]).cumsum(0)
    given_answers = torch.arange(1, len(rows) + 1)
    assert area_under_risk(confidence, correct) == pytest.approx(
        float((errors / given_answers).mean())
    )
    curve = risk_coverage(confidence, correct)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(float((~correct).double().mean()))
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        chosen = confidence >= threshold
        assert float(coverage) == pytest.approx(float(chosen.double().mean()))
        assert float(risk) == pytest.approx(float((~correct[chosen]).double().mean()))
    padded = torch.cat([torch.zeros(1), errors])
    expected = 1 - np.interp(fraction * len(rows), np.arange(len(padded)), padded) / (
        fraction * len(rows)
    )
    assert accuracy_at_coverage(curve, fraction) == pytest.approx(expected, abs=1e-9)


def test_confidence_that_ranks_is_worth_something(answers):
    confidence, correct = answers
    result = confidence_metrics(confidence, correct, **BINS)
    shuffled = confidence[torch.randperm(800, generator=torch.Generator().manual_seed(0))]
    blind = confidence_metrics(shuffled, correct, **BINS)
    assert result['accuracy_at_coverage_0.5'] > result['accuracy_at_coverage_0.8']
    assert result['accuracy_at_coverage_0.8'] > result['accuracy']
    assert result['aurc'] < blind['aurc'] - 0.1
    assert accuracy_at_coverage(risk_coverage(*answers), 1.0) == pytest.approx(result['accuracy'])


def test_bad_input_is_refused(answers):
    confidence, correct = answers
    with pytest.raises(MetricError, match='between 0 and 1'):
        expected_calibration_error(2 * confidence, correct, bins=5)
    with pytest.raises(MetricError, match='correct must have shape'):
        risk_coverage(confidence, correct[:3])
    with pytest.raises(MetricError, match='correct must be bool'):
        risk_coverage(confidence, 2 * correct.long())
    with pytest.raises(MetricError, match='coverage must be'):
        accuracy_at_coverage(risk_coverage(confidence, correct), 0)
    with pytest.raises(MetricError, match='nothing to measure'):
        risk_coverage(confidence[:0], correct[:0])


def test_weights_count_as_copies_of_an_answer():
    confidence, correct = torch.tensor([0.9, 0.9, 0.3]), torch.tensor([True, False, False])
    weighted = expected_calibration_error(
        confidence, correct, bins=10, weights=torch.tensor([3.0, 1.0, 2.0])
    )
    copied = torch.tensor([0, 0, 0, 1, 2, 2])
    assert weighted == pytest.approx(
        expected_calibration_error(confidence[copied], correct[copied], bins=10)
    )
