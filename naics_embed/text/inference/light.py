"""Encoding of texts by numpy alone, without torch.

Importing torch takes longer than a first answer, and a process that only searches need not have it.
This module reads the same files and computes the same points and embeddings in float32; many texts
are faster with torch.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from naics_embed.errors import ArtifactError
from naics_embed.geometry.arrays import exp0
from naics_embed.optional import is_installed, is_loaded
from naics_embed.text.inference.bert_config import SAME, WEIGHTS_FILE, BertConfig

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LIGHT_TEXTS = 16
"""Most texts of a call that is worth no import of torch."""

BATCH_TOKENS = 1024
"""Most tokens computed at a time: the output of a layer for them stays in the cache of a core."""

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
        frozen: Path | None,
        head: Path,
        tokenizer: 'Tokenizer',
        *,
        curvature: float,
        r_max: float,
    ) -> 'LightEncoder | None':
        """Read the files of a bundle; None where its encoder is not a plain BERT.

        Args:
            encoder: folder of the trained transformer.
            frozen: file of the weights in which the frozen one differs; None for the trained one
                alone.
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
                for p in (encoder / WEIGHTS_FILE, frozen or head, head)
            )
        except SafetensorError as error:
            raise ArtifactError(
                f'the encoder in {encoder.parent} is damaged ({error}); export the table again'
            ) from error
        if not {f'encoder.layer.{config.num_hidden_layers - 1}.output.dense.weight'} <= set(
            trained
        ):
            return None
        same = frozen is None or set(changed) == {SAME}
        origin: Weights = trained if same else {**trained, **changed}
        return cls(config, tokenizer, trained, origin, of_head, curvature=curvature, r_max=r_max)

    def embed(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return unit embeddings by both transformers, twice float32 ``(len(texts), width)``.

        Each distinct text is encoded once, together with others of its length in tokens.
        """
        distinct = list(dict.fromkeys(texts))
        encoded = [one.ids for one in self.tokenizer.encode_batch_fast(distinct)]
        width = self.config.hidden_size
        trained, frozen = (np.empty((len(distinct), width), dtype=np.float32) for _ in range(2))
        for rows in _batches([len(ids) for ids in encoded]):
            ids = np.array([encoded[row] for row in rows])
            trained[rows], frozen[rows] = self._pair(ids)
        at = {text: row for row, text in enumerate(distinct)}
        order = [at[text] for text in texts]
        return trained[order], frozen[order]

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
        """``(texts, tokens)`` → both embeddings, through the layers that are the same once."""
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
        pooled = _unit(trained.mean(1))
        return pooled, pooled if other is trained else _unit(other.mean(1))

    def _shares(self, prefix: str) -> bool:
        return all(
            self.frozen[name] is value
            for name, value in self.trained.items()
            if name.startswith(prefix)
        )

    def _embedded(self, weights: Weights, ids: np.ndarray) -> np.ndarray:
        hidden = weights['embeddings.word_embeddings.weight'][ids]
        hidden = hidden + weights['embeddings.token_type_embeddings.weight'][0]
        hidden += weights['embeddings.position_embeddings.weight'][: ids.shape[1]]
        return self._normed(weights, 'embeddings.LayerNorm', hidden)

    def _layer(self, weights: Weights, prefix: str, hidden: np.ndarray) -> np.ndarray:
        """``(texts, tokens, width)`` → the same."""
        heads = self.config.num_attention_heads
        query, key, value = (
            _linear(weights, f'{prefix}attention.self.{name}', hidden)
            .reshape(*hidden.shape[:2], heads, -1)
            .transpose(0, 2, 1, 3)
            for name in ('query', 'key', 'value')
        )
        logits = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(query.shape[-1]))
        logits -= logits.max(-1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(-1, keepdims=True)
        attended = (logits @ value).transpose(0, 2, 1, 3).reshape(hidden.shape)
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
    return is_loaded('torch') or (texts > LIGHT_TEXTS and is_installed('torch'))


def gelu(x: np.ndarray) -> np.ndarray:
    """GELU with erf, float32."""
    root = np.clip(x * np.float32(math.sqrt(0.5)), -4, 4)
    square = root * root
    erf = root * _polynomial(ERF_NUMERATOR, square) / _polynomial(ERF_DENOMINATOR, square)
    half: np.ndarray = (erf + 1) * x / 2
    return half


def _linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    # As one matrix: numpy multiplies a stack of them one after the other.
    flat = x.reshape(-1, x.shape[-1]) @ weights[f'{name}.weight'].T + weights[f'{name}.bias']
    return np.asarray(flat.reshape(*x.shape[:-1], -1))


def _polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= x
        result += np.float32(coefficient)
    return result


def _unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield rows of texts of one length, of at most `BATCH_TOKENS` together or one text."""
    by_length: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        by_length.setdefault(length, []).append(row)
    for length, rows in sorted(by_length.items()):
        size = max(1, BATCH_TOKENS // length)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))
