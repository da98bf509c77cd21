"""Charts of the training history: terms, validation, curriculum, experts, refinement."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from naics_embed.report.charts import LOW, NARROW, TALL, WIDE, Series, lines
from naics_embed.report.contents import KINDS, RunReport, Training

TERMS = {
    'retrieval': 'query → code cross-entropy',
    'ancestors': 'the same at the levels above',
    'placement': 'a code is found by its own texts',
    'stress': 'distances fit the tree, drawn pairs',
    'near': 'distances fit the tree, near pairs',
    'dcl': 'decoupled contrast between codes',
    'hierarchy': 'correlation of distances with D*',
    'rank': 'order of distances by D*',
    'radial': 'radius by level',
    'cone': 'children in the cones of their parents',
    'offset': 'penalty on the codes’ own offsets',
    'balance': 'even load of the experts',
    'teacher': 'codes near the construction',
    'anchor': 'embeddings near the frozen ones',
    'distillation': 'answers as a classifier of the frozen texts gives them',
    'loss': 'weighted sum of all terms',
    'temperature': 'learned factor on the distance',
}
FIXED = ('loss', 'temperature')

MECHANISMS = {
    'weighted': ('Nearer negatives weigh more', 'fraction of negatives with a weight other than 1'),
    'siblings': ('Siblings are no negatives at first', 'fraction of negatives masked as siblings'),
    'hard': ('The nearest negatives are kept', 'fraction of negatives kept as nearest'),
    'router': ('Negatives that the gate confuses', 'fraction of negatives kept by the gate'),
    'false_negatives': ('False negatives by cluster', 'fraction of negatives found to be false'),
}
USERS = {'retrieval': 'queries', 'dcl': 'codes'}
"""Which term the negatives of a logged fraction belong to."""


@dataclass(frozen=True)
class Panel:
    """A small chart and what it shows.

    Attributes:
        name: heading.
        note: one line below it.
        chart: the drawing.
        legend: name and colour of each line.
    """

    name: str
    note: str
    chart: Markup
    legend: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class Mechanism:
    """The effect of a mechanism of the curriculum.

    Attributes:
        name: the mechanism.
        setting: how it was configured.
        did: its effect, in words.
        panel: its fraction by epoch; None where it never acted.
    """

    name: str
    setting: str
    did: str
    panel: Panel | None


def terms(training: Training, report: RunReport) -> list[Panel]:
    """Return a chart for each term that acted, the loss and the temperature."""
    names = [
        name
        for name in [*TERMS, *_others(training)]
        if any(f'train/{name}' in epoch for epoch in training.history)
    ]
    panels = []
    for name in names:
        points = _points(training, f'train/{name}')
        weight = _weight(report, name)
        note = TERMS.get(name, '')
        if weight is not None:
            note = f'{note}; weight {weight:g}' if note else f'weight {weight:g}'
        pull = _points(training, f'gradient/{name}')
        if pull:
            note = f'{note}; gradient norm from {pull[0][1]:.2g} to {pull[-1][1]:.2g}'
        begin, end = points[0][1], points[-1][1]
        words = f'{name}, {TERMS.get(name, "")}: from {begin:.4g} to {end:.4g}'
        panels.append(Panel(name, note, _line_chart([Series(name, points, 0)], training, words)))
    return panels


def validation(training: Training) -> list[Panel]:
    """Return charts of the validation metrics, at the epochs that were validated."""
    panels = []
    for metric, title in (('mrr', 'MRR'), ('top1', 'Top-1')):
        series = [
            Series(KINDS[kind], points, colour)
            for colour, kind in enumerate(KINDS)
            if (points := _points(training, f'validation/{kind}_{metric}'))
        ]
        if metric == 'mrr' and (mean := _points(training, 'validation/selection')):
            series.append(Series('what picks the epoch', mean, 3))
        if series:
            panels.append(_panel(f'{title} on validation', '', series, training, (WIDE, TALL)))
    spearman = _points(training, 'validation/spearman')
    if spearman:
        note = 'rank correlation with D*, on a sample of codes'
        panels.append(
            _panel(
                'Tree distances', note, [Series('Spearman', spearman, 0)], training, (WIDE, TALL)
            )
        )
    radius = [
        Series(name, points, colour)
        for colour, (name, key) in enumerate(
            {'5 %': 'radius_q05', 'median': 'radius_median', '95 %': 'radius_q95'}.items()
        )
        if (points := _points(training, f'health/{key}'))
    ]
    if radius:
        note = 'quantiles over the codes'
        panels.append(_panel('Radius of the codes', note, radius, training, (WIDE, TALL)))
    return panels


def epochs_table(training: Training) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the metrics of every epoch."""
    keys = sorted(
        {
            key
            for epoch in training.history
            for key in epoch
            if key.startswith(('train/', 'validation/'))
        }
    )
    rows = [
        [str(number), *(f'{epoch[key]:.4f}' if key in epoch else '' for key in keys)]
        for number, epoch in enumerate(training.history, start=1)
    ]
    return ['epoch', *keys], rows


