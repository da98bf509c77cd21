"""The frozen backbone beside the trained one, kept as the weights in which they differ."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from naics_embed.errors import ArtifactError
from naics_embed.text.backbone import embeddings_of, layers_of
from naics_embed.text.inference.bert_config import SAME
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, length_batches

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from naics_embed.text.inference.bert import Bert

    Transformer = Bert | PreTrainedModel


def write_difference(path: Path, frozen: 'Transformer', trained: 'Transformer') -> None:
    """Write the tensors of ``frozen`` that differ from those of ``trained``.

    Raises:
        ArtifactError: they are not of one architecture.
    """
    frozen_state, trained_state = frozen.state_dict(), trained.state_dict()
    if {name: value.shape for name, value in frozen_state.items()} != {
        name: value.shape for name, value in trained_state.items()
    }:
        raise ArtifactError('the trained transformer has another architecture than the backbone')
    changed = {
        name: value.contiguous()
        for name, value in frozen_state.items()
        if not torch.equal(value, trained_state[name])
    }
    save_file(changed or {SAME: torch.ones(1)}, path)


def read_frozen(path: Path, trained: 'Transformer') -> 'Transformer':
    """Return the frozen backbone from what `write_difference` wrote.

    It shares with ``trained`` the tensors that are the same in both.

    Raises:
        ArtifactError: the file is damaged, or belongs to another backbone.
    """
    try:
        changed = load_file(path)
    except SafetensorError as error:
        raise ArtifactError(f'{path} is damaged ({error}); export the table again') from error
    if set(changed) == {SAME}:
        return trained
    parameters = dict(trained.named_parameters())
    for name, value in changed.items():
        if name not in parameters or parameters[name].shape != value.shape:
            raise ArtifactError(f'{path} does not fit the encoder of its bundle at {name}')
    shared = {id(value): value for name, value in parameters.items() if name not in changed}
    frozen = copy.deepcopy(trained, shared)
    frozen.load_state_dict(changed, strict=False)
    return frozen.eval()


class PairedEncoder:
    """A trained transformer and its frozen origin, with one pass through the layers they share.

    Attributes:
        shared: lower layers whose weights are the same in both.
    """

    def __init__(self, tokenizer: Tokenizer, trained: 'Transformer', frozen: 'Transformer') -> None:
        """Pair two transformers of the BERT family, both in evaluation mode."""
        self.tokenizer = tokenizer
        self.trained = trained
        self.frozen = frozen
        self.shared = _shared_layers(trained, frozen)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], batch_tokens: int) -> tuple[Tensor, Tensor]:
        """Return unit embeddings by the trained and by the frozen transformer.

        Each distinct text is encoded once, in batches of similar length.

        Args:
            texts: the texts.
            batch_tokens: tokens in a padded batch.

        Returns:
            twice float32 ``(len(texts), width)``.
        """
        table = TokenTable.build(texts, self.tokenizer)
        width = self.trained.config.hidden_size
        trained, frozen = torch.empty(len(table), width), torch.empty(len(table), width)
        for rows in length_batches(table.lengths, batch_tokens):
            ids, mask = (torch.from_numpy(array) for array in table.padded(rows))
            index = torch.from_numpy(rows)
            trained[index], frozen[index] = self._pair(ids, mask)
        order = torch.from_numpy(table.rows(texts))
        return trained[order], frozen[order]

    def _pair(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        attention = None if bool(mask.all()) else mask[:, None, None, :]
        hidden = embeddings_of(self.trained)(input_ids=ids)
        for layer in layers_of(self.trained)[: self.shared]:
            hidden = layer(hidden, attention)
        if self.trained is self.frozen:
            pooled = mean_pool(hidden, mask)
            return pooled, pooled
        upper = hidden
        for layer in layers_of(self.trained)[self.shared :]:
            upper = layer(upper, attention)
        if self.shared == 0:
            hidden = embeddings_of(self.frozen)(input_ids=ids)
        for layer in layers_of(self.frozen)[self.shared :]:
            hidden = layer(hidden, attention)
        return mean_pool(upper, mask), mean_pool(hidden, mask)


def _shared_layers(trained: 'Transformer', frozen: 'Transformer') -> int:
    """Return how many lower layers, embeddings included, have the same weights; 0 where none."""
    if not _same(embeddings_of(trained), embeddings_of(frozen)):
        return 0
    shared = 0
    for one, other in zip(layers_of(trained), layers_of(frozen), strict=True):
        if not _same(one, other):
            break
        shared += 1
    return shared


def _same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    other_state = other.state_dict()
    return all(torch.equal(value, other_state[name]) for name, value in one.state_dict().items())
