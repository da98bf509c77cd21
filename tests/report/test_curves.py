import re
from xml.etree import ElementTree

import pytest

from naics_embed.errors import UserError
from naics_embed.report.curves import by_metric, measured, metric_curves
from naics_embed.report.svg import LogScale, Plot, limits

FIRST = {'train/loss': [(0, 4.0), (1, 0.1)], 'train/near': [(0, 1.0), (1, 0.9)], 'other': [(0, 1)]}
SECOND = {'train/loss': [(0, 3.0), (1, 0.2), (2, 0.2), (3, 0.1)]}
SVG = '{http://www.w3.org/2000/svg}'


def charts(drawing):
    """What each chart is called, and what its dots say of the points."""
    found = {}
    for chart in ElementTree.fromstring(drawing).iter(f'{SVG}svg'):
        words = chart.get('aria-label', '')
        if ': from ' in words:
            found[words.partition(':')[0]] = [one.text for one in chart.iter(f'{SVG}title')]
    return found


def texts(drawing):
    return [one.text for one in ElementTree.fromstring(drawing).iter(f'{SVG}text')]


def test_one_chart_a_metric_and_one_line_a_run():
    drawing = metric_curves({'a': FIRST, 'b <i>': SECOND}, ('train/',), 'Terms')
    assert charts(drawing) == {
        'loss': ['a, 0: 4', 'a, 1: 0.1', 'b <i>, 0: 3', 'b <i>, 1: 0.2', 'b <i>, 3: 0.1'],
        'near': ['a, 0: 1', 'a, 1: 0.9'],
    }
    assert texts(drawing)[0] == 'Terms'
    assert texts(drawing)[-2:] == ['a', 'b <i>']
    assert len(set(re.findall(r'class="line (s\d)"', drawing))) == 2


def test_a_wide_range_is_drawn_on_a_logarithmic_axis():
    drawing = metric_curves({'a': {'train/x': [(0, 1000.0), (1, 1.0)]}}, ('train/',), 'Terms')
    assert {'1', '10', '100', '1,000'} <= set(texts(drawing))
    plot = Plot.of(200, 100, (0, 1), limits([1.0, 100.0], log=True), top=0, bottom=0, log=True)
    assert isinstance(plot.y, LogScale)
    assert [plot.y(1.0) + plot.y(100.0), 2 * plot.y(10.0)] == pytest.approx([100.0, 100.0])
    assert LogScale(0.9, 6.0, 0.0, 1.0).ticks() == [1.0, 2.0, 5.0]


@pytest.mark.parametrize('count', [1, 3, 4])
def test_charts_stand_side_by_side_within_the_picture(count):
    history = {f'train/{number}': [(0, 1.0), (1, 2.0)] for number in range(count)}
    root = ElementTree.fromstring(metric_curves({'a': history}, ('train/',), 'Terms'))
    moved = [one.get('transform') for one in root if one.get('transform')]
    corners = [tuple(map(float, re.findall(r'[\d.]+', one))) for one in moved]
    assert len(set(corners)) == count
    assert all(x + 340 <= float(root.get('width')) for x, _ in corners)
    assert all(y + 180 <= float(root.get('height')) for _, y in corners)


def test_one_run_needs_no_legend():
    assert 'a' not in texts(metric_curves({'a': FIRST}, ('train/', 'other'), 'Terms'))


def test_colours_are_those_of_the_report():
    drawing = metric_curves({'a': FIRST}, ('train/',), 'Terms')
    style = ElementTree.fromstring(drawing).find(f'{SVG}style').text
    assert '--s0: #1d4ed8' in style
    assert '.chart .line {' in style
    assert set(re.findall(r'var\((--\w+)', style)) <= set(re.findall(r'(--\w+):', style))


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
    assert charts(metric_curves({'run': history}, ('train/',), 'Terms')) == {
        'a': ['run, 0: 2', 'run, 1: 1'],
        'b': ['run, 0: 3'],
    }
