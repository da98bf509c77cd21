"""The sentence encoder: one backbone with frozen lower layers, and what is trained above them.

The output of the frozen layers for a text never changes, so it is computed once and kept; a
training step runs the upper layers only. Queries and each channel of a code have a LoRA adapter of
their own on the one backbone (LoRA: Hu et al., ICLR 2022), or the upper layers are trained as a
whole.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from naics_embed.errors import ConfigError
from naics_embed.text.backbone import embeddings_of, layers_of
from naics_embed.text.corpus import TextBatch
from naics_embed.text.inference.packed import PackedEncoder, encode_table
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, length_batches

QUERY = 'query_text'
"""Name of the adapter of queries; a module named ``query`` already exists in each layer."""

ADAPTED_MODULES = ('query', 'key', 'value', 'dense')


def channel_adapter(channel: str) -> str:
    """Return the name of the adapter of a channel."""
    return f'{channel}_channel'


@dataclass(frozen=True)
class AdapterSettings:
    """Settings of the part of the backbone that is trained.

    Attributes:
        rank: rank of a LoRA update.
        alpha: its scale is alpha / rank.
        dropout: dropout on its input.
        frozen_layers: lower layers that have none.
        backbone_dropout: dropout of the layers above them; None for the backbone's own.
        names: adapters; texts without an adapter of their own use the first.
        mode: ``adapters``; ``full`` trains the upper layers themselves, and ``frozen`` nothing.
        checkpointing: recompute the upper layers in the backward pass.
    """

    rank: int
    alpha: float
    dropout: float
    frozen_layers: int
    backbone_dropout: float | None = None
    names: tuple[str, ...] = (QUERY,)
    mode: str = 'adapters'
    checkpointing: bool = False


class SentenceEncoder(nn.Module):
    """Token ids → unit sentence embeddings, by mean pooling of the last layer.

    Attributes:
        width: size of an embedding.
        frozen_layers: lower layers whose output never changes.
        mode: see `AdapterSettings`.
    """

    wrapped: PeftModel | PreTrainedModel

    def __init__(self, backbone: PreTrainedModel, adapter: AdapterSettings) -> None:
        """Wrap ``backbone``; the updates of new adapters start at zero.

        Raises:
            ConfigError: the architecture keeps no ``embeddings`` and ``encoder.layer`` (so its
                lower layers cannot be run apart), or has too few layers.
        """
        super().__init__()
        layers = getattr(getattr(backbone, 'encoder', None), 'layer', None)
        if layers is None or not hasattr(backbone, 'embeddings'):
            raise ConfigError(
                f'backbone.name: {type(backbone).__name__} is not of the BERT family; '
                'choose a backbone with an encoder of stacked layers'
            )
        if not 0 <= adapter.frozen_layers < len(layers):
            raise ConfigError(
                f'backbone.frozen_layers must be from 0 to {len(layers) - 1}, '
                f'not {adapter.frozen_layers}'
            )
        upper = layers[adapter.frozen_layers :]
        if adapter.backbone_dropout is not None:
            for module in upper.modules():
                if isinstance(module, nn.Dropout):
                    module.p = adapter.backbone_dropout
        self.width = int(backbone.config.hidden_size)
        self.frozen_layers = adapter.frozen_layers
        self.mode = adapter.mode
        self.checkpointing = adapter.checkpointing
        self.names = adapter.names if adapter.mode == 'adapters' else ()
        backbone.requires_grad_(False)
        if adapter.mode == 'adapters':
            self.wrapped = _with_adapters(backbone, adapter, len(layers))
        else:
            self.wrapped = backbone
            upper.requires_grad_(adapter.mode == 'full')
        # Outside the module tree, where the layers already are.
        self._adapted = [
            [module for module in layer.modules() if isinstance(module, LoraLayer)]
            for layer in layers_of(self.backbone)
        ]
        self._free_adapters()

    @property
    def backbone(self) -> PreTrainedModel:
        """The transformer inside the adapters."""
        wrapped = self.wrapped
        if isinstance(wrapped, PeftModel):
            return cast(PreTrainedModel, wrapped.base_model.model)
        return wrapped

    @torch.no_grad()
    def lower(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Run the embeddings and the frozen layers, always without dropout.

        Args:
            input_ids: int64 ``(b, t)``.
            mask: bool ``(b, t)``.

        Returns:
            hidden states ``(b, t, width)``.
        """
        training = self.backbone.training
        self.backbone.eval()
        hidden = embeddings_of(self.backbone)(input_ids=input_ids)
        for layer in layers_of(self.backbone)[: self.frozen_layers]:
            hidden = layer(hidden, mask[:, None, None, :])
        self.backbone.train(training)
        return hidden

    def upper(self, hidden: Tensor, mask: Tensor, adapter: str | None = None) -> Tensor:
        """Run the upper layers, pool and normalise: ``(b, t, width)`` → ``(b, width)``.

        Args:
            hidden: states after the frozen layers; half precision, in which they are kept, is
                converted here, so that half as much is read, copied and moved to a GPU.
            mask: bool ``(b, t)``.
            adapter: name of the adapter in use; None, or one that is not there, for the first.
        """
        hidden = hidden.float()
        attention_mask = None if bool(mask.all()) else mask[:, None, None, :]
        recompute = self.checkpointing and self.training and torch.is_grad_enabled()
        for number in range(self.frozen_layers, len(layers_of(self.backbone))):
            if recompute:
                hidden = checkpoint(
                    self._layer, number, hidden, attention_mask, adapter, use_reentrant=False
                )
            else:
                hidden = self._layer(number, hidden, attention_mask, adapter)
        return mean_pool(hidden, mask)

    def encode(self, texts: TextBatch, adapter: str | None = None) -> Tensor:
        """Embed a batch of texts, each once: ``(b, width)``; without parts, the frozen ones."""
        if not texts.parts:
            return texts.frozen
        encoded = [self.upper(part.hidden, part.mask, adapter) for part in texts.parts]
        order = torch.cat([part.positions for part in texts.parts]).argsort()
        return torch.cat(encoded)[order if texts.copies is None else order[texts.copies]]

    def forward(self, input_ids: Tensor, mask: Tensor, adapter: str | None = None) -> Tensor:
        """Token ids ``(b, t)`` → unit embeddings ``(b, width)``."""
        return self.upper(self.lower(input_ids, mask), mask, adapter)

    @contextmanager
    def without_adapters(self) -> Iterator[None]:
        """Switch all adapters off for a while."""
        if not isinstance(self.wrapped, PeftModel):
            yield
            return
        with self.wrapped.disable_adapter():
            yield
        self._free_adapters()

    def adapter_states(self) -> dict[str, dict[str, Tensor]]:
        """Return the weights of each adapter by its name, as peft names them in its files."""
        return {
            name: get_peft_model_state_dict(self.wrapped, adapter_name=name) for name in self.names
        }

    def merged_backbone(self) -> PreTrainedModel:
        """Fold the adapter of queries into the weights; return the plain transformer, in eval mode.

        The encoder must not be used afterwards.
        """
        if not isinstance(self.wrapped, PeftModel):
            return self.wrapped.eval()
        return self.wrapped.merge_and_unload(adapter_names=[self.names[0]]).eval()

    def _layer(
        self, number: int, hidden: Tensor, mask: Tensor | None, adapter: str | None
    ) -> Tensor:
        """Run one layer with an adapter, also when it is recomputed in the backward pass."""
        if len(self.names) > 1:
            name = adapter if adapter in self.names else self.names[0]
            for module in self._adapted[number]:
                if module.active_adapters != [name]:
                    module.set_adapter(name)
                    _free(module)
        return layers_of(self.backbone)[number](hidden, mask)

    def _free_adapters(self) -> None:
        for layer in self._adapted:
            for module in layer:
                _free(module)