def mechanisms(training: Training, report: RunReport) -> list[Mechanism]:
    """Return what each mechanism of the curriculum did; empty where the curriculum is off."""
    if not report.setting('curriculum.enabled'):
        return []
    settings = {
        'weighted': f'distance_exponent={report.setting("curriculum.distance_exponent")}',
        'siblings': f'mask_siblings={str(report.setting("curriculum.mask_siblings")).lower()}',
        'hard': f'hard={report.setting("curriculum.hard")}',
        'router': f'router={report.setting("curriculum.router")}',
        'false_negatives': f'false_negatives={report.setting("curriculum.false_negatives")}',
    }
    result = []
    for key, (name, note) in MECHANISMS.items():
        series = [
            Series(f'of {of}', points, colour)
            for colour, (user, of) in enumerate(USERS.items())
            if (points := _points(training, f'curriculum/{user}_{key}'))
        ]
        if not series:
            result.append(Mechanism(name, settings[key], 'It never acted.', None))
            continue
        did = '; '.join(
            f'{one.name}: in {sum(y > 0 for _, y in one.points)} epochs, '
            f'at most {max(y for _, y in one.points):.1%} of negatives'
            for one in series
        )
        panel = _panel(name, note, series, training, (NARROW, LOW + 30))
        result.append(Mechanism(name, settings[key], did, panel))
    return result


def phases(training: Training) -> list[tuple[int, int, int]]:
    """Return phase, first and last epoch (from 1) of each stretch of the curriculum."""
    stretches: list[tuple[int, int, int]] = []
    for number, epoch in enumerate(training.history, start=1):
        phase = epoch.get('curriculum/phase')
        if phase is None:
            continue
        if stretches and stretches[-1][0] == int(phase):
            stretches[-1] = (int(phase), stretches[-1][1], number)
        else:
            stretches.append((int(phase), number, number))
    return stretches


def expert_load(training: Training) -> Panel | None:
    """Return the fraction of channels that each expert got, by epoch; None without experts."""
    count = sum(key.startswith('curriculum/load_') for key in (training.history or [{}])[-1])
    if not count:
        return None
    series = [
        Series(f'expert {index + 1}', _points(training, f'curriculum/load_{index}'), index)
        for index in range(count)
    ]
    note = f'fraction of channels sent to each; even would be {1 / count:.3f}'
    return _panel('Load of the experts', note, series, training, (WIDE, TALL))


def refinement(history: Sequence[Mapping[str, float]], best: int | None = None) -> Panel | None:
    """Return the validation metrics of the graph stage by epoch; None where it left none."""
    names = {'selection': 'what picks the epoch', 'index_mrr': 'index entries, MRR'}
    names |= {'plain_mrr': 'plain language, MRR', 'spearman': 'Spearman with D*'}
    series = [
        Series(name, [(float(i), epoch[key]) for i, epoch in enumerate(history) if key in epoch], c)
        for c, (key, name) in enumerate(names.items())
        if any(key in epoch for epoch in history)
    ]
    if not series:
        return None
    words = '; '.join(
        f'{one.name}: {one.points[0][1]:.3f} to {one.points[-1][1]:.3f}' for one in series
    )
    chart = lines(
        series, x_label='epoch of the graph stage; 0 is the text table', y_label='', words=words
    )
    note = 'on validation'
    return Panel('Refinement over the graph', note, chart, [(s.name, s.colour) for s in series])


def _panel(
    name: str,
    note: str,
    series: Sequence[Series],
    training: Training,
    size: tuple[float, float],
) -> Panel:
    words = f'{name}. ' + '; '.join(
        f'{one.name}: {one.points[0][1]:.3f} at first, {one.points[-1][1]:.3f} at last'
        for one in series
    )
    chart = _line_chart(series, training, words, size)
    legend = [(one.name, one.colour) for one in series] if len(series) > 1 else []
    return Panel(name, note, chart, legend)


def _line_chart(
    series: Sequence[Series],
    training: Training,
    words: str,
    size: tuple[float, float] = (NARROW, LOW + 30),
) -> Markup:
    last = len(training.history)
    head_only = training.head_only_epochs
    shade = (0.5, head_only + 0.5, 'frozen embeddings') if 0 < head_only < last else None
    return lines(
        series,
        x_label='epoch',
        y_label='',
        words=words,
        size=size,
        x_range=(0.5, last + 0.5),
        shade=shade,
        best=training.best_epoch + 1.0,
    )


def _points(training: Training, key: str) -> list[tuple[float, float]]:
    """Return epoch, from 1, and metric; epochs without validation have none of its metrics."""
    return [
        (float(number), epoch[key])
        for number, epoch in enumerate(training.history, start=1)
        if math.isfinite(epoch.get(key, math.nan))
    ]


def _others(training: Training) -> list[str]:
    """Return the names of logged terms that are not known here."""
    logged = {
        key.removeprefix('train/')
        for epoch in training.history
        for key in epoch
        if key.startswith('train/')
    }
    return sorted(logged - set(TERMS))


def _weight(report: RunReport, name: str) -> Any:
    if name in FIXED:
        return None
    if name == 'distillation' and not report.setting('objective.distillation.weight'):
        return report.setting('training.head_only.distillation')
    if name == 'near':
        stress, near = (
            report.setting('objective.stress.weight'),
            report.setting('objective.stress.near_weight'),
        )
        return None if stress is None or near is None else stress * near
    if name == 'ancestors':
        return report.setting('objective.retrieval.ancestor_credit')
    return report.setting(f'objective.{name}.weight')
