"""Charts of calibration: reliability, and risk against coverage."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from naics_embed.report.charts import NARROW, TALL, WIDE, Series
from naics_embed.report.svg import Plot, element, label, picture

if TYPE_CHECKING:
    from naics_embed.metrics.selective import RiskCoverage
    from naics_embed.report.answers import Bin

FEW = 20
"""Answers below which a fraction says little; such bins are drawn hollow."""


def reliability_chart(bins: Sequence['Bin'], colour: int, words: str) -> Markup:
    """Draw accuracy against confidence, with 95 % intervals, above how many answers."""
    size = (NARROW, 300)
    plot = Plot.of(*size, (0.0, 1.0), (0.0, 1.0), bottom=90)
    fraction = [(tick / 5, f'{20 * tick}%') for tick in range(6)]
    drawn = [plot.axes('confidence', 'fraction right', x_ticks=fraction, y_ticks=fraction)]
    drawn.append(plot.path([(0.0, 0.0), (1.0, 1.0)], 'ideal'))
    most = max(one.answers for one in bins)
    for one in bins:
        x = plot.x(one.confidence)
        title = (
            f'confidence {one.low:.0%}–{one.high:.0%}: '
            f'{one.accuracy:.1%} of {one.answers:,} right, mean confidence {one.confidence:.1%}'
        )
        drawn.append(
            element('line', x1=x, x2=x, y1=plot.y(one.least), y2=plot.y(one.most), class_='whisker')
        )
        few = ' few' if one.answers < FEW else ''
        drawn.append(plot.dot(one.confidence, one.accuracy, f'dot s{colour}{few}', title, 5))
        left, right = plot.x(one.low), plot.x(one.high)
        tall = 34 * one.answers / most
        drawn.append(
            element(
                'rect',
                element('title', title),
                x=left + 1,
                y=296 - tall,
                width=right - left - 2,
                height=tall,
                class_=f'count s{colour}',
            )
        )
    drawn.append(plot.path([(b.confidence, b.accuracy) for b in bins], f'line s{colour}'))
    drawn.append(label(4, 262, 'answers', strong=True))
    return picture(*size, words, *drawn)


def risk_chart(curves: Sequence[tuple[str, int, 'RiskCoverage']], words: str) -> Markup:
    """Draw the error of the most confident answers by coverage, and that of a perfect order."""
    series, ideals = [], []
    for name, colour, curve in curves:
        fraction, risk = curve.coverage.tolist(), curve.risk.tolist()
        kept = _thinned(fraction)
        series.append(Series(name, [(fraction[i], risk[i]) for i in kept], colour, dots=False))
        wrong = risk[-1]
        grid = [at / 100 for at in range(1, 101)]
        ideals.append(
            (colour, [(at, max(0.0, (at - (1 - wrong)) / at)) for at in grid if at >= 1 - wrong])
        )
    size = (WIDE, TALL)
    top = max((y for one in series for _, y in one.points), default=1.0)
    plot = Plot.of(*size, (0.0, 1.0), (0.0, max(0.05, 1.05 * top)))
    ticks = [(tick / 5, f'{20 * tick}%') for tick in range(6)]
    up = [(value, f'{value:.0%}') for value in plot.y.ticks(4)]
    drawn = [
        plot.axes(
            'coverage: fraction of queries answered',
            'fraction wrong',
            x_ticks=ticks,
            y_ticks=up,
        )
    ]
    drawn += [plot.path(points, f'ideal s{colour}') for colour, points in ideals]
    drawn += [plot.path(one.points, f'line s{one.colour}') for one in series]
    return picture(*size, words, *drawn)


def _thinned(values: Sequence[float], count: int = 200) -> list[int]:
    """Return the indices of at most ``count`` values, the last among them."""
    step = max(1, math.ceil(len(values) / count))
    return sorted({*range(0, len(values), step), len(values) - 1})
