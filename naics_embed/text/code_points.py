"""Encoding of the channels of many codes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from naics_embed.text.corpus import TextBatch, TextCorpus
from naics_embed.text.encoder import SentenceEncoder, channel_adapter
from naics_embed.text.tokens import length_batches


def encode_channels(
    encoder: SentenceEncoder, names: Sequence[str], texts: Sequence[TextBatch], present: Tensor
) -> Tensor:
    """Encode the channels of some codes, each with its own adapter.

    Args:
        encoder: the encoder.
        names: channels.
        texts: for each channel, the texts of the codes that have it.
        present: bool ``(p, channels)``, which do.

    Returns:
        ``(p, channels, width)`` unit embeddings, zero where absent.
    """
    shape = (*present.shape, encoder.width)
    result = torch.zeros(shape, device=present.device, dtype=torch.float32)
    for column, (name, batch) in enumerate(zip(names, texts, strict=True)):
        if len(batch):
            rows = present[:, column].nonzero().squeeze(1)
            encoded = encoder.encode(batch, channel_adapter(name)).float()
            result = result.index_put((rows, torch.full_like(rows, column)), encoded)
    return result


@torch.no_grad()
def encode_all_channels(
    encoder: SentenceEncoder,
    corpus: TextCorpus,
    names: Sequence[str],
    *,
    limit: int,
    batch_tokens: int,
    device: torch.device | str = 'cpu',
    rows: np.ndarray | None = None,
) -> Tensor:
    """Encode the channels of all codes as inference does, in batches by length.

    Args:
        encoder: left in the mode it is in; dropout is off here.
        corpus: the texts.
        names: channels, the columns of ``corpus.channels``.
        limit: tokens kept of a text.
        batch_tokens: tokens in a padded batch.
        device: where the encoder is.
        rows: codes to encode; all where None.

    Returns:
        float32 ``(codes, channels, width)`` on the device, zero where absent.
    """
    channels = corpus.channels if rows is None else corpus.channels[rows]
    result = torch.zeros(*channels.shape, encoder.width, device=device)
    training = encoder.training
    encoder.eval()
    for column, name in enumerate(names):
        codes = np.flatnonzero(channels[:, column] >= 0)
        texts = channels[codes, column]
        lengths = np.minimum(corpus.tokens.lengths[texts], limit)
        for part in length_batches(lengths, batch_tokens):
            hidden, mask = corpus.hidden(texts[part], limit)
            index = torch.from_numpy(codes[part]).to(device)
            result[index, column] = encoder.upper(
                hidden.to(device), mask.to(device), channel_adapter(name)
            ).float()
    encoder.train(training)
    return result
