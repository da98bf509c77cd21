"""Stage: the coder, fitted on validation queries and measured on test queries."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file

from naics_embed.artifacts import Artifact, read_json
from naics_embed.baselines.logistic import fit_logistic
from naics_embed.baselines.settings import BaselineSettings
from naics_embed.config.evaluation import CoderConfig
from naics_embed.evaluation.evaluate import beside
from naics_embed.evaluation.predictions import PREDICTION_SCHEMA, prediction_frame
from naics_embed.evaluation.queries import HOLDOUT_PREFIX, PREFIXES, QueryGroup, query_groups
from naics_embed.evidence.confidence import coding_metrics, decisions, first_leaves
from naics_embed.evidence.conformal import Conformal, fit_conformal
from naics_embed.evidence.fusion import Fusion, fit_calibrated, one_score
from naics_embed.evidence.known_texts import KnownTexts, Linear, index_texts
from naics_embed.geometry.lorentz import exp0, log0, pairwise_distance
from naics_embed.metrics.tree import Tree
from naics_embed.search.code_texts import write_code_texts
from naics_embed.search.scoring import FUSED, leaf_scores
from naics_embed.search.storage import (
    CONFORMAL,
    FROZEN,
    QUERY_SCHEMA,
    write_evidence,
    write_queries,
    write_redirections,
)
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from naics_embed.text.backbone import load_backbone, load_transformer
from naics_embed.text.encoding import read_encoding
from naics_embed.text.inference.frozen import write_difference
from naics_embed.text.tokens import TokenTable
from tasks.encoding import backbone_of
from tasks.engine.stage import Result, StageContext
from tasks.evaluation import finite_or_null
from tasks.frames import frame_of, positions, splits_of, taxonomy_of
from tasks.points import PointTable
from tasks.texts import leaf_rows

PREFIX = 'hybrid_'
CHANNELS = ('title', 'description')


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    channels: Artifact,
    tokens: Artifact,
    encoding: Artifact,
    index_entries: Artifact,
    redirections: Artifact,
    backbone: Mapping[str, Artifact],
    text_model: Artifact,
    query_points: Artifact,
    table: Artifact,
    baselines: Artifact,
    table_metrics: Artifact,
    curvature: float,
    temperature: float,
    coder: CoderConfig,
    fitting: BaselineSettings,
    jaccard: float,
) -> Result:
    """Write the directory ``coder`` and its answers to held-out queries.

    ``predictions.parquet`` holds its answers, ``metrics.json`` those of the evaluation and its own.
    """
    taxonomy = taxonomy_of(codebook)
    leaves = taxonomy.at_level(LEAF_LEVEL)
    token_table = TokenTable.read(Path(tokens.path))
    frozen, _ = read_encoding(Path(encoding.path))
    train = frame_of(queries).filter(pl.col('split') == 'train').select('text', 'code')
    entries = frame_of(index_entries).filter(pl.col('role') == 'examples').select('text', 'code')
    described = [frame_of(channels).select(pl.col(name).alias('text'), 'code') for name in CHANNELS]
    rows = pl.concat([train, *described, entries]).drop_nulls()
    evidence = _known(rows, taxonomy, leaves, token_table, frozen, coder, fitting)
    structure = splits_of(structure_holdout, taxonomy)
    groups = [
        group
        for group in query_groups(frame_of(queries), taxonomy, structure, jaccard=jaccard)
        if int(taxonomy.level[group.candidates[0]]) == LEAF_LEVEL
    ]
    folder = Path(text_model.path)
    tangents = load_file(table.path)['tangents'].double()
    points = exp0(tangents, c=curvature)[torch.from_numpy(leaves)]
    table_of_points = PointTable(query_points, queries)
    scores = [
        leaf_scores(
            pairwise_distance(table_of_points.of(group.texts), points, c=curvature).numpy(),
            group.texts,
            frozen[token_table.rows(group.texts)],
            evidence,
        )
        for group in groups
    ]
    fusion, conformal = _fit(groups, scores, temperature, coder, taxonomy)
    measured: dict[str, float] = {}
    answers = [PREDICTION_SCHEMA.to_frame()]
    for group, group_scores in zip(groups, scores, strict=True):
        probabilities = fusion.probabilities(*group_scores)
        measured |= _metrics(group, probabilities, taxonomy, coder)
        answers.append(prediction_frame(group, probabilities, taxonomy))
    pl.concat(answers).write_parquet(out / 'predictions.parquet')
    compared = read_json(Path(baselines.path))
    metrics = read_json(Path(table_metrics.path)) | {
        name: finite_or_null(asdict(beside(name, value, compared, prefix=PREFIX)))
        for name, value in measured.items()
    }
    target = out / 'coder'
    target.mkdir()
    write_evidence(target, evidence, fusion, [taxonomy.codes[leaf] for leaf in leaves])
    write_redirections(target, frame_of(redirections))
    write_code_texts(target, frame_of(codebook), frame_of(index_entries))
    if conformal is not None:
        conformal.write(target / CONFORMAL)
    of_fit = _queries_of_fit(groups, taxonomy)
    fitted = of_fit['text'].to_list()
    write_queries(
        target,
        of_fit,
        frozen[token_table.rows(fitted)],
        log0(table_of_points.of(fitted), c=curvature).numpy(),
    )
    start, trained = load_backbone(backbone_of(backbone)), load_transformer(folder)
    write_difference(target / FROZEN, start, trained)
    (out / 'metrics.json').write_text(
        json.dumps(metrics, indent=2, sort_keys=True), encoding='utf-8'
    )
    effects = dict(zip(FUSED, (fusion.weights[0] * fusion.spread).tolist(), strict=True))
    context.tracking.artifact(target / 'fusion.json')
    return Result(
        {
            'coder': 'coder',
            'metrics': 'metrics.json',
            'predictions': 'predictions.parquet',
        },
        {**measured, 'known_texts': len(evidence.texts)},
        {'effects': effects},
    )


def _known(
    rows: pl.DataFrame,
    taxonomy: Taxonomy,
    leaves: np.ndarray,
    tokens: TokenTable,
    frozen: np.ndarray,
    coder: CoderConfig,
    baselines: BaselineSettings,
) -> KnownTexts:
    """Index the training texts of all leaves.

    Codes that are hidden from training keep their texts here: only their points are hidden, and the
    coder must cover every industry.
    """
    rows = leaf_rows(rows).unique(maintain_order=True)
    labels = np.searchsorted(leaves, positions(rows['code'], taxonomy))
    texts = rows['text'].to_list()
    embeddings = frozen[tokens.rows(texts)]
    fitted = fit_logistic(embeddings, labels, len(leaves), baselines)
    linear = Linear(fitted.weights.astype(np.float32), fitted.bias.astype(np.float32))
    return index_texts(texts, labels, embeddings, linear, coder.evidence)


def _fit(
    groups: list[QueryGroup],
    scores: list[tuple[np.ndarray, np.ndarray]],
    temperature: float,
    coder: CoderConfig,
    taxonomy: Taxonomy,
) -> tuple[Fusion, Conformal | None]:
    validation = [i for i, group in enumerate(groups) if group.split == 'validation']
    if not validation:
        return one_score(FUSED, 'distance', temperature), None
    gates = np.concatenate([scores[i][1] for i in validation])
    truth = np.concatenate([_truth(groups[i]) for i in validation])
    kinds = [_register(groups[i]) for i in validation for _ in groups[i].texts]
    held_out = np.full((len(truth), len(taxonomy.at_level(LEAF_LEVEL))), np.nan)
    fusion = fit_calibrated(
        FUSED,
        np.concatenate([scores[i][0] for i in validation]),
        gates,
        truth,
        kinds,
        coder.fusion,
        held_out,
    )
    if np.isnan(held_out[0, 0]):
        return fusion, None
    return fusion, fit_conformal(held_out, truth, gates, kinds, first_leaves(taxonomy))


def _queries_of_fit(groups: list[QueryGroup], taxonomy: Taxonomy) -> pl.DataFrame:
    validation = [group for group in groups if group.split == 'validation']
    return pl.DataFrame(
        {
            'text': [text for group in validation for text in group.texts],
            'code': [taxonomy.codes[i] for group in validation for i in group.target.tolist()],
            'set': [_register(group) for group in validation for _ in group.texts],
        },
        schema=QUERY_SCHEMA,
    )


def _register(group: QueryGroup) -> str:
    """Return the kind of writing: the index, plain language, business texts, the user's."""
    prefix = group.prefix.removeprefix(HOLDOUT_PREFIX)
    named = {PREFIXES[kind]: kind for kind in ('index', 'business', 'labelled')}
    return named.get(prefix, 'plain language')


def _truth(group: QueryGroup) -> np.ndarray:
    return torch.searchsorted(group.candidates, group.target).numpy()


def _metrics(
    group: QueryGroup, probabilities: np.ndarray, taxonomy: Taxonomy, coder: CoderConfig
) -> dict[str, float]:
    named = replace(group, prefix=f'{PREFIX}{group.prefix}')
    metrics = named.metrics(torch.from_numpy(probabilities), Tree.of(taxonomy))
    if HOLDOUT_PREFIX in group.prefix:
        return metrics
    decided = decisions(probabilities, _truth(group), taxonomy)
    return metrics | {
        f'{named.split}/{named.prefix}{name}': value
        for name, value in coding_metrics(decided, coder.confidence).items()
    }
