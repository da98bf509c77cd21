"""The texts of a run with their frozen encodings, and which code each query belongs to."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from naics_embed.text.tokens import TokenTable


@dataclass(frozen=True)
class QuerySet:
    """Texts and the codes they belong to.

    Attributes:
        rows: int64 ``(m,)``, rows of the token table.
        targets: int64 ``(m,)``, positions of the codes.
    """

    rows: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class TextCorpus:
    """The texts of a run: tokens and what the frozen backbone makes of them.

    Attributes:
        tokens: every text, tokenised.
        embeddings: float32 ``(texts, width)``, sentence embeddings of the frozen backbone.
        states: float16 ``(tokens, width)``, hidden states after the frozen layers.
        channels: int64 ``(codes, channels)``, rows of each code's channel texts, −1 if absent.
    """

    tokens: TokenTable
    embeddings: np.ndarray
    states: np.ndarray
    channels: np.ndarray

    def hidden(self, rows: np.ndarray, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Return padded hidden states ``(b, t, width)`` float32 and mask ``(b, t)`` of some texts.

        Args:
            rows: int ``(b,)``.
            limit: keep at most this many tokens of each text.
        """
        lengths = self.tokens.lengths[rows]
        if limit is not None:
            lengths = np.minimum(lengths, limit)
        columns = np.arange(int(lengths.max()))
        mask = columns[None, :] < lengths[:, None]
        places = self.tokens.offsets[rows][:, None] + columns[None, :]
        hidden = np.zeros((*mask.shape, self.states.shape[1]), dtype=np.float32)
        hidden[mask] = self.states[places[mask]]
        return torch.from_numpy(hidden), torch.from_numpy(mask)
