"""Encoding of a few texts by numpy alone, for processes that end with their first answers.

Importing torch takes longer than such an answer. This module reads the same files and computes the
same points and embeddings, text by text, in float32; many texts are faster with torch.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from naics_embed.errors import ArtifactError
from naics_embed.text.inference.bert_config import SAME, WEIGHTS_FILE, BertConfig

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LIGHT_TEXTS = 16
"""Most texts of a call that is worth no import of torch."""

ERF_NUMERATOR = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
ERF_DENOMINATOR = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)
"""Eigen's rational approximation of erf in float32, good to its last digits on [−4, 4]."""

Weights = Mapping[str, np.ndarray]


class LightEncoder:
    """A trained BERT beside its frozen origin, with a Lorentz head, on numpy.

    Args:
        config: sizes of both.
        tokenizer: theirs.
        trained: weights by their names in the file.
        frozen: likewise; the same object where both are one.
        head: weights of the head.
        curvature: c of the space.
        r_max: bound on the radius.
    """

    def __init__(
        self,
        config: BertConfig,
        tokenizer: 'Tokenizer',
        trained: Weights,
        frozen: Weights,
        head: Weights,
        *,
        curvature: float,
        r_max: float,
    ) -> None:
        self.config, self.tokenizer = config, tokenizer
        self.trained, self.frozen, self.head = trained, frozen, head
        self.curvature, self.r_max = curvature, r_max

    @classmethod
    def read(
        cls,
        encoder: Path,
        frozen: Path,
        head: Path,
        tokenizer: 'Tokenizer',
        *,
        curvature: float,
        r_max: float,
    ) -> 'LightEncoder | None':
        """Read the files of a bundle; None where its encoder is not a plain BERT.

        Args:
            encoder: folder of the trained transformer.
            frozen: file of the weights in which the frozen one differs.
            head: file of the head.
            tokenizer: of both.
            curvature: c of the space.
            r_max: bound on the radius.

        Raises:
            ArtifactError: a file is damaged.
        """
        config = BertConfig.read(encoder)
        if config is None:
            return None
        try:
            trained, changed, of_head = (
                {name: value.astype(np.float32, copy=False) for name, value in load_file(p).items()}
                for p in (encoder / WEIGHTS_FILE, frozen, head)
            )
        except SafetensorError as error:
            raise ArtifactError(
                f'the encoder in {encoder.parent} is damaged ({error}); export the table again'
            ) from error
        if not {f'encoder.layer.{config.num_hidden_layers - 1}.output.dense.weight'} <= set(
            trained
        ):
            return None
        origin: Weights = trained if set(changed) == {SAME} else {**trained, **changed}
        return cls(config, tokenizer, trained, origin, of_head, curvature=curvature, r_max=r_max)

    def embed(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return unit embeddings by both transformers, twice float32 ``(len(texts), width)``."""
        pairs = [
            self._pair(np.array(encoding.ids))
            for encoding in self.tokenizer.encode_batch_fast(list(texts))
        ]
        trained, frozen = zip(*pairs, strict=True)
        return np.stack(trained), np.stack(frozen)

    def points(self, embeddings: np.ndarray) -> np.ndarray:
        """Return points of embeddings by the trained transformer, float64 ``(q, dim)``."""
        head = self.head
        x = embeddings * np.float32(math.sqrt(self.config.hidden_size))
        hidden = gelu(x @ head['hidden.weight'].T + head['hidden.bias'])
        free = x @ head['linear.weight'].T + head['linear.bias'] + hidden @ head['out.weight'].T
        length = np.linalg.norm(free, axis=-1, keepdims=True)
        tiny = np.finfo(np.float32).tiny
        bound = self.r_max * np.tanh(length / self.r_max) / np.maximum(length, tiny)
        return exp0((bound * free).astype(np.float64), self.curvature)

    def _pair(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both embeddings of a text, through the layers that are the same once."""
        trained = other = self._embedded(self.trained, ids)
        apart = self.frozen is not self.trained
        if apart and not self._shares('embeddings.'):
            other = self._embedded(self.frozen, ids)
        for number in range(self.config.num_hidden_layers):
            prefix = f'encoder.layer.{number}.'
            one = other is trained
            before = trained
            trained = self._layer(self.trained, prefix, trained)
            if one and (not apart or self._shares(prefix)):
                other = trained
            else:
                other = self._layer(self.frozen, prefix, before if one else other)
        pooled = _unit(trained.mean(0))
        return pooled, pooled if other is trained else _unit(other.mean(0))

    def _shares(self, prefix: str) -> bool:
        return all(
            self.frozen[name] is value
            for name, value in self.trained.items()
            if name.startswith(prefix)
        )

    def _embedded(self, weights: Weights, ids: np.ndarray) -> np.ndarray:
        hidden = weights['embeddings.word_embeddings.weight'][ids]
        hidden = hidden + weights['embeddings.token_type_embeddings.weight'][0]
        hidden += weights['embeddings.position_embeddings.weight'][: len(ids)]
        return self._normed(weights, 'embeddings.LayerNorm', hidden)

    def _layer(self, weights: Weights, prefix: str, hidden: np.ndarray) -> np.ndarray:
        """``(tokens, width)`` → the same."""
        heads = self.config.num_attention_heads
        query, key, value = (
            _linear(weights, f'{prefix}attention.self.{name}', hidden)
            .reshape(len(hidden), heads, -1)
            .transpose(1, 0, 2)
            for name in ('query', 'key', 'value')
        )
        logits = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(query.shape[-1]))
        logits -= logits.max(-1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(-1, keepdims=True)
        attended = (logits @ value).transpose(1, 0, 2).reshape(hidden.shape)
        output = _linear(weights, f'{prefix}attention.output.dense', attended)
        hidden = self._normed(weights, f'{prefix}attention.output.LayerNorm', output + hidden)
        wide = gelu(_linear(weights, f'{prefix}intermediate.dense', hidden))
        output = _linear(weights, f'{prefix}output.dense', wide)
        return self._normed(weights, f'{prefix}output.LayerNorm', output + hidden)

    def _normed(self, weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + np.float32(self.config.layer_norm_eps))
        return x * weights[f'{name}.weight'] + weights[f'{name}.bias']


def torch_is_needed(texts: int) -> bool:
    """Whether so many texts are encoded with torch: it is imported already, or pays for itself."""
    return 'torch' in sys.modules or (texts > LIGHT_TEXTS and find_spec('torch') is not None)


def gelu(x: np.ndarray) -> np.ndarray:
    """GELU with erf, float32."""
    root = np.clip(x * np.float32(math.sqrt(0.5)), -4, 4)
    square = root * root
    erf = root * _polynomial(ERF_NUMERATOR, square) / _polynomial(ERF_DENOMINATOR, square)
    half: np.ndarray = (erf + 1) * x / 2
    return half


def exp0(tangents: np.ndarray, c: float) -> np.ndarray:
    """Return what `geometry.lorentz.exp0` does, float64 ``(q, dim)``."""
    length = math.sqrt(c) * np.linalg.norm(tangents, axis=-1, keepdims=True)
    safe = np.where(length > 0, length, 1)
    return np.asarray(np.where(length > 0, np.sinh(safe) / safe, 1) * tangents)


def distances(points: np.ndarray, codes: np.ndarray, c: float) -> np.ndarray:
    """Return geodesic distances of all pairs, float64 ``(q, n)``.

    By one inner product for each: exact to 1e-5 where points all but coincide, and to 1e-9 where
    they are farther apart than siblings are. `geometry.lorentz.pairwise_distance` is exact.
    """
    x, y = math.sqrt(c) * points, math.sqrt(c) * codes
    above_x, above_y = _height(x), _height(y)
    u = (above_x[:, None] * (1 + above_y) + above_y - x @ y.T) / 2
    return np.asarray(2 * np.arcsinh(np.sqrt(np.maximum(u, 0))) / math.sqrt(c))


def _height(x: np.ndarray) -> np.ndarray:
    square = np.square(x).sum(-1)
    return np.asarray(square / (1 + np.sqrt(1 + square)))


def _linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return np.asarray(x @ weights[f'{name}.weight'].T + weights[f'{name}.bias'])


def _polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= x
        result += np.float32(coefficient)
    return result


def _unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.linalg.norm(x))
