"""Penalty on a code's own offset from the point that its texts give."""

from torch import Tensor


def offset_penalty(offset: Tensor, chosen: Tensor) -> Tensor:
    """Mean squared length of the offsets ``(n, dim)`` of the chosen codes, bool ``(n,)``.

    A ridge on the part of a point that depends on the code alone: a supervised code moves only as
    far as its queries require, and the texts explain the rest, so that an unseen code has a point
    too.
    """
    return offset[chosen].double().square().sum(-1).mean()
