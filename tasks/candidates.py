"""Stage: every candidate table on validation."""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file

from naics_embed.artifacts import Artifact
from naics_embed.config.evaluation import EvaluationConfig
from naics_embed.config.refinement import RegressionConfig
from naics_embed.evaluation.candidates import VALIDATION, candidate_metrics
from naics_embed.evaluation.evaluate import Table
from naics_embed.evaluation.queries import query_groups
from naics_embed.metrics.tree import Tree
from tasks.engine.stage import Result, StageContext
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.points import PointTable
from tasks.regression import outcomes_of, panel_of
from tasks.tables import TEXT, tables_of


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    tokens: Artifact,
    encoding: Artifact,
    text_model: Artifact,
    query_points: Artifact,
    curvature: float,
    r_max: float,
    evaluation: EvaluationConfig,
    regression: RegressionConfig,
    shrink: float,
    jaccard: float,
    refined: Artifact | None = None,
    construction: Artifact | None = None,
) -> Result:
    """Write ``candidates.json``: name of a table → its metrics on validation.

    Tables are the text table, those of ``refined`` where it is given, and where ``construction``
    is, the construction as the text stage starts from it, its tangents times
    ``shrink``; hidden codes then lie where the text table has them.
    """
    taxonomy = taxonomy_of(codebook)
    structure = splits_of(structure_holdout, taxonomy)
    tree = Tree.of(taxonomy)
    table = PointTable(query_points, queries)
    groups = query_groups(
        frame_of(queries), taxonomy, structure, jaccard=jaccard, splits=(VALIDATION,)
    )
    points = [table.of(group.texts) for group in groups]
    hidden = torch.from_numpy((structure != SUPERVISED).astype(bool))
    tables = tables_of(text_model, refined)
    if construction is not None:
        built = load_file(construction.path)['supervised'] * shrink
        tables['construction'] = torch.where(hidden[:, None], tables[TEXT], built)
    responses = outcomes_of(
        taxonomy,
        tree,
        regression,
        queries=queries,
        tokens=tokens,
        encoding=encoding,
    )
    metrics = {
        name: candidate_metrics(
            Table(tangents, curvature, r_max, tuple(structure)),
            groups,
            points,
            tree,
            responses,
            panel_of(regression),
            family_level=regression.family_level,
            norm_weights=evaluation.norm_weights,
            chunk=evaluation.chunk,
        )
        for name, tangents in tables.items()
    }
    plain = {
        name: {key: value if math.isfinite(value) else None for key, value in values.items()}
        for name, values in metrics.items()
    }
    (out / 'candidates.json').write_text(json.dumps(plain, indent=2), encoding='utf-8')
    context.tracking.artifact(out / 'candidates.json')
    logged = {
        f'{name}.{key.replace("/", ".")}': value
        for name, values in metrics.items()
        for key, value in values.items()
        if not key.endswith('_se')
    }
    return Result({'candidates': 'candidates.json'}, logged)
