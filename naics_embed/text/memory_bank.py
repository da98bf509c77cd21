"""A memory bank: the training texts as points of the space, for losses that compare with them.

Wu et al. (CVPR 2018) keep an embedding of every training example and refresh it when the example
passes through training; retrieval-augmented dual encoders (RAE-XMC, 2025) decode by such a memory
of labels and instances. Here the sentence embeddings are kept, which a step's texts replace, and
the head takes all of them to points every so many steps, so that no text is encoded twice.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

ROWS = 4096
"""Texts that are taken to points at a time."""


class MemoryBank(nn.Module):
    """Training texts of some codes; everything in it is without gradient.

    Attributes:
        rows: int64 ``(m,)``, rows of the texts in the token table.
        codes: int64 ``(m,)``, positions of their codes.
        embeddings: float32 ``(m, width)``, unit sentence embeddings, as of their last step.
        points: float64 ``(m, dim)``, space parts, as of the last `refresh` or step; empty before.
        age: steps since the last refresh, int64 scalar.
    """

    rows: Tensor
    codes: Tensor
    embeddings: Tensor
    points: Tensor
    age: Tensor

    def __init__(self, rows: Tensor, codes: Tensor, embeddings: Tensor) -> None:
        """Begin with embeddings of the frozen backbone.

        Args:
            rows: int64 ``(m,)``, distinct.
            codes: int64 ``(m,)``.
            embeddings: float32 ``(m, width)``.
        """
        super().__init__()
        place = torch.full((int(rows.max()) + 1,), -1, dtype=torch.int64)
        place[rows] = torch.arange(len(rows))
        for name, value in {
            'rows': rows,
            'codes': codes,
            'embeddings': embeddings.clone(),
            'points': torch.empty(0, 0, dtype=torch.float64),
            'age': torch.zeros((), dtype=torch.int64),
            'place': place,
        }.items():
            self.register_buffer(name, value, persistent=False)

    def __len__(self) -> int:
        return len(self.rows)

    def positions(self, rows: Tensor) -> Tensor:
        """Return where rows of the token table are in the bank, int64, −1 for others."""
        place: Tensor = self.get_buffer('place')
        inside = rows < len(place)
        return torch.where(inside, place[torch.where(inside, rows, 0)], -1)

    @torch.no_grad()
    def refresh(self, points_of: Callable[[Tensor], Tensor]) -> None:
        """Take all embeddings to points anew.

        Args:
            points_of: ``(b, width)`` embeddings → float64 ``(b, dim)`` space parts.
        """
        parts = [points_of(part) for part in self.embeddings.split(ROWS)]
        self.points = torch.cat(parts)
        self.age.zero_()

    @torch.no_grad()
    def renew(self, at: Tensor, embeddings: Tensor, points: Tensor) -> None:
        """Put what a step has encoded, int64 ``(b,)`` positions ≥ 0, in place of what is there."""
        self.embeddings[at] = embeddings.detach().to(self.embeddings.dtype)
        self.points[at] = points.detach()
        self.age += 1

    @torch.no_grad()
    def nearest(self, queries: Tensor, count: int, left_out: Tensor, *, c: float) -> Tensor:
        """Return the texts nearest to points, int64 ``(b, k)``, k = ``count`` or all but one.

        The order of the float32 inner products is that of the distances but for near ties, which is
        enough to choose what a loss reads.

        Args:
            queries: float64 ``(b, dim)``, space parts.
            count: how many.
            left_out: int64 ``(b,)``, a text that each query must not find (itself), −1 for none.
            c: the space has curvature −c.
        """
        ahead = (1 / c + queries.square().sum(-1, keepdim=True)).sqrt()
        times = (1 / c + self.points.square().sum(-1, keepdim=True)).sqrt()
        wide = torch.cat([queries, -ahead], -1).float()
        product = wide @ torch.cat([self.points, times], -1).float().T
        own = (left_out >= 0).nonzero().squeeze(1)
        product[own, left_out[own]] = -torch.inf
        return product.topk(min(count, len(self) - 1)).indices
