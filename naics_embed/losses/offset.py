"""Penalty on a code's own offset from where its texts put it."""

from torch import Tensor


def offset_penalty(offset: Tensor, chosen: Tensor) -> Tensor:
    """Mean squared length of the offsets ``(n, dim)`` of the chosen codes, bool ``(n,)``.

    A ridge on what a code's position owes to the code alone: a known code may move as far as its
    queries pay for, and texts explain the rest, so that an unseen code gets a place.
    """
    return offset[chosen].double().square().sum(-1).mean()
