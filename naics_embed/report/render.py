"""A report as one HTML file: nothing in it is fetched from elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from naics_embed.config.report import ReportConfig
from naics_embed.redaction import redacted, without_folders
from naics_embed.report import answers as ans
from naics_embed.report import (
    charts,
    overview,
    png,
    shape,
    trust_charts,
)
from naics_embed.report import training_history as training_charts
from naics_embed.report.contents import KINDS, CodeTable, RunReport
from naics_embed.report.environment import TEMPLATES as TEMPLATES
from naics_embed.report.environment import environment
from naics_embed.report.svg import number
from naics_embed.report.verdict import Verdict
from naics_embed.taxonomy import LEVELS, official_code

PLACEHOLDERS = ('<!--map-->', '<!--promotion-->')
"""What `complete` replaces."""
NEAREST = 8
COVERAGES = (0.5, 0.8, 0.9, 1.0)


def render(report: RunReport, verdict: Verdict, marks: ReportConfig) -> str:
    """Return the report as HTML; a part that the run did not leave is named as missing.

    Args:
        report: what to show.
        verdict: from `checks.judge`.
        marks: how much to show, and the marks of the verdict.
    """
    page = environment().get_template('report.html')
    return page.render(
        report=report,
        summary_line=_summary_line(report),
        verdict=verdict,
        marks=marks,
        answers=overview.answers(report),
        space=overview.space(report),
        history=_history(report),
        shape=_shape(report),
        coder=_coder(report, marks),
        candidates=_candidates(report),
        regression=_regression(report),
        settings=_flat(report.configuration),
    )


def complete(
    html: str, *, promotion: Mapping[str, Any] | None = None, map_href: str | None = None
) -> str:
    """Fill in what is known only after the report was made.

    Args:
        html: from `render`.
        promotion: ``promoted``, ``reason`` and ``rows`` of the comparison with the table in use.
        map_href: address of the interactive map, relative to the report.
    """
    parts: Any = environment().get_template('parts.html').module
    chart_map = parts.map_link(map_href) if map_href else Markup('')
    decided = parts.promotion(promotion) if promotion else Markup('')
    for placeholder, content in zip(PLACEHOLDERS, (chart_map, decided), strict=True):
        html = html.replace(placeholder, str(content), 1)
    return html


def _summary_line(report: RunReport) -> str:
    """Say in one line which run this is."""
    dim, seed = report.setting('model.dim'), report.setting('runtime.seed')
    facts = report.provenance.facts
    parts = [
        f'profile {facts["profile"]}' if 'profile' in facts else None,
        f'source {report.provenance.source["kind"]}' if report.provenance.source else None,
        None if report.table is None else f'{len(report.table.taxonomy):,} codes',
        None if dim is None else f'{dim} dimensions',
        None if seed is None else f'seed {seed}',
        f'revision {facts["revision"]}' if 'revision' in facts else None,
        facts.get('computed'),
    ]
    return ' · '.join(part for part in parts if part)


def _history(report: RunReport) -> dict[str, Any] | None:
    training = report.training
    if training is None or not training.history:
        return None
    head, rows = training_charts.epochs_table(training)
    return {
        'terms': training_charts.terms(training, report),
        'validation': training_charts.validation(training),
        'mechanisms': training_charts.mechanisms(training, report),
        'phases': training_charts.phases(training),
        'experts': training_charts.expert_load(training),
        'head': head,
        'rows': rows,
    }


def _shape(report: RunReport) -> dict[str, Any] | None:
    table = report.table
    if table is None:
        return None
    away = shape.distances(table)
    groups = shape.group_distances(table, away)
    steps = shape.distances_by_step(table, away)
    radii = shape.radii(table)
    medians = ', '.join(
        f'{level} digits {np.median(np.concatenate(pair)):.2f}' for level, pair in radii.items()
    )
    return {
        'radius': charts.radius_chart(radii, f'Radius by level; medians: {medians}'),
        'steps': steps,
        'steps_chart': charts.steps(
            steps,
            groups.scale,
            'Geodesic distance by tree distance; medians: '
            + ', '.join(f'D* {step.step}: {step.quantiles[2]:.2f}' for step in steps),
        ),
        'maps': _maps(table, groups),
        'near': shape.near_across_sectors(table, groups, NEAREST),
        'scale': groups.scale,
        'groups': len(groups.groups),
    }


def _maps(table: CodeTable, groups: shape.GroupDistances) -> list[dict[str, Any]]:
    sectors = _sector_spans(table, groups.groups)
    drawn = []
    for name, values, words in (
        ('Geodesic distance', groups.geodesic, 'mean geodesic distance'),
        ('Tree distance D*', groups.tree, 'mean tree distance, the ground truth'),
    ):
        top = float(values.max())
        drawn.append(
            {
                'name': name,
                'chart': charts.matrix(
                    png.heatmap(values, 0.0, top, png.SEQUENTIAL),
                    sectors,
                    f'Heatmap: {words} of four-digit groups, from 0 to {top:.2f}',
                ),
                'key': charts.key(
                    png.SEQUENTIAL, '0', number(round(top, 2)), name[0].lower() + name[1:]
                ),
            }
        )
    excess = groups.excess
    reach = float(np.quantile(np.abs(excess), 0.99)) or 1.0
    drawn.append(
        {
            'name': 'Farther or nearer than the tree says',
            'chart': charts.matrix(
                png.heatmap(excess, -reach, reach, png.DIVERGING),
                sectors,
                f'Heatmap: geodesic distance less {groups.scale:.3f} times D*, '
                f'from {-reach:.2f} to {reach:.2f}',
            ),
            'key': charts.key(
                png.DIVERGING, f'{-reach:.2f} nearer', f'farther {reach:.2f}', 'difference'
            ),
        }
    )
    return drawn


def _sector_spans(table: CodeTable, groups: np.ndarray) -> list[tuple[float, float, str]]:
    sector = table.taxonomy.sector[groups]
    spans = []
    for index in dict.fromkeys(sector.tolist()):
        inside = np.flatnonzero(sector == index)
        begin, end = inside[0] / len(groups), (inside[-1] + 1) / len(groups)
        spans.append((float(begin), float(end), table.taxonomy.codes[index]))
    return spans


def _coder(report: RunReport, marks: ReportConfig) -> dict[str, Any] | None:
    table, predictions = report.table, report.predictions
    if table is None or predictions is None:
        return None
    rows = ans.supervised_answers(predictions, report.split)
    if rows.is_empty():
        return None
    kinds = {kind: part for kind in KINDS if len(part := rows.filter(rows['kind'] == kind))}
    colours = {kind: index for index, kind in enumerate(KINDS)}
    curves = [(KINDS[kind], colours[kind], ans.selective(part)) for kind, part in kinds.items()]
    confusion = ans.confusion(rows, table)
    return {
        'reliability': [
            {
                'name': KINDS[kind],
                'answers': len(part),
                'bins': (bins := ans.reliability(part, marks.bins)),
                'chart': trust_charts.reliability_chart(
                    bins,
                    colours[kind],
                    f'Reliability, {KINDS[kind]}: '
                    + ', '.join(f'{b.accuracy:.0%} right at {b.confidence:.0%}' for b in bins),
                ),
            }
            for kind, part in kinds.items()
        ],
        'risk': trust_charts.risk_chart(
            curves,
            'Fraction wrong by fraction answered: '
            + '; '.join(f'{name} {curve.risk[-1]:.1%} wrong of all' for name, _, curve in curves),
        ),
        'legend': [(name, colour) for name, colour, _ in curves],
        'selective': _selective_rows(curves),
        'levels': _level_rows(report, kinds),
        'confusion': _confusion_rows(confusion, table),
        'confused': [
            (table.name(right), table.name(answered), count)
            for right, answered, count in confusion.worst(NEAREST)
        ],
        'sectors': [(official_code(code), table.name(code)) for code in confusion.sectors],
        'errors': ans.worst_errors(rows, table, marks.errors),
        'wrong': int((~rows[f'right_{LEVELS[-1]}']).sum()),
        'answers': len(rows),
        'kinds': KINDS,
    }


def _selective_rows(curves: Sequence[tuple[str, int, Any]]) -> list[tuple[str, list[str]]]:
    """Return the accuracy of each kind of query at each coverage."""
    from naics_embed.metrics.selective import accuracy_at_coverage

    return [
        (name, [f'{accuracy_at_coverage(curve, fraction):.1%}' for fraction in COVERAGES])
        for name, _, curve in curves
    ]


def _level_rows(report: RunReport, kinds: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return accuracy and mean confidence at each level of the tree."""
    return [
        {
            'level': level,
            'name': ans.RANGES[level],
            'cells': [
                (
                    f'{100 * float(part[f"right_{level}"].mean()):.1f}',
                    f'{100 * float(part[f"confidence_{level}"].mean()):.1f}',
                )
                for part in kinds.values()
            ],
        }
        for level in LEVELS
    ]


