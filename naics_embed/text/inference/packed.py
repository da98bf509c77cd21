"""Inference of a trained transformer beside its frozen origin, on texts end to end without padding.

Tokens of many texts are in one matrix, ordered by length, so that no product computes padding;
attention runs over texts of one length at a time. The products may be in bfloat16; attention,
residual sums and normalisation stay in float32.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from naics_embed.errors import UserError
from naics_embed.text.backbone import embeddings_of, layers_of
from naics_embed.text.inference.bert import Bert
from naics_embed.text.inference.frozen import PairedEncoder
from naics_embed.text.inference.precisions import BFLOAT16, FLOAT32
from naics_embed.text.inference.prepacked import Prepacked
from naics_embed.text.tokens import TokenTable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from naics_embed.text.inference.frozen import Transformer

BLOCK_TOKENS = 1024
"""Tokens computed at a time: the output of a layer for them stays in the cache of a core."""


@dataclass(frozen=True)
class Block:
    """Texts computed together.

    Attributes:
        rows: int64 ``(b,)``, rows of the texts, shorter ones first.
        ids: int64 ``(tokens,)``, their tokens end to end.
        token_rows: int64 ``(tokens,)``, index of each token among all tokens of the table.
        positions: int64 ``(tokens,)``, index of each token in its text.
        groups: first token, texts and length of each run of texts of one length.
    """

    rows: np.ndarray
    ids: Tensor
    token_rows: np.ndarray
    positions: Tensor
    groups: list[tuple[int, int, int]]


class PackedEncoder(PairedEncoder):
    """A `PairedEncoder` that packs texts; of transformers whose layers are BERT's."""

    def __init__(
        self,
        tokenizer: 'Tokenizer',
        trained: 'Transformer',
        frozen: 'Transformer',
        precision: str,
        *,
        pack: bool = True,
    ) -> None:
        """Pair two transformers in evaluation mode.

        Args:
            tokenizer: theirs.
            trained: the trained one.
            frozen: its origin.
            precision: of the products, one of `PRECISIONS`.
            pack: whether float32 weights are ordered for oneDNN, where it has a kernel.
        """
        super().__init__(tokenizer, trained, frozen)
        dtype = torch.bfloat16 if precision == BFLOAT16 else torch.float32
        upper, origin = layers_of(trained), layers_of(frozen)
        self._below = [PackedLayer(layer, dtype, pack=pack) for layer in upper[: self.shared]]
        self._above = [PackedLayer(layer, dtype, pack=pack) for layer in upper[self.shared :]]
        self._origin = (
            self._above
            if trained is frozen
            else [PackedLayer(layer, dtype, pack=pack) for layer in origin[self.shared :]]
        )

    @staticmethod
    def fits(model: 'Transformer') -> bool:
        """Whether a transformer is BERT as it was published: absolute positions, erf-GELU."""
        if isinstance(model, Bert):
            return True
        config = model.config
        return (
            config.model_type == 'bert'
            and config.hidden_act == 'gelu'
            and getattr(config, 'position_embedding_type', 'absolute') == 'absolute'
        )

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], batch_tokens: int) -> tuple[Tensor, Tensor]:
        """Return unit embeddings by the trained and by the frozen transformer.

        Args:
            texts: the texts; each distinct one is encoded once.
            batch_tokens: most tokens computed at a time, up to `BLOCK_TOKENS`.

        Returns:
            twice float32 ``(len(texts), width)``.
        """
        table = TokenTable.build(texts, self.tokenizer)
        width = self.trained.config.hidden_size
        trained, frozen = torch.empty(len(table), width), torch.empty(len(table), width)
        for block in blocks(table, min(batch_tokens, BLOCK_TOKENS)):
            index = torch.from_numpy(block.rows)
            hidden = _run(self._below, _embedded(self.trained, block), block)
            upper = _run(self._above, hidden, block)
            trained[index] = _pooled(upper, block)
            if self._origin is self._above:
                frozen[index] = trained[index]
                continue
            if self.shared == 0:
                hidden = _embedded(self.frozen, block)
            frozen[index] = _pooled(_run(self._origin, hidden, block), block)
        order = torch.from_numpy(table.rows(texts))
        return trained[order], frozen[order]


def encoder_pair(
    tokenizer: 'Tokenizer',
    trained: 'Transformer',
    frozen: 'Transformer',
    precision: str = FLOAT32,
    *,
    pack: bool = True,
) -> PairedEncoder:
    """Return a `PackedEncoder` where the transformers are BERT, else a `PairedEncoder`.

    Raises:
        UserError: the precision is for BERT only.
    """
    if PackedEncoder.fits(trained):
        return PackedEncoder(tokenizer, trained, frozen, precision, pack=pack)
    if precision != FLOAT32:
        raise UserError(
            f'precision {precision} is for encoders of the kind BERT, not '
            f'{type(trained).__name__}; use {FLOAT32}'
        )
    return PairedEncoder(tokenizer, trained, frozen)


