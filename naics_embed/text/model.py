"""The text model: a table of code tangents and a query encoder in one Lorentz space."""

import math

import torch
from torch import Tensor, nn

from naics_embed.geometry.lorentz import bound_radius, exp0
from naics_embed.text.encoder import SentenceEncoder
from naics_embed.text.head import LorentzHead


class TextModel(nn.Module):
    """Codes and texts as points of the Lorentz model with curvature −c.

    Attributes:
        encoder: token ids → sentence embeddings.
        head: sentence embeddings → points.
        table: ``(n, dim)`` learned tangents of the codes, unbounded; see `code_points`.
        log_temperature: log of the factor on the distance in the cross-entropy.
    """

    def __init__(
        self, encoder: SentenceEncoder, head: LorentzHead, table: Tensor, temperature: float
    ) -> None:
        """Start from ``table``, tangents of norm below the radius bound."""
        super().__init__()
        self.encoder = encoder
        self.head = head
        norm = table.norm(dim=-1, keepdim=True)
        inside = (norm / head.r_max).clamp(max=1 - torch.finfo(torch.float32).eps)
        stretch = head.r_max * torch.atanh(inside) / norm.clamp_min(torch.finfo(table.dtype).tiny)
        self.table = nn.Parameter((table * stretch).float())
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    @property
    def temperature(self) -> Tensor:
        """The factor on the distance in the cross-entropy."""
        return self.log_temperature.exp()

    def code_points(self) -> Tensor:
        """Space parts of all codes, float64 ``(n, dim)``."""
        return exp0(bound_radius(self.table.double(), r_max=self.head.r_max), c=self.head.c)

    def place(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Points of codes placed by text alone: the masked mean of their channels' embeddings.

        Args:
            embeddings: ``(b, channels, width)`` unit embeddings; absent ones are ignored.
            present: bool ``(b, channels)``, at least one true in each row.

        Returns:
            space parts, float64 ``(b, dim)``.
        """
        weights = present.to(embeddings.dtype)[..., None]
        mean = (embeddings * weights).sum(-2) / weights.sum(-2)
        return self.head(nn.functional.normalize(mean, dim=-1))
