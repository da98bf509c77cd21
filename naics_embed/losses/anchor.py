"""Sentence embeddings stay near those of the frozen backbone.

A penalty in function space in place of one on weights (feature distillation, as in Li and Hoiem,
Learning without Forgetting, ECCV 2016): what the training texts do not cover is kept.
"""

from torch import Tensor


def embedding_anchor(embeddings: Tensor, frozen: Tensor) -> Tensor:
    """Mean of ``1 − cos`` between unit embeddings ``(b, width)`` and the frozen ones."""
    return (1 - (embeddings.float() * frozen).sum(-1)).mean()
