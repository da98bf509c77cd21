"""A sparse mixture of experts over channels.

Shazeer et al., Outrageously Large Neural Networks (ICLR 2017); load balancing as in Fedus et al.,
Switch Transformers (JMLR 2022): k · Σₑ fₑ · Pₑ, with fₑ the fraction of assignments that expert e
gets and Pₑ its mean gate, over the channels that are present. It is 1 where the load is even.
"""

import torch
from torch import Tensor, nn

from naics_embed.text.fusion.base import Fused, Fusion, masked_mean


class Experts(Fusion):
    """Each present channel goes through the top experts of a learned gate; then the masked mean.

    An expert is a residual layer ``x + V gelu(U x)`` whose V starts at zero, so that fusion
    begins as the masked mean.

    Args:
        width: size of an embedding.
        channels: number of channels; the gate has a bias for each.
        experts: number of experts.
        top: experts that a channel is sent to.
        hidden: rows of U.
    """

    def __init__(self, width: int, channels: int, experts: int, top: int, hidden: int) -> None:
        super().__init__()
        self.top = top
        self.gate = nn.Linear(width, experts)
        self.channel = nn.Parameter(torch.zeros(channels, experts))
        self.inward = nn.Parameter(torch.randn(experts, width, hidden) / width**0.5)
        self.outward = nn.Parameter(torch.zeros(experts, hidden, width))
        nn.init.normal_(self.gate.weight, std=1.0)
        nn.init.zeros_(self.gate.bias)

    @property
    def count(self) -> int:
        """Number of experts."""
        return len(self.inward)

    def gates(self, embeddings: Tensor) -> Tensor:
        """Return the gate ``(..., channels, experts)``, a softmax over all experts."""
        return (self.gate(embeddings) + self.channel).softmax(-1)

    def forward(self, embeddings: Tensor, present: Tensor) -> Fused:
        """Fuse ``(b, channels, width)``."""
        gates = self.gates(embeddings)[present]
        weights, chosen = gates.topk(self.top, dim=-1)
        weights = weights / weights.sum(-1, keepdim=True)
        texts = embeddings[present]
        moved = torch.zeros_like(texts)
        for expert in range(self.count):
            text, rank = (chosen == expert).nonzero(as_tuple=True)
            if len(text):
                inner = nn.functional.gelu(texts[text] @ self.inward[expert])
                fraction = weights[text, rank][:, None]
                moved = moved.index_add(0, text, fraction * (inner @ self.outward[expert]))
        out = torch.zeros_like(embeddings)
        out[present] = texts + moved
        load = torch.bincount(chosen.flatten(), minlength=self.count).to(gates.dtype)
        load = load / load.sum()
        entropy = -(gates.detach().clamp_min(torch.finfo(gates.dtype).tiny).log() * gates.detach())
        return Fused(
            nn.functional.normalize(masked_mean(out, present), dim=-1),
            self.count * (load * gates.mean(0)).sum(),
            {'routing_entropy': entropy.sum(-1).mean()}
            | {f'load_{expert}': fraction for expert, fraction in enumerate(load)},
        )

    def routes(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Return the mean gate over the present channels of each code, ``(b, experts)``."""
        return masked_mean(self.gates(embeddings), present)
