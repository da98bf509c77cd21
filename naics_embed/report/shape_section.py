"""The section of the report on the shape of the space."""

from typing import Any

import numpy as np

from naics_embed.report import charts, png, shape
from naics_embed.report.contents import CodeTable, RunReport
from naics_embed.report.svg import number

NEAREST = 8
"""Pairs of codes of two sectors that lie nearest to each other."""


def shape_section(report: RunReport) -> dict[str, Any] | None:
    """Return radii, distances by tree distance and the maps of groups; None without a table."""
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
