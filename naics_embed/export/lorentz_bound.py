"""The last module of the encoder: bounds tangent vectors as the table of codes is bounded.

This file is part of the exported folder, since sentence-transformers has no such module. It needs
sentence-transformers and torch only.
"""

from typing import Any, ClassVar

import torch
from sentence_transformers.base.modules import Module


class LorentzBound(Module):
    """Maps a vector v to r_max · tanh(|v| / r_max) · v / |v|: a tangent vector at the origin.

    Args:
        r_max: bound of its length, which is the geodesic radius of the point.

    Example:
        >>> bound = LorentzBound(5.0)
        >>> long = bound({'sentence_embedding': torch.tensor([[30.0, 40.0]])})
        >>> long['sentence_embedding'].norm().item()
        5.0
    """

    config_keys: ClassVar[list[str]] = ['r_max']  # type: ignore[misc]  # every module declares it so

    def __init__(self, r_max: float) -> None:
        super().__init__()
        self.r_max = r_max

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Bound the vectors of a batch."""
        v = features['sentence_embedding']
        norm = v.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
        features['sentence_embedding'] = self.r_max * torch.tanh(norm / self.r_max) * v / norm
        return features

    def save(self, output_path: str, *args: object, **kwargs: object) -> None:
        """Write the bound."""
        self.save_config(output_path)