def _confusion_rows(confusion: ans.Confusion, table: CodeTable) -> list[dict[str, Any]]:
    rows = []
    for row, code in enumerate(confusion.sectors):
        counts = confusion.counts[row]
        total = int(counts.sum())
        rows.append(
            {
                'code': official_code(code),
                'name': table.titles[table.taxonomy.index(code)],
                'total': total,
                'cells': [
                    {
                        'count': int(n),
                        'fraction': n / total if total else 0.0,
                        'right': row == column,
                    }
                    for column, n in enumerate(counts)
                ],
            }
        )
    return rows


def _candidates(report: RunReport) -> dict[str, Any] | None:
    if report.selection is None or not report.candidates:
        return None
    comparisons = report.selection.get('comparisons', [])
    metrics = list(dict.fromkeys(row['metric'] for row in comparisons))
    outcome = {(row['challenger'], row['metric']): row for row in comparisons}
    verdicts = report.selection.get('verdicts', [])
    named = [name for one in verdicts for name in (one['incumbent'], one['challenger'])]
    tables = list(dict.fromkeys([*named, *report.candidates]))
    return {
        'tables': tables,
        'champion': report.selection['champion'],
        'verdicts': verdicts,
        'rows': [
            (
                metric,
                [
                    (report.candidates[name].get(metric), outcome.get((name, metric)))
                    for name in tables
                ],
            )
            for metric in metrics
        ],
        'refinement': training_charts.refinement(report.refinement),
    }


def _regression(report: RunReport) -> dict[str, Any] | None:
    metrics = report.regression
    names = list(dict.fromkeys(key.partition('/')[0] for key in metrics))
    rows = [
        (
            name.replace('_', ' '),
            metrics[f'{name}/held_out_r2']['value'],
            metrics.get(f'{name}/held_out_r2_se', {}).get('value'),
        )
        for name in names
        if metrics.get(f'{name}/held_out_r2', {}).get('value') is not None
    ]
    if not rows:
        return None
    ceiling = next((f['reference'] for f in metrics.values() if f['reference'] is not None), None)
    words = 'R² of families held out: ' + ', '.join(f'{n} {v:.3f}' for n, v, _ in rows)
    return {'chart': charts.horizontal(rows, words, ceiling), 'rows': rows, 'ceiling': ceiling}


def _flat(values: Mapping[str, Any], prefix: str = '') -> list[tuple[str, str]]:
    result: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            result += _flat(value, f'{prefix}{name}.')
        else:
            result.append((f'{prefix}{name}', without_folders(redacted(str(value)))))
    return result
