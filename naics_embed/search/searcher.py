"""Texts in, ranked codes out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from naics_embed.bundle.in_use import bundle_in_use
from naics_embed.bundle.storage import HEAD, Bundle, Space
from naics_embed.errors import UserError
from naics_embed.geometry import arrays
from naics_embed.optional import need_torch
from naics_embed.search.options import check_k_and_level as check_k_and_level
from naics_embed.search.options import is_whole as is_whole
from naics_embed.taxonomy import LEAF_LEVEL
from naics_embed.text.inference.light import LightEncoder, torch_is_needed
from naics_embed.text.tokens import load_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.text.head import LorentzHead
    from naics_embed.text.inference.frozen import Transformer

BATCH_TOKENS = 1024
"""Tokens of a padded batch: of texts in order of length, so many leave little padding."""


@dataclass(frozen=True)
class Hit:
    """A code found for a text.

    Attributes:
        code: canonical code.
        official: its official spelling (``31-33`` for ``31``).
        title: its title.
        level: its digits.
        distance: geodesic distance from the text's point.
        probability: softmax of −temperature · distance over the candidates. Not calibrated: it
            ranks as the distance does, and is overconfident.
    """

    code: str
    official: str
    title: str
    level: int
    distance: float
    probability: float


class Searcher:
    """A table of codes with the encoder of its space. Safe to share between threads.

    What needs torch is read when it is first asked for: the import takes longer than an answer.
    """

    def __init__(self, bundle: Bundle, tokenizer: Tokenizer) -> None:
        """Use `load`."""
        table = bundle.codes()
        self.bundle = bundle
        self.space: Space = bundle.space
        self.codes: tuple[str, ...] = tuple(table['code'])
        self.official: tuple[str, ...] = tuple(table['official'])
        self.titles: tuple[str, ...] = tuple(table['title'])
        self.level: np.ndarray = table['level'].to_numpy()
        self.tokenizer = tokenizer

    def __repr__(self) -> str:
        """Return what it is, for shells and notebooks."""
        return f'Searcher({len(self.codes):,} codes, {self.bundle!r})'

    @classmethod
    def load(cls, path: Path | str | None = None, *, verify: bool = True) -> 'Searcher':
        """Load a bundle, or the promoted one.

        Args:
            path: directory of the bundle; None for the one in use, `bundle.in_use`.
            verify: compare every file with its checksum first: 0.1 s for 90 MB of weights.

        Raises:
            ArtifactError: there is no such bundle, or it is damaged.
        """
        bundle = Bundle.load(Path(path) if path else bundle_in_use(), verify=verify)
        return cls(bundle, load_tokenizer(bundle.encoder, bundle.space.window))

    @cached_property
    def backbone(self) -> 'Transformer':
        """The trained transformer, on torch."""
        need_torch(f'the encoder of {self.bundle.path}')
        from naics_embed.text.inference.bert import load_encoder

        return load_encoder(self.bundle.encoder)

    @cached_property
    def light(self) -> LightEncoder | None:
        """The trained transformer on numpy; None where it is none of this kind.

        Raises:
            ArtifactError: a file is damaged.
        """
        return LightEncoder.read(
            self.bundle.encoder,
            None,
            self.bundle.encoder / HEAD,
            self.tokenizer,
            curvature=self.space.curvature,
            r_max=self.space.r_max,
        )

    @cached_property
    def point_array(self) -> np.ndarray:
        """Space parts of the points of all codes, float64 ``(codes, dim)``."""
        return arrays.exp0(self.bundle.tangents(), self.space.curvature)

    @cached_property
    def points(self) -> 'Tensor':
        """`point_array` as a tensor of torch, for `naics_embed.geometry`."""
        need_torch('a table of tensors')
        import torch

        from naics_embed.geometry.lorentz import exp0

        return exp0(torch.from_numpy(self.bundle.tangents()), c=self.space.curvature)

    @cached_property
    def _head(self) -> 'LorentzHead':
        from naics_embed.text.head import LorentzHead

        path = self.bundle.encoder / HEAD
        return LorentzHead.load(path, c=self.space.curvature, r_max=self.space.r_max)

    def encode(self, texts: Sequence[str]) -> 'Tensor':
        """Return the points of texts by torch, space parts float64 ``(len(texts), dim)``.

        `place` gives the same as an array, with torch and without it.

        Raises:
            MissingPackageError: torch is not installed.
            UserError: a text is empty, no string or no Unicode; the message names its position.
        """
        if isinstance(texts, str):
            raise UserError('give a list of texts, not a single string')
        check_texts(texts)
        need_torch('Searcher.encode')
        import torch

        from naics_embed.text.inference.corpus import place_texts

        if len(texts) == 0:
            return torch.empty(0, self.space.dim, dtype=torch.float64)
        return place_texts(
            texts, self.tokenizer, self.backbone, self._head, batch_tokens=BATCH_TOKENS
        )

    def place(self, texts: Sequence[str]) -> np.ndarray:
        """Return the points of texts, space parts float64 ``(len(texts), dim)``.

        Raises:
            UserError: as `encode`.
        """
        light = None if torch_is_needed(len(texts)) else self.light
        if light is None:
            return self.encode(texts).numpy()
        check_texts(texts)
        return light.points(light.embed(texts)[0])

    def points_of(self, embeddings: 'Tensor') -> 'Tensor':
        """Return the points of unit embeddings ``(q, width)`` by the bundle's transformer."""
        import torch

        with torch.no_grad():
            points: Tensor = self._head(embeddings)
        return points

    def search(self, texts: Sequence[str], k: int = 5, level: int = LEAF_LEVEL) -> list[list[Hit]]:
        """Return the k nearest codes of one level for each text, nearest first.

        Args:
            texts: descriptions.
            k: how many codes.
            level: digits of the codes ranked, 2 to 6.

        Raises:
            UserError: a text is empty, or k or level is out of range.
        """
        check_k_and_level(k, level)
        if isinstance(texts, str):
            raise UserError('give a list of texts, not a single string')
        candidates = np.flatnonzero(self.level == level)
        distances = self.distances(self.place(texts), candidates)
        logits = -self.space.temperature * distances
        probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
        # A stable sort gives equal distances the order of the codes.
        order = distances.argsort(axis=-1, kind='stable')[:, :k]
        return [
            [
                self._hit(int(candidates[column]), float(row[column]), float(chances[column]))
                for column in best.tolist()
            ]
            for best, row, chances in zip(order, distances, probabilities, strict=True)
        ]

    def distances(self, points: np.ndarray, codes: np.ndarray | None = None) -> np.ndarray:
        """Return geodesic distances of points ``(q, dim)`` from codes, float64 ``(q, codes)``.

        Args:
            points: space parts, float64.
            codes: int ``(codes,)``, rows of them; all where None.
        """
        if not torch_is_needed(len(points)):
            of_codes = self.point_array if codes is None else self.point_array[codes]
            return arrays.pairwise_distance(points, of_codes, self.space.curvature)
        import torch

        from naics_embed.geometry.lorentz import pairwise_distance

        of = self.points if codes is None else self.points[torch.from_numpy(codes)]
        return pairwise_distance(torch.from_numpy(points), of, c=self.space.curvature).numpy()

    def _hit(self, code: int, distance: float, probability: float) -> Hit:
        return Hit(
            self.codes[code],
            self.official[code],
            self.titles[code],
            int(self.level[code]),
            distance,
            probability,
        )


def check_texts(texts: Sequence[str]) -> None:
    """Raise UserError where a text is empty, no string or no Unicode, naming its position."""
    for position, text in enumerate(texts):
        fault = text_fault(text)
        if fault is not None:
            raise UserError(f'text {position} {fault}')


def text_fault(text: object) -> str | None:
    """Return what is wrong with a text, or None."""
    missing = text is None or (isinstance(text, float) and math.isnan(text))
    if missing or (isinstance(text, str) and not text.strip()):
        return 'is empty: give a description of a business'
    if not isinstance(text, str):
        return f'is of type {type(text).__name__}, not a string'
    # Bytes of a command line that are no UTF-8 arrive as lone surrogates.
    if any('\ud800' <= character <= '\udfff' for character in text):
        return 'is not valid Unicode: give it in UTF-8'
    return None
