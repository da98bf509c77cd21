"""Drift over time as one HTML file: nothing in it is fetched from elsewhere."""

from typing import Any

from markupsafe import Markup

from naics_embed.monitoring.compare import Monitoring, Window
from naics_embed.report import charts
from naics_embed.report.environment import environment

MEANS = {
    'confidence': 'Confidence',
    'coded': 'Share coded',
    'familiarity': 'Familiarity',
    'unknown_words': 'Unknown words',
}
"""Attribute of a window → title of its trend."""


def render_monitoring(result: Monitoring, name: str) -> str:
    """Return the windows and their changes as HTML in the style of the report of a run.

    Args:
        result: from `naics_embed.monitoring.compare.monitor`.
        name: of what was monitored.
    """
    judged = [window for window in result.windows if window.drifts]
    quantities = [drift.name for drift in judged[-1].drifts] if judged else []
    return (
        environment()
        .get_template('monitoring.html')
        .render(
            name=name,
            result=result,
            judged=judged,
            status='poor' if result.alarms else 'good' if judged else 'mixed',
            rows=sum(window.rows for window in result.windows),
            title_of=title_of,
            quantities=[_trend(quantity, judged) for quantity in quantities],
            means=[_means(key, title, result) for key, title in MEANS.items() if _has(key, result)],
        )
    )


def title_of(window: Window) -> str:
    """Return the name of a window: its first day, or "all"."""
    return 'all' if window.start is None else f'{window.start:%Y-%m-%d}'


def _trend(name: str, judged: list[Window]) -> dict[str, Any]:
    """Draw the index of a quantity over time, with what it stays below by chance."""
    found = [next(drift for drift in window.drifts if drift.name == name) for window in judged]
    index = [(float(i), drift.psi) for i, drift in enumerate(found)]
    chance = [(float(i), drift.by_chance) for i, drift in enumerate(found)]
    words = f'{name}: ' + ', '.join(
        f'{title_of(window)} {drift.psi:.3f}' for window, drift in zip(judged, found, strict=True)
    )
    return {
        'name': name,
        'last': found[-1],
        'alarms': sum(drift.alarm for drift in found),
        'chart': charts.lines(
            [
                charts.Series('index', index, 0),
                charts.Series('by chance', chance, 1, dots=False),
            ],
            x_label='window',
            y_label='PSI',
            words=words,
            y_range=(0.0, 1.1 * max(0.1, *(max(drift.psi, drift.by_chance) for drift in found))),
        ),
    }


def _has(key: str, result: Monitoring) -> bool:
    return any(getattr(window, key) is not None for window in result.windows)


def _means(key: str, title: str, result: Monitoring) -> dict[str, Any]:
    values = [
        (float(i), float(getattr(window, key)))
        for i, window in enumerate(result.windows)
        if getattr(window, key) is not None
    ]
    chart: Markup = charts.lines(
        [charts.Series(title, values, 0)],
        x_label='window',
        y_label='mean',
        words=f'{title}: ' + ', '.join(f'{value:.3f}' for _, value in values),
        y_range=(0.0, 1.0),
    )
    return {'title': title, 'chart': chart}
