"""Texts → points with a trained model: a plain transformer and a Lorentz head, no adapter."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import Tensor

from naics_embed.text.head import LorentzHead
from naics_embed.text.inference.packed import encoder_pair
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, length_batches

if TYPE_CHECKING:
    from naics_embed.text.inference.frozen import Transformer


@torch.no_grad()
def place_texts(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    backbone: 'Transformer',
    head: LorentzHead,
    batch_tokens: int,
) -> Tensor:
    """Return the points of texts, space parts float64 ``(len(texts), dim)``.

    Each distinct text is encoded once, in batches of similar length.
    """
    table = TokenTable.build(texts, tokenizer)
    points = torch.empty(len(table), head.linear.out_features, dtype=torch.float64)
    for rows in length_batches(table.lengths, batch_tokens):
        ids, mask = (torch.from_numpy(array) for array in table.padded(rows))
        hidden = backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        points[torch.from_numpy(rows)] = head(mean_pool(hidden, mask))
    return points[torch.from_numpy(table.rows(texts))]


@torch.no_grad()
def place_corpus(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    backbone: 'Transformer',
    head: LorentzHead,
    batch_tokens: int,
) -> Tensor:
    """Do what `place_texts` does, for so many texts that preparing the weights saves time."""
    embeddings, _ = encoder_pair(tokenizer, backbone, backbone).embed(texts, batch_tokens)
    return head(embeddings.clone())
