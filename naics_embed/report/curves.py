"""Training metrics of one or several runs, side by side, as one SVG for files and MLflow."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache

from markupsafe import Markup

from naics_embed.errors import UserError
from naics_embed.report.charts import CLASSES, LOW, NARROW, Series, lines
from naics_embed.report.environment import TEMPLATES
from naics_embed.report.svg import element, label

History = Mapping[str, Sequence[tuple[int, float]]]
"""Name of a metric → (epoch, value) in order."""

COLUMNS = 3
CELL = (NARROW, LOW + 30)
HEAD, NAME, LEGEND = 44, 22, 26
"""Heights of the title, of the name of a metric and of a run in the legend."""
WIDE_RANGE = 20.0
"""Positive values whose greatest exceeds the least by this factor are drawn on a log scale."""
DRAWN = re.compile(r'^(?:\.chart \.|\.s\d ).*$', re.MULTILINE)
VARIABLE = re.compile(r'^  (--[\w-]+): light-dark\((#\w+), #\w+\);$', re.MULTILINE)


def metric_curves(runs: Mapping[str, History], prefixes: Sequence[str], title: str) -> str:
    """Draw each metric of a kind in a chart of its own, one line a run, as a whole SVG file.

    A value that is logged again unchanged is drawn once: a run may log the last value of a
    validation metric in every epoch until the next validation.

    Args:
        runs: name of a run → its metrics.
        prefixes: what the names of the metrics begin with; ``train/`` and the like are not shown.
        title: title of the picture.

    Raises:
        UserError: no run has such a metric.
    """
    beginnings = tuple(prefixes)
    names = sorted(
        {name for history in runs.values() for name in history if name.startswith(beginnings)}
    )
    if not names:
        raise UserError(f'no metric of {", ".join(runs)} begins with {" or ".join(beginnings)}')
    columns = min(COLUMNS, len(names))
    across, down = CELL[0], CELL[1] + NAME
    legend = _legend(runs) if len(runs) > 1 else []
    width = across * columns
    height = HEAD + down * math.ceil(len(names) / columns) + LEGEND * len(legend)
    drawn = [
        element(
            'g',
            _chart(runs, name),
            transform=f'translate({at % columns * across} {HEAD + at // columns * down})',
        )
        for at, name in enumerate(names)
    ]
    drawn += [
        element('g', one, transform=f'translate(12 {height - LEGEND * (len(legend) - row)})')
        for row, one in enumerate(legend)
    ]
    return element(
        'svg',
        element('style', Markup(_style())),
        element('rect', width=width, height=height, class_='page'),
        label(12, 26, title, strong=True, class_='title'),
        *drawn,
        xmlns='http://www.w3.org/2000/svg',
        viewBox=f'0 0 {width} {height}',
        width=width,
        height=height,
        role='img',
        aria_label=f'{title}: {", ".join(map(_short, names))}',
        class_='chart',
    )


def by_metric(epochs: Sequence[Mapping[str, float]]) -> History:
    """Return the history of each metric, from the metrics of each epoch in order; finite ones."""
    history: dict[str, list[tuple[int, float]]] = {}
    for number, metrics in enumerate(epochs):
        for name, value in metrics.items():
            if math.isfinite(value):
                history.setdefault(name, []).append((number, value))
    return history


def measured(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points without repeats: the first, those that differ from the one before."""
    kept = list(points[:1])
    kept += [now for before, now in itertools.pairwise(points) if now[1] != before[1]]
    return kept


def _chart(runs: Mapping[str, History], name: str) -> Markup:
    series = [
        Series(run, [(float(epoch), value) for epoch, value in measured(history[name])], index)
        for index, (run, history) in enumerate(runs.items())
        if history.get(name)
    ]
    values = [value for one in series for _, value in one.points]
    low, high = min(values), max(values)
    words = f'{_short(name)}: from {low:.4g} to {high:.4g}'
    log = low > 0 and high > WIDE_RANGE * low
    chart = lines(series, x_label='epoch', y_label='', words=words, size=CELL, log=log)
    return element(
        'g',
        label(52, 14, _short(name), strong=True),
        element('g', chart, transform=f'translate(0 {NAME - 16})'),
    )


def _legend(runs: Mapping[str, History]) -> list[Markup]:
    return [
        element(
            'g',
            element('line', x1=0, x2=30, y1=10, y2=10, class_=f'line s{index % CLASSES}'),
            label(38, 14, run, strong=True),
        )
        for index, run in enumerate(runs)
    ]


def _short(name: str) -> str:
    return name.rpartition('/')[2].replace('_', ' ')


@cache
def _style() -> str:
    """Return the rules of the report's charts, in its light colours."""
    sheet = (TEMPLATES / 'style.css').read_text(encoding='utf-8')
    colours = '; '.join(f'{name}: {light}' for name, light in VARIABLE.findall(sheet))
    own = (
        f'svg {{ {colours}; font: 11.5px system-ui, sans-serif; }} '
        '.page { fill: var(--card); } .chart .title { font-size: 15px; font-weight: 600; }'
    )
    return '\n'.join([own, *DRAWN.findall(sheet)])