@torch.inference_mode()
def encode_table(
    transformer: 'Transformer', table: TokenTable, batch_tokens: int, lower: int
) -> tuple[np.ndarray, np.ndarray]:
    """Encode every text of a table, keeping the hidden states after the lower layers.

    Args:
        transformer: one that `PackedEncoder.fits`; dropout is off, whatever its mode.
        table: the texts.
        batch_tokens: most tokens computed at a time, up to `BLOCK_TOKENS`.
        lower: number of those layers.

    Returns:
        float32 ``(n, width)`` unit embeddings, and float16 ``(tokens, width)`` hidden states after
        ``lower`` layers, aligned with ``table.ids``.
    """
    layers = [PackedLayer(layer, torch.float32) for layer in layers_of(transformer)]
    width = transformer.config.hidden_size
    embeddings = np.empty((len(table), width), dtype=np.float32)
    states = np.empty((len(table.ids), width), dtype=np.float16)
    for block in blocks(table, min(batch_tokens, BLOCK_TOKENS)):
        hidden = _run(layers[:lower], _embedded(transformer, block), block)
        states[block.token_rows] = hidden.to(torch.float16).numpy()
        embeddings[block.rows] = _pooled(_run(layers[lower:], hidden, block), block).numpy()
    return embeddings, states


class PackedLayer:
    """A layer of BERT over packed tokens, query, key and value by one product."""

    def __init__(self, layer: Any, dtype: torch.dtype, *, pack: bool = True) -> None:
        """Take the weights of a layer of `transformers`, or of one with the same names."""
        attention = layer.attention
        parts = [getattr(attention.self, name) for name in ('query', 'key', 'value')]
        self.heads = self._heads(attention.self)
        self.inward = Prepacked(
            torch.cat([part.weight for part in parts]),
            torch.cat([part.bias for part in parts]),
            dtype,
            BLOCK_TOKENS,
            pack=pack,
        )
        self.outward = Prepacked.of(attention.output.dense, dtype, BLOCK_TOKENS, pack=pack)
        self.wide = Prepacked.of(
            layer.intermediate.dense, dtype, BLOCK_TOKENS, gelu=True, pack=pack
        )
        self.narrow = Prepacked.of(layer.output.dense, dtype, BLOCK_TOKENS, pack=pack)
        self.norms = (attention.output.LayerNorm, layer.output.LayerNorm)

    def __call__(self, hidden: Tensor, groups: list[tuple[int, int, int]]) -> Tensor:
        """Return float32 ``(tokens, width)`` from the same, for the groups of a `Block`."""
        attended = self._attend(self.inward(hidden), groups)
        first, second = self.norms
        hidden = _normed(hidden + self.outward(attended), first)
        return _normed(hidden + self.narrow(self.wide(hidden)), second)

    def _attend(self, mixed: Tensor, groups: list[tuple[int, int, int]]) -> Tensor:
        """``(tokens, 3 · width)`` → float32 ``(tokens, width)``."""
        width = mixed.shape[1] // 3
        shape = (3, self.heads, width // self.heads)
        mixed = mixed.float()
        result = torch.empty(len(mixed), width)
        for begin, texts, length in groups:
            rows = slice(begin, begin + texts * length)
            query, key, value = mixed[rows].view(texts, length, *shape).permute(2, 0, 3, 1, 4)
            heads = functional.scaled_dot_product_attention(query, key, value)
            result[rows].view(texts, length, *shape[1:]).copy_(heads.transpose(1, 2))
        return result

    @staticmethod
    def _heads(attention: Any) -> int:
        named = getattr(attention, 'num_attention_heads', None)
        return int(attention.heads if named is None else named)


def blocks(table: TokenTable, tokens: int) -> Iterator[Block]:
    """Yield all texts of a table, shorter ones first.

    Args:
        table: the texts.
        tokens: most tokens of a block; a longer text makes a block of its own.
    """
    lengths = table.lengths
    order = np.argsort(lengths, kind='stable')
    ends = np.cumsum(lengths[order])
    start = 0
    while start < len(order):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + tokens, side='right')))
        rows = order[start:stop]
        row_lengths = lengths[rows]
        first = np.cumsum(row_lengths) - row_lengths
        within = np.arange(int(row_lengths.sum())) - np.repeat(first, row_lengths)
        token_rows = np.repeat(table.offsets[rows], row_lengths) + within
        ids = torch.from_numpy(table.ids[token_rows].astype(np.int64))
        sizes, at, counts = np.unique(row_lengths, return_index=True, return_counts=True)
        groups = list(zip(first[at].tolist(), counts.tolist(), sizes.tolist(), strict=True))
        yield Block(rows, ids, token_rows, torch.from_numpy(within), groups)
        start = stop


def _embedded(model: 'Transformer', block: Block) -> Tensor:
    parts: Any = embeddings_of(model)
    words = parts.word_embeddings(block.ids) + parts.token_type_embeddings.weight[0]
    return _normed(words + parts.position_embeddings(block.positions), parts.LayerNorm)


def _normed(hidden: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Normalise without the bookkeeping of a module, of which there are twenty a text."""
    return torch.layer_norm(hidden, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _run(layers: list[PackedLayer], hidden: Tensor, block: Block) -> Tensor:
    for layer in layers:
        hidden = layer(hidden, block.groups)
    return hidden


def _pooled(hidden: Tensor, block: Block) -> Tensor:
    """Return unit means of the tokens of each text, ``(b, width)``."""
    means = [
        hidden[begin : begin + texts * length].view(texts, length, -1).mean(1)
        for begin, texts, length in block.groups
    ]
    return functional.normalize(torch.cat(means), dim=-1)
