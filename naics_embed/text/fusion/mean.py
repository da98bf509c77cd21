"""The mean of the channels that are present."""

from torch import Tensor, nn

from naics_embed.text.fusion.base import Fused, Fusion, masked_mean


class MaskedMean(Fusion):
    """Without parameters; a code with one channel keeps that channel's embedding."""

    def forward(self, embeddings: Tensor, present: Tensor) -> Fused:
        """Fuse ``(b, channels, width)``."""
        return Fused(nn.functional.normalize(masked_mean(embeddings, present), dim=-1))
