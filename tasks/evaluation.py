"""Stage: every metric of the trained table, with its reference."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from naics_embed.artifacts import Artifact, read_json
from naics_embed.config.evaluation import EvaluationConfig
from naics_embed.evaluation.evaluate import (
    Metric,
    Table,
    health_metrics,
    holdout_metrics,
    retrieval_metrics,
    tree_metrics,
)
from naics_embed.evaluation.memory import memory_metrics
from naics_embed.evaluation.queries import query_groups
from naics_embed.metrics.tree import Tree
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of, splits_of, taxonomy_of
from tasks.points import PointTable


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    query_points: Artifact,
    baselines: Artifact,
    table: Artifact,
    curvature: float,
    r_max: float,
    evaluation: EvaluationConfig,
    jaccard: float,
) -> Result:
    """Write ``metrics.json``: ``split/metric`` → value, reference, name of the reference."""
    taxonomy = taxonomy_of(codebook)
    structure = splits_of(structure_holdout, taxonomy)
    tree = Tree.of(taxonomy)
    trained = Table(load_file(table.path)['tangents'], curvature, r_max, tuple(structure))
    groups = query_groups(frame_of(queries), taxonomy, structure, jaccard=jaccard)
    metrics: dict[str, Metric] = {}
    if groups:
        table_of_points = PointTable(query_points, queries)
        points = [table_of_points.of(group.texts) for group in groups]
        compared = read_json(Path(baselines.path))
        metrics |= retrieval_metrics(trained, groups, points, tree, compared)
        known = table_of_points.training(taxonomy)
        metrics |= memory_metrics(trained, groups, points, known, tree, compared)
    metrics |= tree_metrics(
        trained, tree, norm_weights=evaluation.norm_weights, chunk=evaluation.chunk
    )
    metrics |= holdout_metrics(trained, tree, chunk=evaluation.chunk)
    metrics |= health_metrics(trained, tree)
    plain = {name: finite_or_null(asdict(metric)) for name, metric in metrics.items()}
    (out / 'metrics.json').write_text(json.dumps(plain, indent=2, sort_keys=True), encoding='utf-8')
    context.tracking.artifact(out / 'metrics.json')
    return Result(
        {'table_metrics': 'metrics.json'}, {name: metric.value for name, metric in metrics.items()}
    )


def finite_or_null(metric: dict[str, Any]) -> dict[str, Any]:
    """Put null for a number that JSON cannot hold."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metric.items()
    }
