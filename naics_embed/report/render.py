"""A report as one HTML file: nothing in it is fetched from elsewhere."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from naics_embed.config.report import ReportConfig
from naics_embed.redaction import redacted, without_folders
from naics_embed.report import charts, overview
from naics_embed.report import training_history as training_charts
from naics_embed.report.coder_section import coder_section
from naics_embed.report.contents import RunReport
from naics_embed.report.environment import environment
from naics_embed.report.shape_section import shape_section
from naics_embed.report.verdict import Verdict

PLACEHOLDERS = ('<!--map-->', '<!--promotion-->')
"""What `complete` replaces."""


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
        shape=shape_section(report),
        coder=coder_section(report, marks),
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
