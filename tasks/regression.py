"""Stage: the promoted table as regressors, beside one-hot columns, ancestors and frozen texts."""

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
    regression_figures,
    simulate,
)
from naics_embed.metrics.regression import PanelSettings
from naics_embed.metrics.tree import Tree
from naics_embed.supervision.features import code_features
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.encoding import read_encoding
from naics_embed.text.tokens import TokenTable
from tasks.frames import frame_of, positions, taxonomy_of
from tasks.stage import Result, Stage, StageContext
from tasks.texts import query_set

OUTCOMES = 'outcomes'
"""Name of the input that holds the user's own outcomes."""


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    regression: RegressionConfig,
) -> Result:
    """Write ``regression.json``: figure → value, reference, name of the reference."""
    taxonomy = taxonomy_of(inputs['codebook'])
    tree = Tree.of(taxonomy)
    outcomes = outcomes_of(inputs, taxonomy, tree, regression)
    figures = {}
    if outcomes is not None:
        figures = regression_figures(
            {'table': load_file(inputs['table'].path)['tangents'].double()},
            tree,
            frozen_features(inputs, taxonomy),
            outcomes,
            panel_of(regression),
            family_level=regression.family_level,
        )
    plain = {
        name: {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(figure).items()
        }
        for name, figure in figures.items()
    }
    (out / 'regression.json').write_text(json.dumps(plain, indent=2), encoding='utf-8')
    context.tracking.artifact(out / 'regression.json')
    return Result(
        {'regression': 'regression.json'}, {name: figure.value for name, figure in figures.items()}
    )


def outcomes_of(
    inputs: dict[str, Artifact],
    taxonomy: Taxonomy,
    tree: Tree,
    regression: RegressionConfig,
) -> Outcomes | None:
    """Return the user's outcomes where there are any, else those of the example."""
    if OUTCOMES in inputs:
        return read_outcomes(Path(inputs[OUTCOMES].path), taxonomy)
    if regression.example == 'breadth':
        queries = frame_of(inputs['queries']).filter(pl.col('kind') == 'index')
        return breadth(torch.from_numpy(positions(queries['code'], taxonomy)), tree)
    effects = Effects(
        regression.sector, regression.family, regression.text, regression.own, regression.noise
    )
    return simulate(
        tree, frozen_features(inputs, taxonomy), effects, regression.rows, regression.seed
    )


def frozen_features(inputs: dict[str, Artifact], taxonomy: Taxonomy) -> torch.Tensor:
    """Return the mean frozen embedding of each code's training texts, float64 ``(n, width)``."""
    tokens = TokenTable.read(Path(inputs['tokens'].path))
    embeddings, _ = read_encoding(Path(inputs['encoding'].path))
    train = frame_of(inputs['queries']).filter(pl.col('split') == 'train')
    labelled = query_set(train, tokens, taxonomy)
    return torch.from_numpy(
        code_features(taxonomy, np.asarray(embeddings)[labelled.rows], labelled.targets)
    )


def panel_of(regression: RegressionConfig) -> PanelSettings:
    """Return how the panel is cross-validated."""
    return PanelSettings(
        regression.penalties, regression.outer_folds, regression.inner_folds, regression.seed
    )


regression = Stage(
    'regression',
    write,
    (
        'naics_embed.evaluation.regression',
        'naics_embed.supervision.features',
        'naics_embed.text.encoding',
        'naics_embed.text.tokens',
    ),
)
