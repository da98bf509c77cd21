"""Noise on sentence embeddings in training: dropout and a Gaussian (Srivastava et al. 2014)."""

import math

from torch import Tensor, nn, randn_like


class EmbeddingNoise(nn.Module):
    """Perturbs unit embeddings in training, so that the head does not memorise them.

    A thousand industries with a dozen texts each are memorised in a few epochs. A head that never
    sees the same vector twice generalises better to texts that are written otherwise.

    Args:
        dropout: fraction of coordinates that are dropped, in [0, 1).
        noise: expected length of a Gaussian that is added to the unit embedding.
    """

    def __init__(self, dropout: float = 0.0, noise: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.noise = noise

    def forward(self, embeddings: Tensor) -> Tensor:
        """``(..., width)`` unit embeddings → the same shape and length; in evaluation as given."""
        if not self.training or not (self.dropout or self.noise):
            return embeddings
        perturbed = embeddings
        if self.noise:
            spread = self.noise / math.sqrt(embeddings.shape[-1])
            perturbed = perturbed + spread * randn_like(perturbed)
        return nn.functional.normalize(nn.functional.dropout(perturbed, self.dropout), dim=-1)
