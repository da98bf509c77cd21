"""Stage: the points of training and held-out queries, by the trained encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from naics_embed.artifacts import Artifact
from naics_embed.config.model import ModelConfig
from naics_embed.errors import ArtifactError
from naics_embed.text.backbone import load_transformer
from naics_embed.text.head import LorentzHead
from naics_embed.text.inference import place_corpus
from naics_embed.text.tokens import load_tokenizer
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.stage import Result, Stage, StageContext
from tasks.texts import leaf_rows, of_codes

ROW = 'row'


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    model: ModelConfig,
    window: int,
    batch_tokens: int,
    train_queries: int,
    seed: int,
) -> Result:
    """Write ``query_points.safetensors``: rows of the queries, and where their texts lie.

    ``row`` int64 ``(m,)`` counts the rows of ``queries.parquet``; ``points`` float64 ``(m, dim)``
    are space parts. All held-out queries are there, and at most ``train_queries`` training queries
    of supervised six-digit codes.
    """
    taxonomy = taxonomy_of(inputs['codebook'])
    supervised = splits_of(inputs['structure_holdout'], taxonomy) == SUPERVISED
    queries = frame_of(inputs['queries']).with_row_index(ROW)
    held = queries.filter(pl.col('split') != 'train')
    train = leaf_rows(of_codes(queries.filter(pl.col('split') == 'train'), taxonomy, supervised))
    if len(train) > train_queries:
        train = train.sample(train_queries, seed=seed)
    chosen = pl.concat([train, held]).sort(ROW)
    folder = Path(inputs['model'].path)
    backbone = load_transformer(folder)
    head = LorentzHead.load(folder / 'head.safetensors', c=model.curvature, r_max=model.r_max)
    tokenizer = load_tokenizer(folder, window)
    texts = chosen['text'].to_list()
    points = place_corpus(texts, tokenizer, backbone, head, batch_tokens)
    rows = torch.from_numpy(chosen[ROW].to_numpy().astype(np.int64))
    save_file({'row': rows, 'points': points}, out / 'query_points.safetensors')
    return Result(
        {'query_points': 'query_points.safetensors'},
        {'train': float(len(train)), 'held_out': float(len(held))},
    )


class PointTable:
    """Texts and their points, as the stage wrote them."""

    def __init__(self, inputs: dict[str, Artifact]) -> None:
        """Read ``query_points`` and the ``queries`` whose rows it names."""
        found = load_file(inputs['query_points'].path)
        queries = frame_of(inputs['queries'])
        self.points = found['points']
        self.frame = queries[found['row'].numpy()].with_row_index('point')
        self._place = dict(zip(self.frame['text'], self.frame['point'], strict=True))

    def of(self, texts: Sequence[str]) -> Tensor:
        """Return the points of texts, float64 ``(len(texts), dim)``.

        Raises:
            ArtifactError: a text is not among the encoded ones.
        """
        try:
            places = [self._place[text] for text in texts]
        except KeyError as error:
            raise ArtifactError(
                f'text {error.args[0]!r} has no point; run the stage query-points again'
            ) from error
        return self.points[torch.tensor(places, dtype=torch.int64)]


query_points = Stage(
    'query-points',
    write,
    ('naics_embed.text.backbone', 'naics_embed.text.head', 'naics_embed.text.inference'),
)
