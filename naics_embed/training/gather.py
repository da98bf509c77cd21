"""The global batch of a distributed step: rows of all processes, with gradients."""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx


def world() -> tuple[int, int]:
    """Return rank and number of processes; ``(0, 1)`` where there is one."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor) -> Tensor:
        ctx.size = len(rows)
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        # Each process holds the whole loss; what all of them ask of these rows adds up, and the
        # mean over processes that data-parallel training takes then gives the gradient once.
        total = gradient.contiguous()
        dist.all_reduce(total)
        start = dist.get_rank() * ctx.size
        return total[start : start + ctx.size]


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate the rows ``(b, …)`` of all processes in order of rank; gradients flow back.

    Processes may have different numbers of rows. With one process the rows come back as they are.
    """
    _, size = world()
    if size == 1:
        return rows
    counts = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(size)]
    dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    longest = max(int(count) for count in counts)
    padding = rows.new_zeros((longest - len(rows), *rows.shape[1:]))
    padded = torch.cat([rows, padding])
    if rows.is_floating_point():
        gathered = _GatherRows.apply(padded)
    else:
        parts = [torch.empty_like(padded) for _ in range(size)]
        dist.all_gather(parts, padded.contiguous())
        gathered = torch.cat(parts)
    kept = [gathered[i * longest : i * longest + int(n)] for i, n in enumerate(counts)]
    return torch.cat(kept)
