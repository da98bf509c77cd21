"""Stage: the training-free embedding of the tree."""

from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from naics_embed.artifacts import Artifact
from naics_embed.config.model import ConstructionConfig
from naics_embed.geometry.construction import construct
from naics_embed.supervision.features import code_features
from naics_embed.text.encoding import read_encoding
from naics_embed.text.tokens import TokenTable
from tasks.engine.stage import Result, StageContext
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.texts import of_codes, query_set


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    tokens: Artifact,
    encoding: Artifact,
    construction: ConstructionConfig,
    dim: int,
    curvature: float,
    seed: int,
) -> Result:
    """Write ``construction.safetensors``: tangents of the supervised codes, 0 for hidden ones.

    ``full`` embeds the whole tree; it is the ceiling and takes no part in training.
    """
    taxonomy = taxonomy_of(codebook)
    supervised = splits_of(structure_holdout, taxonomy) == SUPERVISED
    table = TokenTable.read(Path(tokens.path))
    embeddings, _ = read_encoding(Path(encoding.path))
    train = frame_of(queries).filter(pl.col('split') == 'train')
    everything = np.ones_like(supervised)
    tables = {}
    for name, selected in {'supervised': supervised, 'full': everything}.items():
        labelled = query_set(of_codes(train, taxonomy, selected), table, taxonomy)
        features = code_features(taxonomy, embeddings[labelled.rows], labelled.targets)
        kept = np.flatnonzero(selected)
        position = np.full(len(taxonomy) + 1, -1, dtype=np.int64)
        position[kept] = np.arange(len(kept))
        tangents = construct(
            position[taxonomy.parent[kept]],
            dim=dim,
            tau=construction.tau,
            spread=construction.spread,
            turn=construction.turn,
            directions=torch.from_numpy(features[kept]),
            seed=seed,
            c=curvature,
        )
        tangents_of_all = torch.zeros(len(taxonomy), dim, dtype=torch.float64)
        tangents_of_all[torch.from_numpy(kept)] = tangents
        tables[name] = tangents_of_all
    save_file(tables, out / 'construction.safetensors')
    return Result({'construction': 'construction.safetensors'})
