"""The base class of fusions, and their result."""

from dataclasses import dataclass, field

from torch import Tensor, nn


@dataclass(frozen=True)
class Fused:
    """Channels fused to one embedding.

    Attributes:
        embedding: ``(b, width)``, of length 1.
        balance: scalar load-balancing loss; None where there is nothing to balance.
        metrics: scalars to log, without gradient.
    """

    embedding: Tensor
    balance: Tensor | None = None
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Fusion(nn.Module):
    """Maps ``(b, channels, width)`` and a bool mask ``(b, channels)`` to `Fused`.

    At least one channel of each row must be present; values of absent ones are ignored.
    """

    def routes(self, embeddings: Tensor, present: Tensor) -> Tensor | None:
        """Return how much each code uses each expert, ``(b, experts)`` adding up to 1, or None."""
        return None


def masked_mean(values: Tensor, present: Tensor) -> Tensor:
    """Mean over dimension −2 of ``(b, channels, width)`` where ``present`` holds."""
    weights = present.to(values.dtype)[..., None]
    return (values * weights).sum(-2) / weights.sum(-2)
