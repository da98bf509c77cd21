"""The frozen backbone beside the trained one, kept as the weights in which they differ."""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedModel

from naics_embed.errors import ArtifactError
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, length_batches

SAME = 'same_as_trained'
"""Key of the one number in a file of two backbones that do not differ."""


def write_difference(path: Path, frozen: PreTrainedModel, trained: PreTrainedModel) -> None:
    """Write the tensors of ``frozen`` that differ from those of ``trained``.

    Raises:
        ArtifactError: they are not of one architecture.
    """
    own, other = frozen.state_dict(), trained.state_dict()
    if {name: value.shape for name, value in own.items()} != {
        name: value.shape for name, value in other.items()
    }:
        raise ArtifactError('the trained transformer has another architecture than the backbone')
    changed = {
        name: value.contiguous()
        for name, value in own.items()
        if not torch.equal(value, other[name])
    }
    save_file(changed or {SAME: torch.ones(1)}, path)


def read_frozen(path: Path, trained: PreTrainedModel) -> PreTrainedModel:
    """Return the frozen backbone from what `write_difference` wrote.

    Raises:
        ArtifactError: the file is damaged, or belongs to another backbone.
    """
    try:
        changed = load_file(path)
    except SafetensorError as error:
        raise ArtifactError(f'{path} is damaged ({error}); export the table again') from error
    if set(changed) == {SAME}:
        return trained
    frozen = copy.deepcopy(trained)
    own = frozen.state_dict()
    for name, value in changed.items():
        if name not in own or own[name].shape != value.shape:
            raise ArtifactError(f'{path} does not fit the encoder of its bundle at {name}')
    frozen.load_state_dict(changed, strict=False)
    return frozen.eval()


@torch.inference_mode()
def embed_texts(
    texts: Sequence[str], tokenizer: Tokenizer, backbone: PreTrainedModel, batch_tokens: int
) -> Tensor:
    """Return unit sentence embeddings of texts, float32 ``(len(texts), width)``.

    Each distinct text is encoded once, in batches of similar length.
    """
    table = TokenTable.build(texts, tokenizer)
    embeddings = torch.empty(len(table), backbone.config.hidden_size)
    for rows in length_batches(table.lengths, batch_tokens):
        ids, mask = (torch.from_numpy(array) for array in table.padded(rows))
        hidden = backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        embeddings[torch.from_numpy(rows)] = mean_pool(hidden, mask)
    return embeddings[torch.from_numpy(table.rows(texts))]
