"""Statistics of the coder's answers: calibration, selectivity, confusion, errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from naics_embed.taxonomy import LEVELS

if TYPE_CHECKING:
    from naics_embed.metrics.selective import RiskCoverage
    from naics_embed.report.contents import CodeTable

LEAF = LEVELS[-1]
NORMAL_95 = 1.959964
RANGES = {2: 'sector', 3: 'subsector', 4: 'industry group', 5: 'industry', 6: 'code'}


@dataclass(frozen=True)
class Bin:
    """Answers of about one confidence.

    Attributes:
        low: least confidence.
        high: greatest confidence.
        confidence: mean confidence.
        accuracy: fraction right.
        least: lower end of the 95 % interval of ``accuracy`` (Wilson 1927).
        most: its upper end.
        answers: how many.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    least: float
    most: float
    answers: int


@dataclass(frozen=True)
class Confusion:
    """Where the answers to queries of each sector lie.

    Attributes:
        sectors: canonical codes.
        counts: int64 ``(s, s)``, right sector by answered sector.
    """

    sectors: Sequence[str]
    counts: np.ndarray

    def worst(self, count: int) -> list[tuple[str, str, int]]:
        """Return the commonest pairs of right and answered sector that differ."""
        off = self.counts.copy()
        np.fill_diagonal(off, 0)
        order = np.argsort(-off, axis=None, kind='stable')[:count]
        rows, columns = np.unravel_index(order, off.shape)
        return [
            (self.sectors[row], self.sectors[column], int(off[row, column]))
            for row, column in zip(rows, columns, strict=True)
            if off[row, column]
        ]


def supervised_answers(predictions: pl.DataFrame, split: str) -> pl.DataFrame:
    """Return the answers of one split to queries of supervised codes, as the metrics count them."""
    return predictions.filter((pl.col('split') == split) & ~pl.col('hidden'))


def reliability(answers: pl.DataFrame, bins: int, level: int = LEAF) -> list[Bin]:
    """Group answers by confidence in equally wide bins; empty ones are left out."""
    confidence = answers[f'confidence_{level}'].to_numpy()
    right = answers[f'right_{level}'].to_numpy().astype(float)
    edges = np.linspace(0, 1, bins + 1)
    indices = np.searchsorted(edges[1:-1], confidence)
    result = []
    for index in np.unique(indices):
        inside = indices == index
        fraction = float(right[inside].mean())
        count = int(inside.sum())
        result.append(
            Bin(
                float(edges[index]),
                float(edges[index + 1]),
                float(confidence[inside].mean()),
                fraction,
                *wilson(fraction, count),
                count,
            )
        )
    return result


def wilson(fraction: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction of ``count`` answers (Wilson 1927)."""
    widened = 1 + NORMAL_95**2 / count
    middle = (fraction + NORMAL_95**2 / (2 * count)) / widened
    spread = (fraction * (1 - fraction) / count + (NORMAL_95 / (2 * count)) ** 2) ** 0.5
    reach = NORMAL_95 * spread / widened
    return max(0.0, middle - reach), min(1.0, middle + reach)


def selective(answers: pl.DataFrame, level: int = LEAF) -> 'RiskCoverage':
    """Return the error of the most confident answers by coverage."""
    import torch

    from naics_embed.metrics.selective import risk_coverage

    return risk_coverage(
        torch.from_numpy(answers[f'confidence_{level}'].to_numpy().copy()),
        torch.from_numpy(answers[f'right_{level}'].to_numpy().copy()),
    )


def confusion(answers: pl.DataFrame, table: 'CodeTable') -> Confusion:
    """Count right sector by answered sector."""
    taxonomy = table.taxonomy
    sectors = taxonomy.at_level(LEVELS[0])
    column = {int(sector): index for index, sector in enumerate(sectors)}
    counts = np.zeros((len(sectors), len(sectors)), dtype=np.int64)
    pairs = [
        [column[int(s)] for s in taxonomy.sector[taxonomy.indices(answers[name].to_list())]]
        for name in ('code', 'chosen')
    ]
    np.add.at(counts, tuple(pairs), 1)
    return Confusion([taxonomy.codes[sector] for sector in sectors], counts)


def worst_errors(answers: pl.DataFrame, table: 'CodeTable', count: int) -> list[dict]:
    """Return the most confident wrong answers, in words."""
    wrong = answers.filter(~pl.col(f'right_{LEAF}'))
    taxonomy = table.taxonomy
    return [
        {
            **row,
            'right_name': table.name(row['code']),
            'chosen_name': table.name(row['chosen']),
            'shared': RANGES.get(
                int(taxonomy.lca_level[taxonomy.index(row['code']), taxonomy.index(row['chosen'])]),
                'nothing',
            ),
        }
        for row in wrong.sort(f'confidence_{LEAF}', descending=True).head(count).to_dicts()
    ]
