"""The texts of a run with their frozen encodings, and which code each query belongs to."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from naics_embed.text.tokens import TokenTable, length_parts


@dataclass(frozen=True)
class QuerySet:
    """Texts and the codes they belong to.

    Attributes:
        rows: int64 ``(m,)``, rows of the token table.
        targets: int64 ``(m,)``, positions of the codes.
        against: int64 ``(m, r)``, positions of codes that a text was redirected from, so that they
            are wrong answers; −1 where there are fewer. None where there are none.
    """

    rows: np.ndarray
    targets: np.ndarray
    against: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class TextPart:
    """Texts of a batch that are padded to the longest of them.

    Attributes:
        positions: int64 ``(p,)``, their positions in the batch.
        hidden: float16 ``(p, t, width)``, states after the frozen layers, as they are kept.
        mask: bool ``(p, t)``.
    """

    positions: Tensor
    hidden: Tensor
    mask: Tensor


@dataclass
class TextBatch:
    """Texts of a step.

    Attributes:
        frozen: float32 ``(b, width)``, their embeddings by the frozen backbone.
        parts: the d distinct ones of them to be encoded, each in one part; none where frozen
            embeddings are enough.
        copies: int64 ``(b,)``, which of the distinct texts each is; None where all are.
    """

    frozen: Tensor
    parts: list[TextPart]
    copies: Tensor | None = None

    def __len__(self) -> int:
        return len(self.frozen)

    @property
    def distinct(self) -> int:
        """How many texts are encoded, where any are."""
        return len(self) if self.copies is None else int(self.copies.max()) + 1


@dataclass(frozen=True)
class TextCorpus:
    """The texts of a run: tokens and their encodings by the frozen backbone.

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

    def batch(
        self, rows: np.ndarray, limit: int | None = None, *, part_cost: int, states: bool = True
    ) -> TextBatch:
        """Collect some texts, to be encoded once each.

        Args:
            rows: int ``(b,)``; a row may come more than once.
            limit: keep at most this many tokens of each text.
            part_cost: tokens that a part with a padding of its own must save.
            states: if not, frozen embeddings only.
        """
        frozen = torch.from_numpy(self.embeddings[rows])
        if not states or not len(rows):
            return TextBatch(frozen, [])
        distinct, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        copies = None
        if len(distinct) < len(rows):
            order = np.argsort(first)
            copies = torch.from_numpy(np.argsort(order)[inverse])
            rows = distinct[order]
        lengths = self.tokens.lengths[rows]
        lengths = lengths if limit is None else np.minimum(lengths, limit)
        return TextBatch(
            frozen,
            [
                TextPart(torch.from_numpy(positions), *self.hidden(rows[positions], limit))
                for positions in length_parts(lengths, part_cost)
            ],
            copies,
        )

    def channel_embeddings(self) -> tuple[Tensor, Tensor]:
        """Return the frozen embeddings of all channels.

        Returns:
            float32 ``(codes, channels, width)``, zero where absent, and which are present, bool
            ``(codes, channels)``.
        """
        present = self.channels >= 0
        embeddings = np.zeros((*present.shape, self.embeddings.shape[1]), dtype=np.float32)
        embeddings[present] = self.embeddings[self.channels[present]]
        return torch.from_numpy(embeddings), torch.from_numpy(present)

    def hidden(self, rows: np.ndarray, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the hidden states of some texts, padded to the longest, and which are theirs.

        Args:
            rows: int ``(b,)``.
            limit: keep at most this many tokens of each text.

        Returns:
            float16 ``(b, t, width)``, 0 where padded, and mask bool ``(b, t)``.
        """
        lengths = self.tokens.lengths[rows]
        if limit is not None:
            lengths = np.minimum(lengths, limit)
        columns = np.arange(int(lengths.max()))
        mask = columns[None, :] < lengths[:, None]
        token_rows = self.tokens.offsets[rows][:, None] + columns[None, :]
        hidden = np.zeros((*mask.shape, self.states.shape[1]), dtype=self.states.dtype)
        hidden[mask] = self.states[token_rows[mask]]
        return torch.from_numpy(hidden), torch.from_numpy(mask)
