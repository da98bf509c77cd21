"""Attention pooling of the channels (Yang et al., Hierarchical Attention Networks, NAACL 2016)."""

import torch
from torch import Tensor, nn

from naics_embed.text.fusion.base import Fused, Fusion


class Attention(Fusion):
    """Weighs channels by softmax of ``u·tanh(W x) + b_channel`` over those that are present.

    u and b start at zero, so that fusion begins as the masked mean.

    Args:
        width: size of an embedding.
        channels: number of channels.
        hidden: rows of W.
    """

    def __init__(self, width: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.channel = nn.Parameter(torch.zeros(channels))
        nn.init.zeros_(self.score.weight)

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Return ``(b, channels)`` weights, 0 where absent, adding up to 1."""
        scores = self.score(self.key(embeddings).tanh()).squeeze(-1) + self.channel
        return scores.masked_fill(~present, -torch.inf).softmax(-1)

    def forward(self, embeddings: Tensor, present: Tensor) -> Fused:
        """Fuse ``(b, channels, width)``."""
        weights = self.weights(embeddings, present)
        kept = embeddings.masked_fill(~present[..., None], 0)
        used = (weights[present] + torch.finfo(weights.dtype).tiny).log() * weights[present]
        return Fused(
            nn.functional.normalize((weights[..., None] * kept).sum(-2), dim=-1),
            metrics={'attention_entropy': -used.detach().sum() / len(weights)},
        )
