import numpy as np
import pytest
from scipy.stats import norm

from naics_embed.assessment.estimates import (
    Automation,
    Z,
    at_target,
    automation_curve,
    expected_share,
    share,
)
from naics_embed.report.answers import wilson


def clustered(seed: int, groups: int = 300):
    """Values that are alike within groups of one to five, and weights."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, groups)
    group = np.repeat(np.arange(groups), sizes)
    chance = np.repeat(rng.beta(2, 1, groups), sizes)
    return rng.random(len(group)) < chance, rng.uniform(0.5, 3, len(group)), group


def test_the_quantile_is_that_of_the_normal_distribution():
    assert pytest.approx(norm.ppf(0.975)) == Z


def test_the_interval_is_that_of_a_bootstrap_of_groups():
    values, weights, groups = clustered(0)
    found = share(values, weights, groups)
    assert found.value == pytest.approx(np.average(values, weights=weights))
    rng = np.random.default_rng(1)
    total = np.bincount(groups, weights)
    good = np.bincount(groups, weights * values)
    drawn = rng.integers(0, len(total), (4000, len(total)))
    deviation = (good[drawn].sum(axis=1) / total[drawn].sum(axis=1)).std()
    assert (found.high - found.low) / 2 / Z == pytest.approx(deviation, rel=0.05)
    assert found.texts == len(values)


def test_texts_of_one_group_do_not_count_as_independent():
    values, weights, groups = clustered(2)
    alone = share(values, weights, np.arange(len(values)))
    together = share(values, weights, groups)
    assert together.value == alone.value
    assert together.high - together.low > 1.1 * (alone.high - alone.low)
    copies = share(np.repeat(values, 3), np.repeat(weights, 3), np.repeat(groups, 3))
    assert (copies.low, copies.high) == pytest.approx((together.low, together.high))


@pytest.mark.parametrize('value', [0, 1])
@pytest.mark.parametrize('weights', [np.ones(7), np.array([0.1, 0.2, 0.3, 0.7, 1.1, 1.3, 2.9])])
def test_where_all_are_alike_the_interval_is_that_of_wilson(value, weights):
    found = share(np.full(7, value), weights, list('abcdefg'))
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx(wilson(value, 7), abs=1e-6)
    of_two = share(np.full(7, value), weights, list('aaaabbb'))
    assert of_two.high - of_two.low > found.high - found.low
    assert 0 <= found.low <= found.high <= 1


def test_no_text_has_no_share():
    assert np.isnan(share(np.array([]), np.array([]), []).value)
    assert np.isnan(expected_share(np.array([]), np.array([]), []).value)


def brute_force(confidence, right, weights):
    points = []
    for threshold in sorted(set(confidence.tolist()), reverse=True):
        taken = confidence >= threshold
        points.append(
            (
                threshold,
                weights[taken].sum() / weights.sum(),
                (weights * right)[taken].sum() / weights[taken].sum(),
            )
        )
    return points


def test_the_automation_curve_is_that_of_each_threshold():
    rng = np.random.default_rng(3)
    confidence = rng.integers(0, 40, 200) / 40
    right = rng.random(200) < confidence
    weights = rng.uniform(0.1, 2, 200)
    curve = automation_curve(confidence, right, weights)
    found = [(point.threshold, point.share, point.accuracy) for point in curve]
    assert np.array(found) == pytest.approx(np.array(brute_force(confidence, right, weights)))
    assert curve[-1].share == pytest.approx(1)
    assert curve[-1].accuracy == pytest.approx(np.average(right, weights=weights))


def test_the_lowest_threshold_that_reaches_a_target():
    curve = [Automation(0.9, 0.2, 0.9), Automation(0.8, 0.4, 1.0), Automation(0.1, 1.0, 0.5)]
    assert at_target(curve, 0.9) == curve[1]
    assert at_target(curve, 0.5) == curve[2]
    assert at_target(curve[2:], 0.9) is None


def test_an_expected_share_covers_what_happens():
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(400):
        probability = rng.beta(1, 4, 150)
        groups = rng.integers(0, 100, 150)
        weights = rng.uniform(0.5, 2, 150)
        found = expected_share(probability, weights, groups)
        events = rng.random(150) < probability
        covered.append(found.low <= np.average(events, weights=weights) <= found.high)
        assert found.value == pytest.approx(np.average(probability, weights=weights))
    assert np.mean(covered) > 0.95


def test_what_is_certain_has_no_interval_and_one_group_has_one():
    sure = expected_share(np.array([0.0, 0.0]), np.ones(2), [0, 1])
    assert (sure.value, sure.low, sure.high) == (0, 0, 0)
    one = expected_share(np.array([0.5, 0.5]), np.ones(2), [0, 0])
    assert (one.value, one.low, one.high) == (0.5, 0, 1)
