import math

import pytest

from naics_embed.evaluation.controls import CONTROLS, findings, sentence, summarise

METRICS = ('mrr', 'tree')


def runs(**changes):
    """Three seeds a control; the text table differs from seed to seed by much more than gains."""
    text = {0: 0.70, 1: 0.75, 2: 0.80}
    return {
        'A': {seed: {'mrr': value, 'tree': 0.9} for seed, value in text.items()},
        **{
            control: {
                seed: {'mrr': text[seed] + gain + 0.001 * (seed - 1), 'tree': 0.9} for seed in text
            }
            for control, gain in changes.items()
        },
    }


def test_means_and_deviations_are_over_seeds():
    cell = summarise(runs(D=0.01), METRICS)['A']['mrr']
    assert cell.seeds == 3
    assert cell.mean == pytest.approx(0.75)
    assert cell.deviation == pytest.approx(0.05)


def test_gains_are_paired_by_seed():
    table = summarise(runs(D=0.01), METRICS)
    cell = table['D']['mrr']
    assert cell.gain == pytest.approx(0.01)
    assert cell.gain_deviation == pytest.approx(0.001)
    assert cell.gain_error == pytest.approx(0.001 / math.sqrt(3))
    assert findings(table, 'D', 'A', 2.0) == {'better': ['mrr'], 'worse': [], 'level': ['tree']}


@pytest.mark.parametrize(
    ('gain', 'kind'), [(0.0, 'level'), (0.0005, 'level'), (-0.01, 'worse'), (0.01, 'better')]
)
def test_a_gain_within_the_spread_of_seeds_is_none(gain, kind):
    table = summarise(runs(D=gain), METRICS)
    assert 'mrr' in findings(table, 'D', 'A', 2.0)[kind]


def test_the_subject_must_beat_the_other_control_not_only_the_text():
    table = summarise(runs(D=0.02, C=0.05), METRICS)
    assert 'mrr' in findings(table, 'D', 'A', 2.0)['better']
    assert 'mrr' in findings(table, 'D', 'C', 2.0)['worse']
    assert sentence(table, 'D', 'C', 2.0) == (
        f'Over 3 seeds, HGCN (D) against {CONTROLS["C"]} (C): worse on mrr.'
    )


def test_one_seed_supports_no_claim():
    one = {control: {0: result[0]} for control, result in runs(D=0.2).items()}
    table = summarise(one, METRICS)
    assert math.isnan(table['D']['mrr'].deviation)
    assert sentence(table, 'D', 'A', 2.0) == (
        'Over 1 seed, HGCN (D) against text table as it is (A): no difference on any metric.'
    )


def test_missing_metrics_leave_a_cell_empty():
    result = runs(D=0.1)
    result['D'] = {seed: {'mrr': None, 'tree': math.nan} for seed in result['D']}
    table = summarise(result, METRICS)
    assert table['D']['mrr'].seeds == 0
    assert math.isnan(table['D']['mrr'].mean)
    assert findings(table, 'D', 'A', 2.0)['level'] == ['mrr', 'tree']
