"""The ground truth of training, in tables: levels, distances, relations, ceilings, labels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from naics_embed.audit.data_checks import DataCheck, data_checks
from naics_embed.audit.data_files import DataFiles
from naics_embed.metrics.correlation import spearman_ceiling
from naics_embed.supervision.relations import relation_table
from naics_embed.taxonomy import LEVELS, Taxonomy

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class GroundTruth:
    """The tables, and the checks of the data.

    Attributes:
        levels: one row a level: codes, leaves, only children, children, texts.
        distances: one row a value of D*: pairs, fraction, fraction within sectors.
        relations: one row a name: pairs, fraction, the distances it covers.
        ceilings: the best rank correlation that a table without ties can reach.
        labels: one row a kind of labelled text: its texts in each split.
        data_checks: the checks and their results.
    """

    levels: Rows
    distances: Rows
    relations: Rows
    ceilings: Rows
    labels: Rows
    data_checks: list[DataCheck]

    @property
    def sound(self) -> bool:
        """Whether no check that makes the ground truth wrong has a case."""
        return not any(check.found for check in self.data_checks if check.wrong)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), 'sound': self.sound}


def investigate(files: DataFiles, *, sample: int, seed: int) -> GroundTruth:
    """Describe and check the ground truth.

    Args:
        files: files of the data stages.
        sample: quadruples of codes drawn to test that D* is a tree metric.
        seed: seed of the draw.
    """
    taxonomy = Taxonomy(files.codebook['code'].to_list())
    same = _same_sector(files.distances, taxonomy)
    return GroundTruth(
        _levels(files, taxonomy),
        _distances(files.distances, same),
        _relations(files.relations),
        _ceilings(files.distances, same, taxonomy),
        _labels(files.queries),
        data_checks(files, taxonomy, sample=sample, seed=seed),
    )


def _same_sector(pairs: pl.DataFrame, taxonomy: Taxonomy) -> np.ndarray:
    sector = taxonomy.sector
    return sector[pairs['i'].to_numpy()] == sector[pairs['j'].to_numpy()]


def _levels(files: DataFiles, taxonomy: Taxonomy) -> Rows:
    children = np.array([len(below) for below in taxonomy.children])
    only = np.zeros(len(taxonomy), dtype=bool)
    for below in taxonomy.children:
        if len(below) == 1:
            only[below[0]] = True
    codes = np.array(taxonomy.codes)
    entries = dict(files.entries.group_by('code').len().iter_rows())
    hidden = set(files.holdout.filter(pl.col('split') != 'supervised')['code'])
    rows: Rows = []
    for level in LEVELS:
        here = taxonomy.at_level(level)
        inner = children[here][children[here] > 0]
        texts = files.codebook.filter(pl.col('level') == level)
        counts = [entries.get(code, 0) for code in codes[here]]
        rows.append(
            {
                'digits': level,
                'codes': len(here),
                'leaves': int((children[here] == 0).sum()),
                'only_children': int(only[here].sum()),
                'children_median': float(np.median(inner)) if len(inner) else None,
                'children_max': int(inner.max()) if len(inner) else None,
                'hidden': len(hidden & set(codes[here])),
                'own_description': texts['description'].drop_nulls().len(),
                'excluded': texts['excluded'].drop_nulls().len(),
                'entries_median': float(np.median(counts)) if sum(counts) else None,
                'entries_max': max(counts, default=0) or None,
            }
        )
    return rows


def _distances(pairs: pl.DataFrame, same: np.ndarray) -> Rows:
    values, inverse = np.unique(pairs['distance'].to_numpy(), return_inverse=True)
    total = np.bincount(inverse, minlength=len(values))
    inside = np.bincount(inverse[same], minlength=len(values))
    return [
        {
            'distance': int(value),
            'pairs': int(count),
            'fraction': float(count / len(pairs)),
            'same_sector_pairs': int(within),
            'fraction_within_sectors': float(within / max(1, int(same.sum()))),
        }
        for value, count, within in zip(values, total, inside, strict=True)
    ]


def _relations(pairs: pl.DataFrame) -> Rows:
    names = relation_table().select('relation_id', named=pl.col('relation'), edges='distance')
    counts = (
        pairs.group_by('relation_id')
        .len()
        .join(names, on='relation_id')
        .group_by('named')
        .agg(
            pairs=pl.col('len').sum(), nearest=pl.col('edges').min(), farthest=pl.col('edges').max()
        )
        .sort('nearest', 'named')
    )
    return [
        {
            'relation': name,
            'pairs': count,
            'fraction': count / len(pairs),
            'distance': str(near) if near == far else f'{near}–{far}',
        }
        for name, count, near, far in counts.iter_rows()
    ]


def _ceilings(pairs: pl.DataFrame, same: np.ndarray, taxonomy: Taxonomy) -> Rows:
    distance = pairs['distance'].to_numpy()
    groups: dict[str, Sequence[int]] = {
        'Spearman with D*, all pairs': np.bincount(distance).tolist(),
        'Spearman with D*, within sectors': np.bincount(distance[same]).tolist(),
        'Spearman of level and radius': np.bincount(taxonomy.level).tolist(),
    }
    rows: Rows = []
    for metric, sizes in groups.items():
        total = sum(sizes)
        tied = sum(size * (size - 1) for size in sizes) / max(1, total * (total - 1))
        rows.append(
            {
                'metric': metric,
                'values': total,
                'ceiling': spearman_ceiling([int(size) for size in sizes]),
                'tied': tied,
            }
        )
    return rows


def _labels(queries: pl.DataFrame) -> Rows:
    counted = queries.group_by('kind', 'split').len()
    splits = ('train', 'validation', 'test')
    table: dict[str, dict[str, Any]] = {}
    for kind, split, count in counted.sort('kind').iter_rows():
        row = table.setdefault(kind, {'kind': kind, **dict.fromkeys(splits, 0)})
        row[split] = row.get(split, 0) + count
    for kind, row in table.items():
        row['codes'] = queries.filter(pl.col('kind') == kind)['code'].n_unique()
    return list(table.values())
