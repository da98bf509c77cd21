"""The charts of a report, drawn from plain numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from naics_embed.report.svg import Plot, Scale, element, label, limits, number, picture

if TYPE_CHECKING:
    from naics_embed.report.shape import StepDistances

WIDE, NARROW, TALL, LOW = 520, 340, 260, 150
BAR = (320, 34)
CLASSES = 7
"""Colours of series in the style sheet, ``s0`` to ``s6``; each has a dash of its own."""


@dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        name: of the line.
        points: ``(x, y)``.
        colour: index of the colour.
        dots: whether each point is marked.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    dots: bool = True


def bar(
    value: float,
    marks: Mapping[str, float],
    *,
    second: float | None = None,
    ceiling: float | None = None,
    words: str,
) -> Markup:
    """Draw a fraction from 0 to 1 as a bar.

    Args:
        value: length of the bar.
        marks: name → baseline, a tick each.
        second: a thinner bar below.
        ceiling: where the bar would end at best.
        words: what is read out.
    """
    width, height = BAR
    x = Scale(0.0, 1.0, 4.0, width - 4.0)
    drawn = [_bar(x, 4, 16, 1.0, 'track'), _bar(x, 4, 16, value, 'fill')]
    if second is not None:
        drawn += [_bar(x, 24, 6, 1.0, 'track'), _bar(x, 24, 6, second, 'fill second')]
    for name, baseline in marks.items():
        at = x(min(1.0, max(0.0, baseline)))
        title = element('title', f'{name} {baseline:.3f}')
        for class_ in ('halo', 'mark'):
            drawn.append(element('line', title, x1=at, x2=at, y1=1, y2=23, class_=class_))
    if ceiling is not None:
        at = x(min(1.0, ceiling))
        corners = f'{at - 5:g},0 {at + 5:g},0 {at:g},7'
        drawn.append(
            element(
                'polygon', element('title', f'ceiling {ceiling:.3f}'), points=corners, class_='top'
            )
        )
    return picture(width, height, words, *drawn)


def _bar(x: Scale, y: float, height: float, value: float, class_: str) -> Markup:
    length = max(0.0, x(min(1.0, value)) - x.begin)
    return element('rect', x=x.begin, y=y, width=length, height=height, rx=3, class_=class_)


def lines(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    words: str,
    size: tuple[float, float] = (WIDE, TALL),
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    shade: tuple[float, float, str] | None = None,
    best: float | None = None,
    log: bool = False,
) -> Markup:
    """Draw lines.

    Args:
        series: the lines.
        x_label: name of the horizontal axis.
        y_label: name of the vertical axis.
        words: what is read out.
        size: in pixels.
        x_range: of the horizontal axis; from the points where None.
        y_range: of the vertical axis; from the points where None.
        shade: begin, end and name of a shaded part of the horizontal axis.
        best: a marked value on the horizontal axis.
        log: whether the vertical axis is logarithmic.
    """
    every = [point for one in series for point in one.points]
    across = x_range or limits([x for x, _ in every])
    plot = Plot.of(*size, across, y_range or limits([y for _, y in every], log=log), log=log)
    drawn = [*_shade(plot, shade), plot.axes(x_label, y_label)]
    if best is not None:
        at = plot.x(best)
        drawn.append(element('line', x1=at, x2=at, y1=plot.y.begin, y2=plot.y.end, class_='best'))
    for one in series:
        drawn.append(plot.path(one.points, f'line s{one.colour % CLASSES}'))
        if one.dots:
            drawn += [
                plot.dot(x, y, f'dot s{one.colour % CLASSES}', f'{one.name}, {number(x)}: {y:.4g}')
                for x, y in one.points
                if math.isfinite(y)
            ]
    return picture(*size, words, *drawn)


def _shade(plot: Plot, shade: tuple[float, float, str] | None) -> list[Markup]:
    if shade is None:
        return []
    begin, end, name = shade
    left, right = plot.x(begin), plot.x(end)
    return [
        element(
            'rect',
            x=left,
            y=plot.y.end,
            width=max(0.0, right - left),
            height=plot.y.begin - plot.y.end,
            class_='shade',
        ),
        label(left + 2, plot.y.end - 5, name, class_='faint'),
    ]


def steps(by_step: Sequence['StepDistances'], scale: float, words: str) -> Markup:
    """Draw the geodesic distance by tree distance: 5–95 %, the middle half, the median."""
    size = (WIDE, TALL)
    greatest = max(step.quantiles[-1] for step in by_step)
    across = (0.0, max(step.step for step in by_step) + 0.7)
    plot = Plot.of(*size, across, (0.0, 1.05 * greatest))
    ticks = [(float(step.step), str(step.step)) for step in by_step]
    drawn = [plot.axes('tree distance D*', 'geodesic distance', x_ticks=ticks)]
    end = min(across[1], 1.05 * greatest / scale) if scale > 0 else across[1]
    drawn.append(plot.path([(0.0, 0.0), (end, scale * end)], 'ideal'))
    for step in by_step:
        low, lower, middle, upper, high = step.quantiles
        title = f'D* {step.step}: {step.pairs:,} pairs, median {middle:.2f}'
        drawn.append(_box(plot, step.step, (low, lower, middle, upper, high), 9, title))
    return picture(*size, words, *drawn)


def _box(
    plot: Plot,
    at: float,
    quantiles: tuple[float, float, float, float, float],
    half: float,
    title: str,
) -> Markup:
    low, lower, middle, upper, high = (plot.y(value) for value in quantiles)
    x = plot.x(at)
    return element(
        'g',
        element('title', title),
        element('line', x1=x, x2=x, y1=low, y2=high, class_='whisker'),
        element(
            'rect',
            x=x - half,
            y=upper,
            width=2 * half,
            height=max(1.0, lower - upper),
            rx=2,
            class_='box',
        ),
        element('line', x1=x - half, x2=x + half, y1=middle, y2=middle, class_='median'),
    )


def radius_chart(radii: Mapping[int, tuple[np.ndarray, np.ndarray]], words: str) -> Markup:
    """Draw the radii of each level: density of the supervised codes, a dot for each hidden one."""
    size = (WIDE, TALL)
    every = np.concatenate([np.concatenate(pair) for pair in radii.values()])
    plot = Plot.of(*size, (0.4, len(radii) + 0.6), (0.0, 1.08 * float(every.max())))
    ticks = [(float(i), f'{level} digits') for i, level in enumerate(radii, start=1)]
    drawn = [plot.axes('', 'distance from the origin', x_ticks=ticks)]
    for column, (level, (supervised, hidden)) in enumerate(radii.items(), start=1):
        if len(supervised):
            bins = max(4, min(24, len(supervised) // 4))
            counts, edges = np.histogram(supervised, bins=bins)
            middle = (edges[:-1] + edges[1:]) / 2
            half = 0.4 * counts / counts.max()
            at = float(np.median(supervised))
            title = f'{level} digits: {len(supervised)} codes, median {at:.3f}'
            outline = [(column - h, r) for h, r in zip(half, middle, strict=True)]
            outline += [(column + h, r) for h, r in zip(half[::-1], middle[::-1], strict=True)]
            corners = ' '.join(f'{plot.x(x):.1f},{plot.y(y):.1f}' for x, y in outline)
            drawn.append(
                element('polygon', element('title', title), points=corners, class_='violin')
            )
            drawn.append(plot.path([(column - 0.25, at), (column + 0.25, at)], 'median'))
        spread = np.linspace(-0.3, 0.3, len(hidden)) if len(hidden) > 1 else [0.0] * len(hidden)
        drawn += [
            plot.dot(column + shift, float(r), 'dot hidden', f'hidden: {r:.3f}', 2)
            for shift, r in zip(spread, hidden, strict=True)
        ]
    return picture(*size, words, *drawn)


def matrix(
    address: str, sectors: Sequence[tuple[float, float, str]], words: str, size: float = NARROW
) -> Markup:
    """Frame a picture of a matrix with the sectors along both sides.

    Args:
        address: of the picture.
        sectors: begin and end of each sector as fractions, and its name.
        words: what is read out.
        size: pixels of the picture's side.
    """
    left, top = 30.0, 18.0
    width = size - left - 4
    drawn = [
        element(
            'image',
            href=address,
            x=left,
            y=top,
            width=width,
            height=width,
            class_='pixels',
            preserveAspectRatio='none',
        )
    ]
    last = -math.inf
    for begin, end, name in sectors:
        middle, edge = (begin + end) / 2 * width, end * width
        for x1, x2, y1, y2 in (
            (left + edge, left + edge, top - 4, top),
            (left - 4, left, top + edge, top + edge),
        ):
            drawn.append(element('line', x1=x1, x2=x2, y1=y1, y2=y2, class_='axis'))
        if middle - last >= 11:
            last = middle
            drawn.append(label(left - 6, top + middle + 3, name, anchor='end', class_='small'))
            if end - begin > 0.045:
                drawn.append(label(left + middle, top - 6, name, anchor='middle', class_='small'))
    return picture(size, top + width + 4, words, *drawn)


def key(anchors: Sequence[str], low: str, high: str, name: str) -> Markup:
    """Draw the key of a picture's colours."""
    stops = [
        element('stop', offset=f'{100 * index / (len(anchors) - 1):.0f}%', stop_color=colour)
        for index, colour in enumerate(anchors)
    ]
    identity = f'key-{name.replace(" ", "-")}'
    return picture(
        NARROW,
        30,
        f'{name}: from {low} to {high}',
        element('defs', element('linearGradient', *stops, id=identity)),
        element('rect', x=30, y=2, width=NARROW - 34, height=9, fill=f'url(#{identity})'),
        label(30, 25, low),
        label(NARROW - 4, 25, high, anchor='end'),
        label(NARROW / 2 + 13, 25, name, anchor='middle'),
    )


