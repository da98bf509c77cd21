"""The choice of a fusion by its name."""

from naics_embed.text.fusion.attention import Attention
from naics_embed.text.fusion.base import Fusion
from naics_embed.text.fusion.experts import Experts
from naics_embed.text.fusion.mean import MaskedMean


def make_fusion(
    kind: str, *, width: int, channels: int, experts: int, top: int, hidden: int
) -> Fusion:
    """Build a fusion: ``masked_mean``, ``attention`` or ``experts``."""
    if kind == 'experts':
        return Experts(width, channels, experts, top, hidden)
    if kind == 'attention':
        return Attention(width, channels, hidden)
    return MaskedMean()
