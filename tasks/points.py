"""Texts and the points of the trained space, as the stage ``query_points`` wrote them."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file
from torch import Tensor

from naics_embed.artifacts import Artifact
from naics_embed.errors import ArtifactError
from naics_embed.evaluation.memory import KnownPoints
from naics_embed.taxonomy import Taxonomy
from tasks.frames import frame_of, positions


class PointTable:
    """Texts and their points, as the stage wrote them."""

    def __init__(self, query_points: Artifact, queries: Artifact) -> None:
        """Read the points, and the queries whose rows they name."""
        tensors = load_file(query_points.path)
        frame = frame_of(queries)
        self.points = tensors['points']
        self.frame = frame[tensors['row'].numpy()].with_row_index('point')
        self._index = dict(zip(self.frame['text'], self.frame['point'], strict=True))

    def of(self, texts: Sequence[str]) -> Tensor:
        """Return the points of texts, float64 ``(len(texts), dim)``.

        Raises:
            ArtifactError: a text is not among the encoded ones.
        """
        try:
            rows = [self._index[text] for text in texts]
        except KeyError as error:
            raise ArtifactError(
                f'text {error.args[0]!r} has no point; run the stage query_points again'
            ) from error
        return self.points[torch.tensor(rows, dtype=torch.int64)]

    def training(self, taxonomy: Taxonomy) -> KnownPoints:
        """Return the points of the training texts that were encoded, with their codes."""
        rows = self.frame.filter(pl.col('split') == 'train')
        codes = torch.from_numpy(positions(rows['code'], taxonomy).astype(np.int64))
        return KnownPoints(
            self.points[torch.from_numpy(rows['point'].to_numpy().astype(np.int64))], codes
        )
