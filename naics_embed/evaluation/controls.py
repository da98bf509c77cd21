"""Whether a graph stage adds anything: its table beside controls, over several seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

TEXT = 'A'
CONTROLS = {
    'A': 'text table as it is',
    'B': 'text stage trained longer',
    'C': 'smoothed between parent and child',
    'D': 'HGCN',
    'E': 'HGCN on shuffled text',
    'F': 'construction alone',
}

Metrics = Mapping[str, float | None]


@dataclass(frozen=True)
class Cell:
    """One metric of one control.

    Attributes:
        control: a key of `CONTROLS`.
        metric: key of the metric.
        seeds: number of seeds with a value.
        mean: mean over seeds; NaN without any.
        deviation: standard deviation over seeds; NaN below two.
        gain: mean over seeds of the difference to the text table of the same seed.
        gain_deviation: standard deviation of that difference; NaN below two seeds.
    """

    control: str
    metric: str
    seeds: int
    mean: float
    deviation: float
    gain: float
    gain_deviation: float

    @property
    def gain_error(self) -> float:
        """Standard error of the gain, over seeds."""
        return self.gain_deviation / math.sqrt(self.seeds) if self.seeds else math.nan


def summarise(
    runs: Mapping[str, Mapping[int, Metrics]], metrics: Sequence[str]
) -> dict[str, dict[str, Cell]]:
    """Summarise the seeds of each control.

    Args:
        runs: control → seed → metrics. The text table, ``A``, must be there.
        metrics: keys of the metrics.

    Returns:
        control → metric → `Cell`.
    """
    table: dict[str, dict[str, Cell]] = {}
    for control, seeds in runs.items():
        table[control] = {}
        for metric in metrics:
            values = {seed: _value(of_seed, metric) for seed, of_seed in seeds.items()}
            measured = {seed: value for seed, value in values.items() if value is not None}
            gains = [
                value - before
                for seed, value in measured.items()
                if (before := _value(runs[TEXT].get(seed, {}), metric)) is not None
            ]
            table[control][metric] = Cell(
                control,
                metric,
                len(measured),
                mean(measured.values()) if measured else math.nan,
                stdev(measured.values()) if len(measured) > 1 else math.nan,
                mean(gains) if gains else math.nan,
                stdev(gains) if len(gains) > 1 else math.nan,
            )
    return table


def findings(
    table: Mapping[str, Mapping[str, Cell]], subject: str, against: str, errors: float
) -> dict[str, list[str]]:
    """Sort the metrics by whether one control gained more than another.

    Args:
        table: from `summarise`.
        subject: the control in question, such as ``D``.
        against: the control that it must beat.
        errors: standard errors of the difference of gains that count as a difference.

    Returns:
        ``better``, ``worse`` and ``level`` → metrics. Where the spread over seeds is unknown
        (fewer than two), a metric is level.
    """
    result: dict[str, list[str]] = {'better': [], 'worse': [], 'level': []}
    for metric, cell in table[subject].items():
        other = table[against][metric]
        error = math.hypot(cell.gain_error, other.gain_error if against != TEXT else 0.0)
        change = cell.gain - (other.gain if against != TEXT else 0.0)
        if math.isnan(change) or math.isnan(error) or abs(change) <= errors * error:
            result['level'].append(metric)
        else:
            result['better' if change > 0 else 'worse'].append(metric)
    return result


def sentence(
    table: Mapping[str, Mapping[str, Cell]], subject: str, against: str, errors: float
) -> str:
    """Return the result of `findings` as one sentence."""
    sorted_metrics = findings(table, subject, against, errors)
    parts = [
        f'{word} on {", ".join(sorted_metrics[word])}'
        for word in ('better', 'worse')
        if sorted_metrics[word]
    ]
    seeds = max((cell.seeds for cell in table[subject].values()), default=0)
    verdict = ' and '.join(parts) if parts else 'no difference on any metric'
    return (
        f'Over {seeds} seed{"s" if seeds != 1 else ""}, {CONTROLS[subject]} ({subject}) against '
        f'{CONTROLS[against]} ({against}): {verdict}.'
    )


def _value(metrics: Metrics, name: str) -> float | None:
    value = metrics.get(name)
    return value if value is not None and math.isfinite(value) else None
