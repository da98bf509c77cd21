"""Stage: the systems that the model is compared with."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.baselines.settings import BaselineSettings
from naics_embed.evaluation.baselines import LabelledTexts, baseline_metrics
from naics_embed.evaluation.queries import query_groups
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from naics_embed.text.encoding import read_encoding
from naics_embed.text.tokens import TokenTable
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of, positions, splits_of, taxonomy_of
from tasks.texts import BASELINE_CHANNELS, leaf_rows, of_codes


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    channels: Artifact,
    index_entries: Artifact,
    tokens: Artifact,
    encoding: Artifact,
    compared: tuple[str, ...],
    fitting: BaselineSettings,
    jaccard: float,
) -> Result:
    """Write ``baselines.json``: name → metrics."""
    taxonomy = taxonomy_of(codebook)
    structure = splits_of(structure_holdout, taxonomy)
    table = TokenTable.read(Path(tokens.path))
    embeddings, _ = read_encoding(Path(encoding.path))
    groups = [
        group
        for group in query_groups(frame_of(queries), taxonomy, structure, jaccard=jaccard)
        if int(taxonomy.level[group.candidates[0]]) == LEAF_LEVEL
    ]
    metrics = baseline_metrics(
        compared,
        _training_texts(queries, channels, index_entries, taxonomy, structure, table, embeddings),
        groups,
        [embeddings[table.rows(group.texts)] for group in groups],
        Tree.of(taxonomy),
        fitting,
    )
    (out / 'baselines.json').write_text(json.dumps(metrics, indent=2), encoding='utf-8')
    logged = {
        f'{name}.{key.replace("/", ".")}': value
        for name, values in metrics.items()
        for key, value in values.items()
        if key.endswith(('mrr', 'top1'))
    }
    return Result({'baselines': 'baselines.json'}, logged)


def _training_texts(
    queries: Artifact,
    channels: Artifact,
    index_entries: Artifact,
    taxonomy: Taxonomy,
    structure: np.ndarray,
    tokens: TokenTable,
    embeddings: np.ndarray,
) -> LabelledTexts:
    """Collect the training texts of leaf codes; hidden codes keep their own texts."""
    train = of_codes(
        frame_of(queries).filter(pl.col('split') == 'train'),
        taxonomy,
        structure == 'supervised',
    ).select('text', 'code', title=pl.col('kind') == 'title')
    frame = frame_of(channels)
    described = [
        frame.select(pl.col(name).alias('text'), 'code', title=pl.lit(name == 'title'))
        for name in BASELINE_CHANNELS
    ]
    entries = frame_of(index_entries).filter(pl.col('role') == 'examples')
    listed = entries.select('text', 'code', title=pl.lit(False))
    rows = leaf_rows(pl.concat([train, *described, listed]).drop_nulls()).unique(
        ['text', 'code'], keep='first', maintain_order=True
    )
    leaves = taxonomy.at_level(LEAF_LEVEL)
    labels = np.searchsorted(leaves, positions(rows['code'], taxonomy))
    texts = rows['text'].to_list()
    return LabelledTexts(texts, embeddings[tokens.rows(texts)], labels, rows['title'].to_numpy())
