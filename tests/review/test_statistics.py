"""Intervals, agreement and samples, against independent references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sklearn.metrics import cohen_kappa_score

from naics_embed.review.batches import known_batch
from naics_embed.review.decide import Given, record
from naics_embed.review.intervals import finite_interval
from naics_embed.review.sampling import divide, interleaved
from naics_embed.review.statistics import agreement, error_rate, kappa, shares
from tests.review.review_help import CLAIM_S, make_batch, make_users


@pytest.mark.parametrize(('population', 'sample'), [(30, 10), (57, 57), (80, 7), (200, 40)])
def test_the_interval_covers_as_often_as_it_says(population, sample):
    """For every true number of errors, over all samples that can be drawn."""
    ranges = [finite_interval(found, sample, population) for found in range(sample + 1)]
    for wrong in range(population + 1):
        chances = hypergeom(population, wrong, sample).pmf(np.arange(sample + 1))
        covered = sum(
            chance
            for chance, (low, high) in zip(chances, ranges, strict=True)
            if low - 1e-12 <= wrong / population <= high + 1e-12
        )
        assert covered >= 0.95 - 1e-9, wrong


@given(st.integers(1, 400), st.data())
@settings(max_examples=60, deadline=None)
def test_the_interval_holds_the_share_and_narrows_with_the_sample(population, data):
    sample = data.draw(st.integers(1, population))
    found = data.draw(st.integers(0, sample))
    low, high = finite_interval(found, sample, population)
    assert 0 <= low <= found / sample <= high <= 1 or sample < population
    assert found / population <= high
    if sample == population:
        assert low == high == found / population


def test_an_audit_finds_the_error_rate_in_nineteen_of_twenty_draws():
    rng = np.random.default_rng(0)
    probability = np.clip(rng.beta(8, 1, 4000), 0, 1)
    right = rng.random(4000) < probability
    hits = 0
    for seed in range(200):
        division = divide(probability, 0.9, None, 0.05, 0.1, seed)
        accepted = ~division.people
        wrong = int((~right[division.audit]).sum())
        low, high = finite_interval(wrong, int(division.audit.sum()), int(accepted.sum()))
        hits += low <= (~right[accepted]).mean() <= high
    assert hits >= 190


@given(st.lists(st.tuples(st.sampled_from('abc'), st.sampled_from('abc')), min_size=2))
@settings(deadline=None)
def test_kappa_is_that_of_scikit_learn(pairs):
    first, second = zip(*pairs, strict=True)
    found = kappa(pairs)
    if found is None:
        assert len({*first, *second}) == 1
    else:
        assert found[0] == pytest.approx(cohen_kappa_score(first, second))


def test_rows_are_divided_as_asked():
    probability = np.linspace(0, 1, 1001)
    division = divide(probability, 0.8, None, 0.1, 0.25, 3)
    assert division.people.sum() == 800
    assert division.audit.sum() == 21
    assert (probability[division.audit] >= 0.8).all()
    assert division.double.sum() == np.ceil(0.25 * 821)
    assert not (division.double & ~(division.people | division.audit)).any()
    assert (divide(probability, 0.8, None, 0.1, 0.25, 4).audit != division.audit).any()
    target = divide(probability, 0.8, 0.95, 0.1, 0.25, 3)
    assert probability[~target.people].mean() == pytest.approx(0.95, abs=1e-3)
    assert divide(np.full(5, 0.2), None, 0.9, 0.1, 0.1, 0).threshold is None
    assert divide(np.empty(0), 0.9, None, 0.1, 0.1, 0).people.sum() == 0


def test_the_audit_is_spread_and_the_order_kept():
    order = interleaved(np.arange(100), np.arange(100, 110), 0)
    assert [at for at in order.tolist() if at < 100] == list(range(100))
    places = np.flatnonzero(order >= 100)
    assert places.min() < 40
    assert places.max() > 70


def test_statistics_of_a_batch(store):
    numbers = make_batch(store, people=6, audit=4, automatic=16, double=(0, 1, 2))
    ann, bob, _ = make_users(store, ann='reviewer', bob='reviewer', cy='arbiter')

    def decide(user, item, code, key, elapsed=1000):
        one = Given(key, item, 'code' if code else 'vague', code, None, False, elapsed)
        store.write(lambda connection: record(connection, user, one, CLAIM_S))

    for at, (first, second) in enumerate(
        [('111110', '111110'), ('111110', '111120'), ('541511', '722511')]
    ):
        decide(ann, numbers[at], first, f'a{at}', 1000 * (at + 1))
        decide(bob, numbers[at], second, f'b{at}')
    for at, code in enumerate(['111110', '111110', '541511', None]):
        decide(ann, numbers[6 + at], code, f'audit{at}', 9000)
    with store.reading() as connection:
        batch = known_batch(connection, 'q3')
        errors = error_rate(connection, batch)
        levels = {one.level: one for one in agreement(connection, batch)}
        [own] = shares(connection, batch, ann)
    assert (errors.accepted, errors.audited, errors.pending, errors.wrong) == (20, 4, 0, 2)
    assert (errors.low, errors.high) == finite_interval(2, 4, 20)
    assert errors.automation == pytest.approx(20 / 26)
    assert levels[6].agreed == pytest.approx(1 / 3)
    assert levels[2].agreed == pytest.approx(2 / 3)
    assert levels[6].kappa == pytest.approx(
        cohen_kappa_score(['111110', '111110', '541511'], ['111110', '111120', '722511'])
    )
    assert (own.decided, own.first, own.other, own.vague, own.seconds) == (7, 4, 2, 1, 9.0)
