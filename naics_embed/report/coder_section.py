"""The section of the report on the answers of the coder."""

from collections.abc import Mapping, Sequence
from typing import Any

from naics_embed.config.report import ReportConfig
from naics_embed.report import answers as ans
from naics_embed.report import trust_charts
from naics_embed.report.contents import KINDS, CodeTable, RunReport
from naics_embed.taxonomy import LEVELS, official_code

CONFUSED = 8
"""Pairs of codes that are listed as confused most often."""
COVERAGES = (0.5, 0.8, 0.9, 1.0)


def coder_section(report: RunReport, marks: ReportConfig) -> dict[str, Any] | None:
    """Return reliability, risk, confusions and errors of the coder; None without predictions.

    Args:
        report: what to show.
        marks: how much to show.
    """
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
            for right, answered, count in confusion.worst(CONFUSED)
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