def horizontal(
    rows: Sequence[tuple[str, float, float | None]], words: str, ceiling: float | None = None
) -> Markup:
    """Draw named bars with two standard errors.

    Args:
        rows: name, value and standard error.
        words: what is read out.
        ceiling: a line that no bar can pass.
    """
    left, height = 150.0, 26
    most = max([value for _, value, _ in rows] + [ceiling or 0.0, 1e-9])
    x = Scale(0.0, most, left, WIDE - 64.0)
    drawn = []
    for row, (name, value, error) in enumerate(rows):
        y = 6 + row * height
        end = x(max(0.0, value))
        drawn.append(label(left - 8, y + 13, name, anchor='end'))
        drawn.append(
            element('rect', x=left, y=y, width=max(1.0, end - left), height=16, rx=3, class_='fill')
        )
        if error is not None:
            low, high = x(max(0.0, value - 2 * error)), x(min(most, value + 2 * error))
            drawn.append(element('line', x1=low, x2=high, y1=y + 8, y2=y + 8, class_='whisker'))
            end = max(end, high)
        drawn.append(label(end + 6, y + 13, number(value)))
    tall = 10 + height * len(rows)
    if ceiling is not None:
        at = x(ceiling)
        drawn.append(element('line', x1=at, x2=at, y1=2, y2=tall - 4, class_='best'))
    return picture(WIDE, tall, words, *drawn)
