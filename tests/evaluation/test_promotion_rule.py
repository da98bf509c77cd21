import math

import pytest

from naics_embed.evaluation.promotion_rule import (
    Candidate,
    Criterion,
    PromotionRule,
    compare,
    decide,
)

RULE = PromotionRule((Criterion('mrr', 0.01), Criterion('plain', 0.02)), 1.0, 2.0)
BASE = {'mrr': 0.80, 'plain': 0.60}


def against(**changes: float | None):
    return compare(Candidate('text', BASE), Candidate('hgcn', {**BASE, **changes}), RULE)


def test_equal_tables_tie_and_the_incumbent_stays():
    verdict = against()
    assert not verdict.wins
    assert {each.outcome for each in verdict.comparisons} == {'level'}
    assert verdict.reason == 'no metric is better by more than 2 deviations'


@pytest.mark.parametrize(
    ('changes', 'wins'),
    [
        ({'mrr': 0.8201}, True),
        ({'mrr': 0.8199}, False),
        ({'mrr': 0.8201, 'plain': 0.5801}, True),
        ({'mrr': 0.9, 'plain': 0.5799}, False),
        ({'plain': 0.6401}, True),
        ({'mrr': 0.7899, 'plain': 0.9}, False),
    ],
)
def test_margins_are_in_units_of_the_deviation(changes, wins):
    assert against(**changes).wins is wins


def test_plain_language_is_not_traded_for_index_entries():
    verdict = against(mrr=0.95, plain=0.5)
    assert not verdict.wins
    assert verdict.reason == 'worse: plain by -5.0 deviations'


@pytest.mark.parametrize('gone', [None, math.nan])
def test_a_metric_of_one_table_only_decides_against_the_challenger(gone):
    verdict = against(mrr=0.95, plain=gone)
    assert not verdict.wins
    assert 'plain was measured for one of the two only' in verdict.reason


def test_a_metric_of_neither_is_left_out():
    before, after = Candidate('text', {'mrr': 0.8}), Candidate('hgcn', {'mrr': 0.9})
    verdict = compare(before, after, RULE)
    assert verdict.wins
    assert verdict.comparisons[1].outcome == 'absent'
    assert not compare(Candidate('a', {}), Candidate('b', {}), RULE).wins


def test_a_later_table_must_beat_the_champion_so_far():
    candidates = [
        Candidate('text', BASE),
        Candidate('smoothing', {'mrr': 0.83, 'plain': 0.60}),
        Candidate('hgcn', {'mrr': 0.84, 'plain': 0.60}),
    ]
    decision = decide(candidates, RULE)
    assert decision.champion == 'smoothing', 'one deviation above it is a tie, and it is simpler'
    assert [(v.incumbent, v.challenger, v.wins) for v in decision.verdicts] == [
        ('text', 'smoothing', True),
        ('smoothing', 'hgcn', False),
    ]
    assert decide([candidates[0], candidates[2]], RULE).champion == 'hgcn'
    rows = decision.rows()
    assert len(rows) == 4
    assert rows[0]['deviations'] == pytest.approx(3)
    assert decide(candidates[:1], RULE).verdicts == ()


def test_candidates_need_names_of_their_own():
    with pytest.raises(ValueError, match='no candidate'):
        decide([], RULE)
    with pytest.raises(ValueError, match='different names'):
        decide([Candidate('a', BASE), Candidate('a', BASE)], RULE)
