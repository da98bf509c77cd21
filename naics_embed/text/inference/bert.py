"""A transformer of the BERT family, for inference only (Devlin et al. 2019).

Loading `transformers` takes longer than a user waits for a first answer. This module holds the
same weights under the same names and computes the same hidden states; a backbone of another family
is left to `naics_embed.text.backbone.load_transformer`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from naics_embed.text.backbone import load_transformer
from naics_embed.text.inference.bert_config import WEIGHTS_FILE, BertConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Hidden:
    """What `Bert` returns.

    Attributes:
        last_hidden_state: float32 ``(b, t, width)``.
    """

    last_hidden_state: Tensor


class Linear(nn.Linear):
    """A linear map that draws no weights: they come from a file."""

    def reset_parameters(self) -> None:
        """Leave the memory as it is."""


class Embedding(nn.Embedding):
    """An embedding that draws no weights: they come from a file."""

    def reset_parameters(self) -> None:
        """Leave the memory as it is."""


class BertEmbeddings(nn.Module):
    """Tokens, positions and the first segment."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, width)
        self.position_embeddings = Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, input_ids: Tensor) -> Tensor:
        """int64 ``(b, t)`` → ``(b, t, width)``."""
        words = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        return self.LayerNorm(words + self.position_embeddings.weight[: input_ids.shape[1]])


class BertSelfAttention(nn.Module):
    """Attention of several heads."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query = Linear(config.hidden_size, config.hidden_size)
        self.key = Linear(config.hidden_size, config.hidden_size)
        self.value = Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """``(b, t, width)`` and a mask that broadcasts to ``(b, heads, t, t)`` → as the first."""
        query, key, value = (
            layer(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return attended.transpose(1, 2).flatten(2)


class BertOutput(nn.Module):
    """A linear map, then normalisation of its sum with what came in."""

    def __init__(self, width: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(width, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """``(b, t, ·)`` and ``(b, t, width)`` → ``(b, t, width)``."""
        return self.LayerNorm(self.dense(x) + before)


class BertAttention(nn.Module):
    """Attention and its output."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.self = BertSelfAttention(config)
        self.output = BertOutput(config.hidden_size, config)

    def forward(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """``(b, t, width)`` → ``(b, t, width)``."""
        return self.output(self.self(hidden, mask), hidden)


class BertIntermediate(nn.Module):
    """The wide part of the feed-forward network."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size)

    def forward(self, hidden: Tensor) -> Tensor:
        """``(b, t, width)`` → ``(b, t, intermediate)``."""
        return functional.gelu(self.dense(hidden))


class BertLayer(nn.Module):
    """A layer of the transformer."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = BertAttention(config)
        self.intermediate = BertIntermediate(config)
        self.output = BertOutput(config.intermediate_size, config)

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """``(b, t, width)`` and a mask that broadcasts to ``(b, heads, t, t)`` → as the first."""
        attended = self.attention(hidden, mask)
        return self.output(self.intermediate(attended), attended)


class BertEncoder(nn.Module):
    """The layers."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(config) for _ in range(config.num_hidden_layers))


class Bert(nn.Module):
    """Hidden states of texts, by the computation of `transformers.BertModel` without a pooler."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertEncoder(config)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Hidden:
        """Return the last hidden states.

        Args:
            input_ids: int64 ``(b, t)``.
            attention_mask: bool or int ``(b, t)``, 0 where padded.
        """
        kept = attention_mask.bool()
        mask = None if bool(kept.all()) else kept[:, None, None, :]
        hidden = self.embeddings(input_ids)
        for layer in self.encoder.layer:
            hidden = layer(hidden, mask)
        return Hidden(hidden)


def load_encoder(folder: Path) -> 'Bert | PreTrainedModel':
    """Load a transformer for inference: float32, evaluation mode, weights in the file's pages.

    Args:
        folder: as `load_transformer` reads it. Where it holds another family than BERT, or a BERT
            under other names, that function loads it.
    """
    config = BertConfig.read(folder)
    if config is None:
        return load_transformer(folder)
    # The meta device would spare the memory, but costs more than a second of imports.
    model = Bert(config)
    state = load_file(folder / WEIGHTS_FILE)
    names = set(model.state_dict())
    if not names <= set(state):
        return load_transformer(folder)
    model.load_state_dict({name: state[name].float() for name in names}, assign=True)
    return model.eval().requires_grad_(False)
