"""Stage: every figure of the trained table, beside its reference."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from naics_embed.artifacts import Artifact, read_json
from naics_embed.config.evaluation import EvaluationConfig
from naics_embed.config.model import ModelConfig
from naics_embed.evaluation.evaluate import (
    Figure,
    Table,
    health_figures,
    holdout_figures,
    retrieval_figures,
    tree_figures,
)
from naics_embed.evaluation.queries import query_groups
from naics_embed.figures import distance_by_tree_distance, radius_by_level
from naics_embed.metrics.tree import Tree
from tasks.frames import frame_of, splits_of, taxonomy_of
from tasks.query_points import PointTable
from tasks.stage import Result, Stage, StageContext


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    model: ModelConfig,
    evaluation: EvaluationConfig,
    jaccard: float,
) -> Result:
    """Write ``metrics.json``: ``split/metric`` → value, reference, name of the reference."""
    taxonomy = taxonomy_of(inputs['codebook'])
    structure = splits_of(inputs['structure_holdout'], taxonomy)
    tree = Tree.of(taxonomy)
    table = Table(
        load_file(inputs['table'].path)['tangents'],
        model.curvature,
        model.r_max,
        tuple(structure),
    )
    groups = query_groups(frame_of(inputs['queries']), taxonomy, structure, jaccard=jaccard)
    figures: dict[str, Figure] = {}
    if groups:
        placed = PointTable(inputs)
        points = [placed.of(group.texts) for group in groups]
        baselines = read_json(Path(inputs['baselines'].path))
        figures |= retrieval_figures(table, groups, points, tree, baselines)
    figures |= tree_figures(
        table, tree, norm_weights=evaluation.norm_weights, chunk=evaluation.chunk
    )
    figures |= holdout_figures(table, tree, chunk=evaluation.chunk)
    figures |= health_figures(table, tree)
    plain = {name: finite_or_null(asdict(figure)) for name, figure in figures.items()}
    (out / 'metrics.json').write_text(json.dumps(plain, indent=2, sort_keys=True), encoding='utf-8')
    context.tracking.artifact(out / 'metrics.json')
    context.tracking.figure(radius_by_level(table.tangents, tree), 'radius_by_level.png')
    distances = distance_by_tree_distance(
        table.tangents, tree, curvature=model.curvature, sample=evaluation.chunk, seed=0
    )
    context.tracking.figure(distances, 'distance_by_tree_distance.png')
    return Result(
        {'metrics': 'metrics.json'}, {name: figure.value for name, figure in figures.items()}
    )


def finite_or_null(figure: dict[str, Any]) -> dict[str, Any]:
    """Put null for a number that JSON cannot hold."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figure.items()
    }


evaluation = Stage(
    'evaluation',
    write,
    (
        'naics_embed.evaluation.evaluate',
        'naics_embed.evaluation.queries',
        'naics_embed.figures',
    ),
)
