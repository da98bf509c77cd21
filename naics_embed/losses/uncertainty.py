"""Weights of several terms, learned as the noise of each."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

LIMIT = 4.0


class UncertaintyWeights(nn.Module):
    """Sum of exp(−s)·loss + s over the terms, s learned (Kendall, Gal & Cipolla, CVPR 2018).

    s is kept in [−4, 4]: a term that has reached 0 would else gain weight for ever.

    Args:
        names: the terms; all start at s = 0, weight 1.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.log_variance = nn.Parameter(torch.zeros(len(self.names), dtype=torch.float64))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of the named losses."""
        stacked = torch.stack([losses[name] for name in self.names])
        s = self.log_variance.clamp(-LIMIT, LIMIT)
        return (torch.exp(-s) * stacked + s).sum()

    def weights(self) -> dict[str, float]:
        """Return the weight of each term."""
        s = self.log_variance.detach().clamp(-LIMIT, LIMIT)
        return dict(zip(self.names, torch.exp(-s).tolist(), strict=True))
