"""Windows of coded texts, each compared with a reference."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from naics_embed.config.monitoring import MonitoringConfig
from naics_embed.errors import UserError
from naics_embed.monitoring.drift import Drift, compare_counts
from naics_embed.search.status import CODED
from naics_embed.taxonomy import canonical_code, official_code

EVERY = {'day': '1d', 'week': '1w', 'month': '1mo'}
"""Name of a window → its length for polars."""
CATEGORIES = ('sectors', 'codes', 'status')
NUMBERS = {
    'confidence': 'probability',
    'familiarity': 'familiarity',
    'length': 'words',
    'unknown words': 'unknown_words',
}
"""Name of a compared number → its column."""
QUANTITIES = (*CATEGORIES, *NUMBERS)


@dataclass(frozen=True)
class Window:
    """Coded texts of some time.

    Attributes:
        start: of the window; None where the texts have no time.
        rows: texts.
        confidence: mean probability of the best code.
        coded: fraction of texts whose best code passes the confidence.
        unknown_words: mean fraction of words that no known text has.
        familiarity: mean greatest cosine with a known text.
        drifts: quantity by quantity; none for a window of too few rows.
    """

    start: datetime | None
    rows: int
    confidence: float | None
    coded: float | None
    unknown_words: float | None
    familiarity: float | None
    drifts: tuple[Drift, ...] = ()

    @property
    def alarms(self) -> tuple[Drift, ...]:
        """What has changed."""
        return tuple(drift for drift in self.drifts if drift.alarm)


@dataclass(frozen=True)
class Monitoring:
    """All windows, compared with one reference.

    Attributes:
        reference_rows: texts of the reference.
        reference: what it is, in words.
        windows: in the order of time.
        skipped: names of quantities that could not be compared, as one of the two lacks them.
        bundles: those that gave the answers, oldest first.
    """

    reference_rows: int
    reference: str
    windows: tuple[Window, ...]
    skipped: tuple[str, ...]
    bundles: tuple[str, ...] = field(default=())

    @property
    def alarms(self) -> list[tuple[Window, Drift]]:
        """Every change, with its window."""
        return [(window, drift) for window in self.windows for drift in window.alarms]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = asdict(self)
        for window in plain['windows']:
            window['start'] = None if window['start'] is None else window['start'].isoformat()
        plain['alarms'] = len(self.alarms)
        return plain


def monitor(
    observations: pl.DataFrame,
    reference: pl.DataFrame,
    settings: MonitoringConfig,
    *,
    every: str | None = 'week',
    named: str = 'the reference',
) -> Monitoring:
    """Compare windows of coded texts with a reference, quantity by quantity.

    A quantity is in alarm where its index is larger than by chance, at a level that is shared by
    all quantities of the window, and at least ``settings.psi``.

    Args:
        observations: `naics_embed.monitoring.observations.SCHEMA`.
        reference: the same, of a time at which all was well.
        settings: when a change is reported.
        every: ``day``, ``week`` or ``month``; None for one window.
        named: what the reference is.

    Raises:
        UserError: there are too few texts in the reference, none to compare, or texts without a
            time where windows are wanted.
    """
    if len(reference) < settings.least_rows:
        raise UserError(
            f'{named} has {len(reference)} texts; at least {settings.least_rows} are needed '
            '(monitoring.least_rows)'
        )
    if observations.is_empty():
        raise UserError('there are no coded texts to compare')
    present = [name for name in QUANTITIES if _has(name, observations, reference)]
    windows = tuple(
        _window(start, frame, reference, present, settings)
        for start, frame in _windows(observations, every)
    )
    bundles = observations['bundle'].drop_nulls().unique(maintain_order=True).to_list()
    skipped = tuple(name for name in QUANTITIES if name not in present)
    return Monitoring(len(reference), named, windows, skipped, tuple(bundles))


def _windows(
    observations: pl.DataFrame, every: str | None
) -> list[tuple[datetime | None, pl.DataFrame]]:
    if every is None:
        return [(None, observations)]
    if every not in EVERY:
        raise UserError(f'a window is a {", a ".join(EVERY)}, not {every!r}')
    missing = observations['time'].null_count()
    if missing:
        raise UserError(
            f'{missing:,} of {len(observations):,} coded texts have no time: name the column with '
            '--time-column, or compare all at once with --every all'
        )
    starts = observations.with_columns(start=pl.col('time').dt.truncate(EVERY[every]))
    return [(group['start'][0], group) for group in starts.sort('start').partition_by('start')]


def _window(
    start: datetime | None,
    frame: pl.DataFrame,
    reference: pl.DataFrame,
    present: Sequence[str],
    settings: MonitoringConfig,
) -> Window:
    drifts: tuple[Drift, ...] = ()
    if len(frame) >= settings.least_rows:
        drifts = tuple(_drift(name, frame, reference, settings, len(present)) for name in present)
    return Window(
        start,
        len(frame),
        _mean(frame['probability']),
        _mean((frame['status'] == CODED).cast(pl.Float64)),
        _mean(frame['unknown_words']),
        _mean(frame['familiarity']),
        drifts,
    )


def _drift(
    name: str,
    frame: pl.DataFrame,
    reference: pl.DataFrame,
    settings: MonitoringConfig,
    quantities: int,
) -> Drift:
    if name in NUMBERS:
        column = NUMBERS[name]
        before, now = reference[column].drop_nulls(), frame[column].drop_nulls()
        edges = np.unique(np.quantile(before, np.linspace(0, 1, settings.bins + 1)[1:-1]))
        names = _ranges(edges)
        binned = [np.searchsorted(edges, part.to_numpy(), side='right') for part in (before, now)]
        counts = [np.bincount(part, minlength=len(names)) for part in binned]
    else:
        values = [_labels(name, part) for part in (reference, frame)]
        names = sorted(set(values[0]) | set(values[1]))
        index = {label: i for i, label in enumerate(names)}
        counts = [
            np.bincount([index[label] for label in labels], minlength=len(names))
            for labels in values
        ]
    return compare_counts(
        name,
        names,
        counts[0].astype(np.float64),
        counts[1].astype(np.float64),
        least_psi=settings.psi,
        alpha=settings.alpha / quantities,
        least_expected=settings.least_expected,
    )


def _labels(name: str, frame: pl.DataFrame) -> list[str]:
    if name == 'status':
        return frame['status'].drop_nulls().to_list()
    codes = frame['code'].drop_nulls().to_list()
    if name == 'codes':
        return codes
    return [official_code(canonical_code(code[:2])) for code in codes]


def _ranges(edges: np.ndarray) -> list[str]:
    shown = [f'{edge:.3g}' for edge in edges.tolist()]
    if not shown:
        return ['any']
    middle = [f'{low} to {high}' for low, high in pairwise(shown)]
    return [f'below {shown[0]}', *middle, f'{shown[-1]} and more']


def _has(name: str, observations: pl.DataFrame, reference: pl.DataFrame) -> bool:
    column = NUMBERS.get(name, 'status' if name == 'status' else 'code')
    return all(frame[column].null_count() < len(frame) for frame in (observations, reference))


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return None if mean is None else float(str(mean))
