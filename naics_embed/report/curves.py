"""Training metrics of one or several runs, side by side, as matplotlib figures."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naics_embed.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Plot

History = Mapping[str, Sequence[tuple[int, float]]]
"""Name of a metric → (epoch, value) in order."""

COLUMNS = 3
CELL = (4.0, 2.6)
WIDE_RANGE = 20.0
"""Positive values whose greatest exceeds the least by this factor are drawn on a log scale."""


def metric_curves(runs: Mapping[str, History], prefixes: Sequence[str], title: str) -> 'Plot':
    """Plot each metric of a kind in axes of its own, one line a run.

    A value that is logged again unchanged is drawn once: a run may log the last value of a
    validation metric in every epoch until the next validation.

    Args:
        runs: name of a run → its metrics.
        prefixes: what the names of the metrics begin with; ``train/`` and the like are not shown.
        title: title of the figure.

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
    rows = math.ceil(len(names) / columns)
    # Loaded where something is drawn.
    from matplotlib.figure import Figure

    plot = Figure(figsize=(CELL[0] * columns, CELL[1] * rows + 0.6), layout='constrained')
    grid = np.atleast_1d(plot.subplots(rows, columns, sharex=True)).reshape(-1)
    for axes, name in zip(grid, names, strict=False):
        _draw(axes, runs, name)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    # Shared axes have numbers in the last row only, of which some may be empty.
    for axes in grid[len(names) - columns : len(names)]:
        axes.tick_params(labelbottom=True)
    plot.suptitle(title)
    if len(runs) > 1:
        handles = [_line_of(run, index) for index, run in enumerate(runs)]
        plot.legend(handles=handles, loc='outside lower center', ncols=min(len(runs), 4))
    return plot


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


def _draw(axes: 'Axes', runs: Mapping[str, History], name: str) -> None:
    everything: list[float] = []
    for index, history in enumerate(runs.values()):
        points = measured(history.get(name, ()))
        if points:
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, color=f'C{index % 10}', marker='.', markersize=4)
            everything += values
    low, high = min(everything), max(everything)
    if low > 0 and high > WIDE_RANGE * low:
        axes.set_yscale('log')
    axes.set_title(name.rpartition('/')[2].replace('_', ' '), fontsize='medium')
    axes.set_xlabel('epoch')
    axes.grid(alpha=0.3)


def _line_of(run: str, index: int) -> object:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=f'C{index % 10}', label=run)