def _with_adapters(backbone: PreTrainedModel, adapter: AdapterSettings, layers: int) -> PeftModel:
    settings = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]  # peft says int; it only divides by it
        lora_dropout=adapter.dropout,
        target_modules=list(ADAPTED_MODULES),
        layers_to_transform=list(range(adapter.frozen_layers, layers)),
        layers_pattern='layer',
    )
    first, *others = adapter.names
    with warnings.catch_warnings():
        # peft reads an attribute of the transformer that is deprecated.
        warnings.filterwarnings('ignore', message='.*is_gradient_checkpointing.*')
        wrapped = get_peft_model(backbone, settings, adapter_name=first)
        for name in others:
            wrapped.add_adapter(name, settings)
    return wrapped


def _free(module: LoraLayer) -> None:
    """Make all adapters of a module trainable: peft freezes those that are not active."""
    for part in (module.lora_A, module.lora_B):
        part.requires_grad_(True)


@torch.inference_mode()
def encode_frozen(
    encoder: SentenceEncoder, tokens: TokenTable, batch_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Encode every text with the backbone as it was published, keeping the lower layers' output.

    Args:
        encoder: its adapters are switched off here.
        tokens: the texts.
        batch_tokens: tokens in a padded batch.

    Returns:
        float32 ``(n, width)`` unit embeddings, and float16 ``(tokens, width)`` hidden states
        after the frozen layers, aligned with ``tokens.ids``.
    """
    encoder.eval()
    embeddings = np.empty((len(tokens), encoder.width), dtype=np.float32)
    states = np.empty((len(tokens.ids), encoder.width), dtype=np.float16)
    with encoder.without_adapters():
        for rows in length_batches(tokens.lengths, batch_tokens):
            ids, mask = tokens.padded(rows)
            mask_t = torch.from_numpy(mask)
            hidden = encoder.lower(torch.from_numpy(ids), mask_t)
            embeddings[rows] = encoder.upper(hidden, mask_t).numpy()
            columns = np.arange(mask.shape[1])
            token_rows = (tokens.offsets[rows][:, None] + columns[None, :])[mask]
            states[token_rows] = hidden[mask_t].to(torch.float16).numpy()
    return embeddings, states


def encode_corpus(
    backbone: PreTrainedModel, tokens: TokenTable, frozen_layers: int, batch_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Do what `encode_frozen` does, without padding where the backbone is BERT as published.

    Args:
        backbone: the transformer.
        tokens: the texts.
        frozen_layers: lower layers whose output is kept.
        batch_tokens: tokens in a batch.

    Raises:
        ConfigError: the backbone is not of the BERT family, or has too few layers.
    """
    encoder = SentenceEncoder(backbone, AdapterSettings(1, 1.0, 0.0, frozen_layers, mode='frozen'))
    if PackedEncoder.fits(backbone):
        return encode_table(backbone, tokens, batch_tokens, frozen_layers)
    return encode_frozen(encoder, tokens, batch_tokens)
