"""A curvature that is learned."""

import math

import torch
from torch import Tensor, nn

CURVATURE_RANGE = (0.1, 10.0)
"""Outside of it float32 coordinates of a table lose their meaning at the radii of a taxonomy."""


class LearnedCurvature(nn.Module):
    """c > 0 of a space with curvature −c, learned as a logarithm and held in `CURVATURE_RANGE`.

    Args:
        start: where it begins, within the range.
    """

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log_curvature = nn.Parameter(torch.tensor(math.log(start), dtype=torch.float64))

    def forward(self) -> Tensor:
        """Return c, a float64 scalar with gradient; at an end of the range it can still go back."""
        low, high = (math.log(bound) for bound in CURVATURE_RANGE)
        held = self.log_curvature.clamp(low, high)
        return (self.log_curvature + (held - self.log_curvature).detach()).exp()

    @torch.no_grad()
    def hold(self) -> None:
        """Put the parameter itself back into the range, after a step of the optimiser."""
        low, high = (math.log(bound) for bound in CURVATURE_RANGE)
        self.log_curvature.clamp_(low, high)
