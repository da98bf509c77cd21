"""The sentence encoder: a backbone with frozen lower layers and a LoRA adapter on the others.

What the frozen layers make of a text never changes, so it is computed once and kept; a training
step runs the adapted layers only. LoRA: Hu et al., ICLR 2022.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

from naics_embed.errors import ConfigError
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, length_batches

ADAPTER = 'text'
ADAPTED_MODULES = ('query', 'key', 'value', 'dense')


@dataclass(frozen=True)
class AdapterSettings:
    """Size of the LoRA adapter.

    Attributes:
        rank: rank of the update.
        alpha: its scale is alpha / rank.
        dropout: dropout on its input.
        frozen_layers: lower layers that have none.
        backbone_dropout: dropout of the layers above them; None for the backbone's own.
    """

    rank: int
    alpha: float
    dropout: float
    frozen_layers: int
    backbone_dropout: float | None = None


class SentenceEncoder(nn.Module):
    """Token ids → unit sentence embeddings, by mean pooling of the last layer.

    Attributes:
        width: size of an embedding.
        frozen_layers: lower layers without adapters.
    """

    def __init__(self, backbone: PreTrainedModel, adapter: AdapterSettings) -> None:
        """Wrap ``backbone`` with a new adapter, whose update starts at zero.

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
        if adapter.backbone_dropout is not None:
            for module in layers[adapter.frozen_layers :].modules():
                if isinstance(module, nn.Dropout):
                    module.p = adapter.backbone_dropout
        self.width = int(backbone.config.hidden_size)
        self.frozen_layers = adapter.frozen_layers
        settings = LoraConfig(
            r=adapter.rank,
            lora_alpha=adapter.alpha,
            lora_dropout=adapter.dropout,
            target_modules=list(ADAPTED_MODULES),
            layers_to_transform=list(range(adapter.frozen_layers, len(layers))),
            layers_pattern='layer',
        )
        with warnings.catch_warnings():
            # peft asks the transformer under a name that it is about to drop.
            warnings.filterwarnings('ignore', message='.*is_gradient_checkpointing.*')
            self.peft: PeftModel = get_peft_model(backbone, settings, adapter_name=ADAPTER)

    @property
    def backbone(self) -> PreTrainedModel:
        """The transformer inside the adapter."""
        return self.peft.base_model.model

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
        hidden = self.backbone.embeddings(input_ids=input_ids)
        for layer in self.backbone.encoder.layer[: self.frozen_layers]:
            hidden = layer(hidden, mask[:, None, None, :])
        self.backbone.train(training)
        return hidden

    def upper(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Run the adapted layers, pool and normalise: ``(b, t, width)`` → ``(b, width)``."""
        attention_mask = None if bool(mask.all()) else mask[:, None, None, :]
        for layer in self.backbone.encoder.layer[self.frozen_layers :]:
            hidden = layer(hidden, attention_mask)
        return mean_pool(hidden, mask)

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids ``(b, t)`` → unit embeddings ``(b, width)``."""
        return self.upper(self.lower(input_ids, mask), mask)

    def merged_backbone(self) -> PreTrainedModel:
        """Fold the adapter into the weights and return the plain transformer, in eval mode.

        The encoder must not be used afterwards.
        """
        return self.peft.merge_and_unload().eval()


@torch.inference_mode()
def encode_frozen(
    encoder: SentenceEncoder, tokens: TokenTable, batch_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Encode every text with the backbone as it was published, keeping the lower layers' output.

    Args:
        encoder: its adapter is switched off here.
        tokens: the texts.
        batch_tokens: tokens in a padded batch.

    Returns:
        float32 ``(n, width)`` unit embeddings, and float16 ``(tokens, width)`` hidden states
        after the frozen layers, aligned with ``tokens.ids``.
    """
    encoder.eval()
    embeddings = np.empty((len(tokens), encoder.width), dtype=np.float32)
    states = np.empty((len(tokens.ids), encoder.width), dtype=np.float16)
    with encoder.peft.disable_adapter():
        for rows in length_batches(tokens.lengths, batch_tokens):
            ids, mask = tokens.padded(rows)
            mask_t = torch.from_numpy(mask)
            hidden = encoder.lower(torch.from_numpy(ids), mask_t)
            embeddings[rows] = encoder.upper(hidden, mask_t).numpy()
            columns = np.arange(mask.shape[1])
            places = (tokens.offsets[rows][:, None] + columns[None, :])[mask]
            states[places] = hidden[mask_t].to(torch.float16).numpy()
    return embeddings, states
