"""The population stability index against chance, and windows of coded texts."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from naics_embed.config.monitoring import MonitoringConfig
from naics_embed.errors import UserError
from naics_embed.monitoring.compare import QUANTITIES, monitor
from naics_embed.monitoring.drift import (
    compare_counts,
    index_by_chance,
    joined_rare,
    stability_index,
)
from naics_embed.monitoring.observations import SCHEMA
from naics_embed.monitoring.page import render_monitoring
from naics_embed.monitoring.prometheus import prometheus_text

SETTINGS = MonitoringConfig()
START = datetime(2026, 1, 5)
CODES = ['722511', '541511', '238220', '445110', '621210', '811111', '541611', '561720']
STATUS = ['coded', 'coarser', 'uncertain', 'says nothing']


def texts(rows, rng, start=START, days=1.0, **changed):
    """Draw observations of ``rows`` texts over some days."""
    shares = changed.get('shares', np.full(len(CODES), 1 / len(CODES)))
    confidence = rng.beta(*changed.get('confidence', (6, 2)), rows)
    return pl.DataFrame(
        {
            'time': [start + timedelta(days=float(d)) for d in rng.uniform(0, days, rows)],
            'code': rng.choice(CODES, rows, p=shares).tolist(),
            'probability': confidence.tolist(),
            'status': rng.choice(STATUS, rows, p=[0.6, 0.2, 0.15, 0.05]).tolist(),
            'words': (1 + rng.poisson(changed.get('words', 8), rows)).tolist(),
            'unknown_words': rng.beta(*changed.get('unknown', (1, 12)), rows).tolist(),
            'familiarity': rng.beta(*changed.get('familiarity', (12, 4)), rows).tolist(),
            'bundle': ['b'] * rows,
        },
        schema=SCHEMA,
    )


def test_the_index_by_hand():
    psi, parts = stability_index(np.array([49.5, 49.5]), np.array([24.5, 74.5]))
    assert psi == pytest.approx((0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5))
    assert parts.sum() == pytest.approx(psi)
    # An empty bin has half a row, and so a logarithm.
    assert 0 < stability_index(np.array([50.0, 0.0]), np.array([40.0, 10.0]))[0] < 1


def test_the_quantile_by_chance_is_that_of_simulated_samples():
    rng = np.random.default_rng(0)
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    pairs = zip(
        rng.multinomial(4000, shares, 4000) * 1.0,
        rng.multinomial(900, shares, 4000) * 1.0,
        strict=True,
    )
    found = np.array([stability_index(before, now)[0] for before, now in pairs])
    for alpha in (0.1, 0.01):
        above = (found > index_by_chance(4, 4000, 900, alpha)).mean()
        assert alpha / 1.6 < above < alpha * 1.6


def test_rare_bins_are_counted_together():
    names, before, now = joined_rare(
        ['a', 'b', 'c', 'd'], np.array([900.0, 2, 1, 0]), np.array([80.0, 0, 1, 20]), 5.0
    )
    assert names == ['a', 'd', 'others']
    assert before.tolist() == [900, 0, 3]
    assert now.tolist() == [80, 20, 1]
    # One rare bin has no other to be joined with.
    assert joined_rare(['a', 'b'], np.array([9.0, 1]), np.array([9.0, 0]), 5.0)[0] == ['a', 'b']


def test_a_small_change_of_many_rows_is_no_alarm():
    before, now = np.array([50000.0, 50000.0]), np.array([52000.0, 48000.0])
    options = {'least_psi': 0.1, 'alpha': 0.001, 'least_expected': 5.0}
    drift = compare_counts('x', ['a', 'b'], before, now, **options)
    assert drift.psi > drift.by_chance
    assert not drift.alarm
    assert compare_counts('x', ['a', 'b'], before, now, **(options | {'least_psi': 0.0})).alarm


def test_no_alarm_in_twenty_weeks_of_resampled_texts():
    rng = np.random.default_rng(1)
    reference = texts(4000, rng)
    for draw in range(5):
        weeks = pl.concat(
            [texts(400, rng, START + timedelta(weeks=week), days=7) for week in range(20)]
        )
        result = monitor(weeks, reference, SETTINGS, every='week')
        assert len(result.windows) == 20
        assert all(window.drifts for window in result.windows)
        assert result.alarms == [], draw


SHIFTS = {
    'sectors': {'shares': np.array([0.5, *[0.5 / 7] * 7])},
    'codes': {'shares': np.array([0.125, 0.25, 0.125, 0.125, 0.125, 0.125, 0.0, 0.125])},
    'confidence': {'confidence': (4, 3)},
    'familiarity': {'familiarity': (8, 5)},
    'length': {'words': 14},
    'unknown words': {'unknown': (2, 8)},
}


@pytest.mark.parametrize('quantity', SHIFTS)
def test_a_planted_shift_is_found_in_the_rows_of_a_day(quantity):
    rng = np.random.default_rng(2)
    reference = texts(4000, rng)
    days = [texts(400, rng, START + timedelta(days=day)) for day in range(5)]
    days.append(texts(400, rng, START + timedelta(days=5), **SHIFTS[quantity]))
    result = monitor(pl.concat(days), reference, SETTINGS, every='day')
    assert [window.start for window, _ in result.alarms] == [
        START + timedelta(days=5) for _ in result.alarms
    ]
    assert quantity in {drift.name for _, drift in result.alarms}
    assert prometheus_text(result).count(' 1\n') == len(result.alarms)


def test_what_both_lack_is_not_compared():
    rng = np.random.default_rng(3)
    plain = texts(400, rng).with_columns(
        familiarity=pl.lit(None, pl.Float64), words=pl.lit(None, pl.Int64)
    )
    result = monitor(plain, texts(400, rng), SETTINGS, every=None)
    assert result.skipped == ('familiarity', 'length')
    assert {drift.name for drift in result.windows[0].drifts} == set(QUANTITIES) - set(
        result.skipped
    )
    assert result.windows[0].familiarity is None


def test_a_window_of_few_texts_is_not_judged():
    rng = np.random.default_rng(4)
    both = pl.concat([texts(400, rng), texts(20, rng, START + timedelta(days=9), words=90)])
    result = monitor(both, texts(400, rng), SETTINGS, every='week')
    assert [bool(window.drifts) for window in result.windows] == [True, False]
    assert result.alarms == []


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'rows': 10}, 'at least 200 are needed'),
        ({'every': 'year'}, 'a window is a day, a week, a month'),
        ({'untimed': True}, '400 of 400 coded texts have no time'),
        ({'empty': True}, 'no coded texts'),
    ],
)
def test_what_cannot_be_compared_is_said(changes, message):
    rng = np.random.default_rng(5)
    observed = texts(400, rng)
    if changes.get('untimed'):
        observed = observed.with_columns(time=pl.lit(None, pl.Datetime('us')))
    if changes.get('empty'):
        observed = observed.head(0)
    with pytest.raises(UserError, match=message):
        monitor(
            observed,
            texts(changes.get('rows', 400), rng),
            SETTINGS,
            every=changes.get('every', 'week'),
        )


def test_the_page_names_what_has_changed():
    rng = np.random.default_rng(6)
    days = [texts(400, rng, START + timedelta(days=day)) for day in range(3)]
    days.append(texts(400, rng, START + timedelta(days=3), words=20))
    result = monitor(pl.concat(days), texts(4000, rng), SETTINGS, every='day', named='March')
    page = render_monitoring(result, 'claims <2026>')
    assert 'Drift of claims &lt;2026&gt;' in page
    assert '1 alarm' in page
    assert '2026-01-08' in page
    assert 'http://' not in page.replace('http://www.w3.org/2000/svg', '')
    assert result.to_dict()['alarms'] == 1
