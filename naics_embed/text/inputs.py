"""What a text training reads."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from naics_embed.text.corpus import QuerySet, TextCorpus


@dataclass(frozen=True)
class TextInputs:
    """Inputs of the text stage.

    Attributes:
        taxonomy: the tree.
        supervised: bool ``(n,)``; hidden codes enter no loss.
        corpus: tokens, frozen embeddings, states and channels.
        train: training queries, of supervised codes only.
        validation: validation queries by kind, each of supervised leaf codes.
        start: float64 ``(n, dim)`` tangents that the table starts at.
        backbone: the transformer, as published.
        redirect_pairs: int64 ``(m, 2)``, codes joined by a cross-reference; they are never pushed
            apart. None where there are none.
    """

    taxonomy: Taxonomy
    supervised: np.ndarray
    corpus: TextCorpus
    train: QuerySet
    validation: Mapping[str, QuerySet]
    start: Tensor
    backbone: PreTrainedModel
    redirect_pairs: np.ndarray | None = None

    @property
    def leaves(self) -> np.ndarray:
        """int64 ``(m,)``: positions of the supervised six-digit codes."""
        return np.flatnonzero(self.supervised & (self.taxonomy.level == LEAF_LEVEL))

    @property
    def teaches_leaves(self) -> bool:
        """Whether a training query has one of them, as the classifier of `distillation` needs."""
        return bool(np.isin(self.train.targets, self.leaves).any())
