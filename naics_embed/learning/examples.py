"""Texts with their codes, encoded by both encoders of a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from naics_embed.bundle.storage import CODER
from naics_embed.errors import ArtifactError
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.search.coder import Coder
from naics_embed.search.searcher import BATCH_TOKENS
from naics_embed.search.storage import QUERIES, read_queries, read_query_arrays

ENCODED = 2048
"""Texts encoded at a time."""


@dataclass(frozen=True)
class Examples:
    """Texts with their codes, encoded.

    Attributes:
        texts: n texts.
        labels: int64 ``(n,)``, columns of their leaves.
        embeddings: float32 ``(n, width)``, by the frozen backbone.
        distances: float32 ``(n, leaves)``, geodesic distances of the trained encoder.
        sets: name of the set of each, such as ``index``.
        private: bool ``(n,)``, texts that must not be kept; None for none.
    """

    texts: Sequence[str]
    labels: np.ndarray
    embeddings: np.ndarray
    distances: np.ndarray
    sets: Sequence[str]
    private: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)


def encode_examples(
    coder: Coder, texts: Sequence[str], labels: np.ndarray, sets: Sequence[str]
) -> Examples:
    """Encode labelled texts by both encoders of a coder."""
    embeddings, distances = [], []
    for start in range(0, len(texts), ENCODED):
        trained, frozen = coder.encoder.embed(list(texts[start : start + ENCODED]), BATCH_TOKENS)
        distances.append(_distances(coder, coder.searcher.points_of(trained)))
        embeddings.append(frozen.numpy())
    return Examples(
        list(texts), labels, np.concatenate(embeddings), np.concatenate(distances), list(sets)
    )


def own_examples(coder: Coder) -> Examples:
    """Return the labelled texts to which the fusion of a bundle was fitted.

    They are encoded again only where the bundle does not hold what the encoders made of them.

    Raises:
        ArtifactError: the bundle was exported without them, or the file is damaged.
    """
    folder = coder.searcher.bundle.path / CODER
    queries = read_queries(folder)
    column = columns_of_codes(coder)
    unknown = [code for code in queries['code'] if code not in column]
    if unknown or not len(queries):
        fault = f'names the unknown code {unknown[0]!r}' if unknown else 'holds no text'
        raise ArtifactError(f'{folder / QUERIES} {fault}; export the table again')
    labels = np.array([column[code] for code in queries['code']], dtype=np.int64)
    texts, sets = queries['text'].to_list(), queries['set'].to_list()
    stored = read_query_arrays(folder, len(queries))
    if stored is None:
        return encode_examples(coder, texts, labels, sets)
    embeddings, tangents = stored
    points = exp0(torch.from_numpy(tangents).double(), c=coder.searcher.space.curvature)
    return Examples(texts, labels, embeddings, _distances(coder, points), sets)


def columns_of_codes(coder: Coder) -> dict[str, int]:
    """Return the column of each six-digit code."""
    return {coder.searcher.codes[leaf]: i for i, leaf in enumerate(coder.leaves.tolist())}


def _distances(coder: Coder, points: torch.Tensor) -> np.ndarray:
    searcher = coder.searcher
    leaves = searcher.points[torch.from_numpy(coder.leaves)]
    far = pairwise_distance(points, leaves, c=searcher.space.curvature)
    return far.float().numpy()
