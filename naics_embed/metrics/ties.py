"""Ranking metrics when ties are broken at random: their expected values, in closed form.

Notation: ``above`` candidates score strictly better than the relevant one, ``tied`` score the same,
the relevant one included. The relevant one's rank is then uniform on above + 1 … above + tied.
"""

import torch
from torch import Tensor


def expected_hit(above: Tensor, tied: Tensor, cutoff: int) -> Tensor:
    """Return the float64 probability that the relevant candidate is among the first ``cutoff``."""
    return ((cutoff - above) / tied.to(torch.float64)).clamp(0.0, 1.0)


def expected_reciprocal_rank(above: Tensor, tied: Tensor) -> Tensor:
    """Return the float64 mean of 1/rank of the relevant candidate."""
    alone = 1 / (above.to(torch.float64) + 1)
    return torch.where(tied == 1, alone, _inverses(above, tied) / tied)


def expected_precision(
    above: Tensor, tied: Tensor, relevant_above: Tensor, relevant_tied: Tensor
) -> Tensor:
    """Return the float64 mean precision at the rank of each relevant candidate of a query.

    The mean of it over the relevant candidates of a query is the expected average precision. A
    relevant candidate at position j of its tied group has, in expectation,
    relevant_above + 1 + (j − 1)·(relevant_tied − 1)/(tied − 1) relevant ones up to itself (McSherry
    & Najork 2008); the sum over j is in closed form.

    Args:
        above: candidates that score strictly better.
        tied: candidates that score the same, itself included.
        relevant_above: how many of ``above`` are relevant too.
        relevant_tied: how many of ``tied`` are relevant, itself included.
    """
    alone = (relevant_above + 1) / (above.to(torch.float64) + 1)
    inverses = _inverses(above, tied)
    slope = (relevant_tied - 1) / (tied - 1).clamp(min=1).to(torch.float64)
    grouped = ((relevant_above + 1) * inverses + slope * (tied - (above + 1) * inverses)) / tied
    return torch.where(tied == 1, alone, grouped)


def _inverses(above: Tensor, tied: Tensor) -> Tensor:
    """Return the sum of 1/r over the ranks r = above + 1 … above + tied."""
    first = above.to(torch.float64) + 1
    return torch.digamma(first + tied) - torch.digamma(first)
