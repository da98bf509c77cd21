import pytest

from naics_embed.errors import UserError
from naics_embed.report.curves import by_metric, measured, metric_curves

FIRST = {'train/loss': [(0, 4.0), (1, 0.1)], 'train/near': [(0, 1.0), (1, 0.9)], 'other': [(0, 1)]}
SECOND = {'train/loss': [(0, 3.0), (1, 0.2), (2, 0.2), (3, 0.1)]}


def lines(plot):
    return {
        axes.get_title(): [line.get_xydata().tolist() for line in axes.lines]
        for axes in plot.axes
        if axes.get_visible()
    }


def test_one_axes_a_metric_and_one_line_a_run():
    plot = metric_curves({'a': FIRST, 'b': SECOND}, ('train/',), 'Terms')
    assert lines(plot) == {
        'loss': [[[0, 4.0], [1, 0.1]], [[0, 3.0], [1, 0.2], [3, 0.1]]],
        'near': [[[0, 1.0], [1, 0.9]]],
    }
    assert [text.get_text() for text in plot.legends[0].get_texts()] == ['a', 'b']
    scales = {axes.get_title(): axes.get_yscale() for axes in plot.axes if axes.get_visible()}
    assert scales == {'loss': 'log', 'near': 'linear'}
    colours = {line.get_color() for axes in plot.axes for line in axes.lines}
    assert len(colours) == 2


@pytest.mark.parametrize('count', range(1, 9))
def test_the_lowest_axes_of_every_column_have_numbers(count):
    history = {f'train/{number}': [(0, 1.0), (1, 2.0)] for number in range(count)}
    plot = metric_curves({'a': history}, ('train/',), 'Terms')
    numbered = {
        axes.get_title(): bool(axes.xaxis.get_tick_params()['labelbottom'])
        for axes in plot.axes
        if axes.get_visible()
    }
    assert numbered == {str(i): i >= count - min(3, count) for i in range(count)}


def test_one_run_needs_no_legend():
    assert not metric_curves({'a': FIRST}, ('train/', 'other'), 'Terms').legends


def test_repeats_are_left_out():
    assert measured([(4, 0.5), (5, 0.5), (6, 0.5), (9, 0.7), (10, 0.7)]) == [(4, 0.5), (9, 0.7)]
    assert measured([]) == []


def test_nothing_to_draw():
    with pytest.raises(UserError, match='no metric of a begins with validation/'):
        metric_curves({'a': FIRST}, ('validation/',), 'Validation')


def test_epochs_become_a_history_of_each_metric():
    epochs = [{'train/a': 2.0, 'train/b': 3.0}, {'train/a': 1.0, 'train/b': float('nan')}]
    history = by_metric(epochs)
    assert history == {'train/a': [(0, 2.0), (1, 1.0)], 'train/b': [(0, 3.0)]}
    assert lines(metric_curves({'run': history}, ('train/',), 'Terms')) == {
        'a': [[[0, 2.0], [1, 1.0]]],
        'b': [[[0, 3.0]]],
    }
