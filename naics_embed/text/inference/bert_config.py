"""What a folder of a BERT holds, read without torch."""

import json
from dataclasses import dataclass
from pathlib import Path

CONFIG_FILE = 'config.json'
WEIGHTS_FILE = 'model.safetensors'

SAME = 'same_as_trained'
"""Key of the one tensor of the file of a frozen backbone that is the trained one."""


@dataclass(frozen=True)
class BertConfig:
    """What decides the computation, under the names of `transformers`.

    Attributes:
        vocab_size: tokens of the vocabulary.
        hidden_size: width of the hidden states.
        num_hidden_layers: layers.
        num_attention_heads: heads of a layer.
        intermediate_size: width of the feed-forward part.
        max_position_embeddings: longest text in tokens.
        type_vocab_size: kinds of segments; texts are of the first.
        layer_norm_eps: added to the variance in layer normalisation.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float

    @classmethod
    def read(cls, folder: Path) -> 'BertConfig | None':
        """Return the configuration of a folder, or None where it is of another family."""
        stored = json.loads((folder / CONFIG_FILE).read_text(encoding='utf-8'))
        plain = (
            stored.get('model_type') == 'bert'
            and stored.get('hidden_act') == 'gelu'
            and stored.get('position_embedding_type', 'absolute') == 'absolute'
            and not stored.get('is_decoder', False)
        )
        names = cls.__dataclass_fields__
        if not plain or not set(names) <= set(stored):
            return None
        return cls(**{name: stored[name] for name in names})
