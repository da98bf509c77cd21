"""The global batch of a distributed step: rows of all processes, with gradients."""

import os

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx


def world() -> tuple[int, int]:
    """Return rank and number of processes; ``(0, 1)`` where there is one."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def processes() -> int:
    """Return how many processes torchrun started, also before they have met; 1 without it."""
    return int(os.environ.get('WORLD_SIZE', '1'))


class _OwnGroup:
    """A group of all processes for the gathering alone.

    Data-parallel training reduces the gradients of its buckets as soon as they are ready, which a
    process without rows is earlier than others; in one group, one call would meet another.
    """

    def __init__(self) -> None:
        self.world: dist.ProcessGroup | None = None
        self.group: dist.ProcessGroup | None = None

    def __call__(self) -> dist.ProcessGroup | None:
        if self.world is not dist.group.WORLD:
            self.world, self.group = dist.group.WORLD, dist.new_group()
        return self.group


_own_group = _OwnGroup()


class _RowCount(FunctionCtx):
    """What the backward pass of `_GatherRows` needs: the rows of this process."""

    size: int


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _RowCount, rows: Tensor) -> Tensor:
        ctx.size = len(rows)
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous(), group=_own_group())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: _RowCount, gradient: Tensor) -> Tensor:
        # Each process holds the whole loss; the gradients of all of them for these rows add up, and
        # the mean over processes that data-parallel training takes then gives the gradient once.
        total = gradient.contiguous()
        dist.all_reduce(total, group=_own_group())
        start = dist.get_rank() * ctx.size
        return total[start : start + ctx.size]


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate the rows ``(b, …)`` of all processes in order of rank; gradients flow back.

    Processes may have different numbers of rows. With one process the rows come back as they are.
    """
    _, size = world()
    if size == 1:
        return rows
    local = torch.tensor([len(rows), int(rows.requires_grad)], device=rows.device)
    every = [torch.zeros_like(local) for _ in range(size)]
    dist.all_gather(every, local, group=_own_group())
    flags = torch.stack(every).tolist()
    counts = [count for count, _ in flags]
    longest = max(counts)
    padding = rows.new_zeros((longest - len(rows), *rows.shape[1:]))
    padded = torch.cat([rows, padding])
    if rows.is_floating_point():
        if any(trained for _, trained in flags) and not padded.requires_grad:
            # A process without rows of its own must take part in the backward pass all the same.
            padded.requires_grad_()
        gathered = _GatherRows.apply(padded)
    else:
        parts = [torch.empty_like(padded) for _ in range(size)]
        dist.all_gather(parts, padded.contiguous(), group=_own_group())
        gathered = torch.cat(parts)
    kept = [gathered[i * longest : i * longest + n] for i, n in enumerate(counts)]
    return torch.cat(kept)
