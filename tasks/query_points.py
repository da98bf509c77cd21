"""Stage: the points of training and held-out queries, by the trained encoder."""

from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from naics_embed.artifacts import Artifact
from naics_embed.text.backbone import load_transformer
from naics_embed.text.head import LorentzHead
from naics_embed.text.inference.corpus import place_corpus
from naics_embed.text.tokens import load_tokenizer
from tasks.engine.stage import Result, StageContext
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.texts import leaf_rows, of_codes

ROW = 'row'


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    text_model: Artifact,
    curvature: float,
    r_max: float,
    window: int,
    batch_tokens: int,
    train_queries: int,
    seed: int,
) -> Result:
    """Write ``query_points.safetensors``: rows of the queries, and the points of their texts.

    ``row`` int64 ``(m,)`` counts the rows of ``queries.parquet``; ``points`` float64 ``(m, dim)``
    are space parts. All held-out queries are there, and at most ``train_queries`` training queries
    of supervised six-digit codes.
    """
    taxonomy = taxonomy_of(codebook)
    supervised = splits_of(structure_holdout, taxonomy) == SUPERVISED
    frame = frame_of(queries).with_row_index(ROW)
    held = frame.filter(pl.col('split') != 'train')
    train = leaf_rows(of_codes(frame.filter(pl.col('split') == 'train'), taxonomy, supervised))
    if len(train) > train_queries:
        train = train.sample(train_queries, seed=seed)
    encoded = pl.concat([train, held]).sort(ROW)
    folder = Path(text_model.path)
    backbone = load_transformer(folder)
    head = LorentzHead.load(folder / 'head.safetensors', c=curvature, r_max=r_max)
    tokenizer = load_tokenizer(folder, window)
    texts = encoded['text'].to_list()
    points = place_corpus(texts, tokenizer, backbone, head, batch_tokens)
    rows = torch.from_numpy(encoded[ROW].to_numpy().astype(np.int64))
    save_file({'row': rows, 'points': points}, out / 'query_points.safetensors')
    return Result(
        {'query_points': 'query_points.safetensors'},
        {'train': float(len(train)), 'held_out': float(len(held))},
    )
