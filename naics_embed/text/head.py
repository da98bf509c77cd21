"""The Lorentz head: from a sentence embedding to a bounded tangent vector at the origin."""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from naics_embed.geometry.lorentz import bound_radius, exp0
from naics_embed.text.ridge import ridge_weights


class LorentzHead(nn.Module):
    """A linear map plus a gated hidden layer that starts at zero, then a smooth radius bound.

    The hidden layer begins without effect, so that a linear initialisation holds exactly.

    Args:
        width: size of a sentence embedding; embeddings have unit length.
        dim: dimensions of the space.
        c: curvature is −c.
        r_max: bound on the geodesic distance from the origin.
        units: size of the hidden layer; ``width`` where None.
    """

    def __init__(
        self, width: int, dim: int, *, c: float, r_max: float, units: int | None = None
    ) -> None:
        super().__init__()
        self.c = c
        self.r_max = r_max
        self.scale = math.sqrt(width)
        self.linear = nn.Linear(width, dim)
        self.hidden = nn.Linear(width, units or width)
        self.out = nn.Linear(units or width, dim, bias=False)
        nn.init.zeros_(self.out.weight)
        nn.init.normal_(self.linear.weight, std=1 / math.sqrt(width * dim))
        nn.init.zeros_(self.linear.bias)

    @classmethod
    def load(cls, path: Path, *, c: float, r_max: float) -> 'LorentzHead':
        """Read the weights of a head, in evaluation mode; its sizes are theirs."""
        state = load_file(path)
        (dim, width), units = state['linear.weight'].shape, len(state['hidden.bias'])
        head = cls(width, dim, c=c, r_max=r_max, units=units)
        head.load_state_dict(state)
        return head.eval()

    def free(self, embedding: Tensor) -> Tensor:
        """``(..., width)`` → tangent vector ``(..., dim)`` before its bound, in float32.

        Mixed precision ends here: it is for the transformer only.
        """
        with torch.autocast(embedding.device.type, enabled=False):
            x = embedding.float() * self.scale
            return self.linear(x) + self.out(nn.functional.gelu(self.hidden(x)))

    def tangent(self, embedding: Tensor) -> Tensor:
        """``(..., width)`` → bounded tangent vector at the origin ``(..., dim)``, in float32."""
        return bound_radius(self.free(embedding), r_max=self.r_max)

    def forward(self, embedding: Tensor) -> Tensor:
        """``(..., width)`` → space part of a point ``(..., dim)``, in float64."""
        return exp0(self.tangent(embedding).double(), c=self.c)

    @torch.no_grad()
    def fit_linear(self, embeddings: Tensor, tangents: Tensor, ridge: float) -> None:
        """Set the linear map by ridge regression from embeddings to target tangents.

        Args:
            embeddings: ``(m, width)`` unit embeddings.
            tangents: ``(m, dim)`` targets, of norm below ``r_max``.
            ridge: penalty relative to the mean squared feature.
        """
        x = embeddings.double() * self.scale
        y = unbound_radius(tangents.double(), r_max=self.r_max)
        x_mean, y_mean = x.mean(0), y.mean(0)
        weight = ridge_weights(x - x_mean, y - y_mean, ridge)
        self.linear.weight.copy_(weight.T)
        self.linear.bias.copy_(y_mean - x_mean @ weight)


def unbound_radius(tangents: Tensor, *, r_max: float) -> Tensor:
    """Return what `bound_radius` maps to ``tangents`` ``(..., dim)``, of norm below ``r_max``."""
    norm = tangents.norm(dim=-1, keepdim=True)
    inside = (norm / r_max).clamp(max=1 - torch.finfo(torch.float32).eps)
    return tangents * r_max * torch.atanh(inside) / norm.clamp_min(torch.finfo(norm.dtype).tiny)
