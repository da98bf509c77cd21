"""Stage: the table refined over the graph of the taxonomy, and smoothed over it as a control."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file, save_file

from naics_embed.artifacts import Artifact
from naics_embed.config.refinement import GraphConfig
from tasks.engine.stage import Result, StageContext
from tasks.frames import SUPERVISED, frame_of, positions, redirect_pairs, splits_of, taxonomy_of
from tasks.points import PointTable
from tasks.texts import leaf_rows, of_codes

if TYPE_CHECKING:
    from naics_embed.graph.refine import RefinementInputs


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    redirections: Artifact,
    triplets: Artifact,
    text_model: Artifact,
    query_points: Artifact,
    curvature: float,
    temperature: float,
    graph: GraphConfig,
    seed: int,
    shuffle: bool = False,
) -> Result:
    """Write ``refined.safetensors`` and ``history.json``.

    Tangents of all codes: ``smoothing``, ``hgcn``, and where ``shuffle`` is set ``hgcn_shuffled``,
    refined from a table whose rows were permuted within their levels.
    """
    from naics_embed.graph.refine import best_smoothing, refine, shuffled

    prepared = _inputs(
        codebook,
        structure_holdout,
        queries,
        redirections,
        triplets,
        text_model,
        query_points,
        graph,
        curvature,
        temperature,
    )

    def report(epoch: int, metrics: Mapping[str, float]) -> None:
        context.tracking.metrics(metrics, step=epoch)

    refined = refine(prepared, graph, seed, report)
    smoothed, fraction = best_smoothing(prepared, graph)
    tables = {'smoothing': smoothed, 'hgcn': refined.tangents}
    history = {'hgcn': refined.history}
    if shuffle:
        level = torch.from_numpy(prepared.taxonomy.level.astype(np.int64))
        supervised = torch.from_numpy(prepared.supervised)
        mixed = shuffled(prepared.tangents, level, supervised, seed)
        other = refine(replace(prepared, tangents=mixed), graph, seed)
        tables['hgcn_shuffled'] = other.tangents
        history['hgcn_shuffled'] = other.history
    save_file(
        {name: table.contiguous() for name, table in tables.items()}, out / 'refined.safetensors'
    )
    (out / 'history.json').write_text(json.dumps(history, indent=2), encoding='utf-8')
    return Result(
        {'refined': 'refined.safetensors', 'refinement_history': 'history.json'},
        {
            'best_epoch': float(refined.best_epoch),
            'smoothing_fraction': fraction,
            'edges': float(prepared.graph.edges.shape[1]),
            'anchor_queries': float(len(prepared.train)),
            **{f'best.{name}': value for name, value in refined.network.items()},
        },
        {'best_epoch': refined.best_epoch, 'smoothing_fraction': fraction},
    )


def _inputs(
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    redirections: Artifact,
    triplets: Artifact,
    text_model: Artifact,
    query_points: Artifact,
    graph: GraphConfig,
    curvature: float,
    temperature: float,
) -> 'RefinementInputs':
    from naics_embed.graph.edges import TaxonomyGraph
    from naics_embed.graph.losses import Queries
    from naics_embed.graph.refine import RefinementInputs, read_triplets

    taxonomy = taxonomy_of(codebook)
    supervised = (splits_of(structure_holdout, taxonomy) == SUPERVISED).astype(bool)
    table = PointTable(query_points, queries)
    labelled = leaf_rows(of_codes(table.frame, taxonomy, supervised))

    def points_of(rows: pl.DataFrame) -> Queries:
        indices = torch.from_numpy(rows['point'].to_numpy().astype(np.int64))
        targets = torch.from_numpy(positions(rows['code'], taxonomy))
        return Queries(table.points[indices], targets)

    held = labelled.filter(pl.col('split') == 'validation')
    return RefinementInputs(
        taxonomy,
        supervised,
        load_file(Path(text_model.path) / 'tables.safetensors')['tangents'].double(),
        curvature,
        temperature,
        TaxonomyGraph.of(
            taxonomy,
            supervised,
            graph.edges,
            redirect_pairs(frame_of(redirections), taxonomy),
        ),
        read_triplets(Path(triplets.path)),
        points_of(labelled.filter(pl.col('split') == 'train')),
        {
            str(kind): points_of(rows)
            for (kind,), rows in held.group_by('kind', maintain_order=True)
        },
    )
