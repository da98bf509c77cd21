"""Stage: the table as regressors, compared with one-hot columns, ancestors and frozen texts."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file

from naics_embed.artifacts import Artifact
from naics_embed.config.refinement import RegressionConfig
from naics_embed.evaluation.regression import (
    Effects,
    Outcomes,
    breadth,
    read_outcomes,
    regression_metrics,
    simulate,
)
from naics_embed.metrics.regression import PanelSettings
from naics_embed.metrics.tree import Tree
from naics_embed.supervision.features import code_features
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.encoding import read_encoding
from naics_embed.text.tokens import TokenTable
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of, positions, taxonomy_of
from tasks.texts import query_set


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    queries: Artifact,
    tokens: Artifact,
    encoding: Artifact,
    table: Artifact,
    regression: RegressionConfig,
    outcomes: Artifact | None = None,
) -> Result:
    """Write ``regression.json``: metric → value, reference, name of the reference."""
    taxonomy = taxonomy_of(codebook)
    tree = Tree.of(taxonomy)
    responses = outcomes_of(
        taxonomy,
        tree,
        regression,
        outcomes=outcomes,
        queries=queries,
        tokens=tokens,
        encoding=encoding,
    )
    metrics = {}
    if responses is not None:
        metrics = regression_metrics(
            {'table': load_file(table.path)['tangents'].double()},
            tree,
            frozen_features(taxonomy, queries=queries, tokens=tokens, encoding=encoding),
            responses,
            panel_of(regression),
            family_level=regression.family_level,
        )
    plain = {
        name: {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(metric).items()
        }
        for name, metric in metrics.items()
    }
    (out / 'regression.json').write_text(json.dumps(plain, indent=2), encoding='utf-8')
    context.tracking.artifact(out / 'regression.json')
    return Result(
        {'regression': 'regression.json'}, {name: metric.value for name, metric in metrics.items()}
    )


def outcomes_of(
    taxonomy: Taxonomy,
    tree: Tree,
    regression: RegressionConfig,
    *,
    queries: Artifact,
    tokens: Artifact,
    encoding: Artifact,
    outcomes: Artifact | None = None,
) -> Outcomes | None:
    """Return the user's outcomes where there are any, else those of the example."""
    if outcomes is not None:
        return read_outcomes(Path(outcomes.path), taxonomy)
    if regression.example == 'breadth':
        entries = frame_of(queries).filter(pl.col('kind') == 'index')
        return breadth(torch.from_numpy(positions(entries['code'], taxonomy)), tree)
    effects = Effects(
        regression.sector, regression.family, regression.text, regression.own, regression.noise
    )
    features = frozen_features(taxonomy, queries=queries, tokens=tokens, encoding=encoding)
    return simulate(tree, features, effects, regression.rows, regression.seed)


def frozen_features(
    taxonomy: Taxonomy, *, queries: Artifact, tokens: Artifact, encoding: Artifact
) -> torch.Tensor:
    """Return the mean frozen embedding of each code's training texts, float64 ``(n, width)``."""
    table = TokenTable.read(Path(tokens.path))
    embeddings, _ = read_encoding(Path(encoding.path))
    train = frame_of(queries).filter(pl.col('split') == 'train')
    labelled = query_set(train, table, taxonomy)
    return torch.from_numpy(
        code_features(taxonomy, np.asarray(embeddings)[labelled.rows], labelled.targets)
    )


def panel_of(regression: RegressionConfig) -> PanelSettings:
    """Return how the panel is cross-validated."""
    return PanelSettings(
        regression.penalties, regression.outer_folds, regression.inner_folds, regression.seed
    )
