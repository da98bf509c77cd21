"""How large a batch fits: memory of a training step, measured, and what follows from it.

On a GPU the peak of a real step is read from the allocator. Without one, the bytes that autograd
keeps for the backward pass are counted on the CPU: they are what grows with the batch anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.errors import ConfigError
from naics_embed.text.backbone import layers_of
from naics_embed.text.encoder import SentenceEncoder

OPTIMISER_COPIES = 4
"""Weight, gradient and two moments of AdamW for each trainable parameter."""


@dataclass(frozen=True)
class BatchPlan:
    """A batch size and where it comes from.

    Attributes:
        batch: queries a step, a multiple of ``step``.
        fixed: bytes that do not depend on the batch.
        per_query: bytes that each query adds.
        memory: bytes of the device.
        measured: whether the bytes are the allocator's on that device, or counted on a CPU.
    """

    batch: int
    fixed: float
    per_query: float
    memory: int
    measured: bool


def plan_batch(
    small: tuple[int, float],
    large: tuple[int, float],
    memory: int,
    *,
    fraction: float,
    step: int,
    measured: bool,
) -> BatchPlan:
    """Fit a line through two measurements and find the largest batch within a fraction of memory.

    Args:
        small: batch and its bytes.
        large: a larger batch and its bytes.
        memory: bytes of the device.
        fraction: of the memory that may be used.
        step: the batch is rounded down to a multiple of this.
        measured: see `BatchPlan`.

    Raises:
        ConfigError: not even one ``step`` fits, or memory or fraction are out of range.
    """
    if not (memory > 0 and 0 < fraction <= 1):
        raise ConfigError(
            f'memory must be above 0 and fraction in (0, 1], not {memory / 2**30:g} GiB and '
            f'{fraction:g}'
        )
    per_query = (large[1] - small[1]) / (large[0] - small[0])
    fixed = max(0.0, small[1] - per_query * small[0])
    available = fraction * memory - fixed
    batch = int(available / per_query) // step * step if per_query > 0 else 0
    if batch < step:
        raise ConfigError(
            f'a batch of {step} needs {(fixed + step * per_query) / 2**30:.1f} GiB, and '
            f'{fraction:.0%} of {memory / 2**30:.1f} GiB is less: set model.checkpointing=true, '
            'a smaller backbone.window, or more backbone.frozen_layers'
        )
    return BatchPlan(batch, fixed, per_query, memory, measured)


def saved_bytes(step: Callable[[], Tensor]) -> int:
    """Return the bytes that autograd keeps for the backward pass of ``step``, which gives a loss.

    A tensor that several operations keep, or that is a view of another, counts once.
    """
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = step()
    del loss
    return sum(seen.values())


def weight_bytes(module: torch.nn.Module) -> int:
    """Return the bytes of weights, gradients and AdamW's moments."""
    return sum(
        p.numel() * p.element_size() * (OPTIMISER_COPIES if p.requires_grad else 1)
        for p in module.parameters()
    )


def encoder_step(
    encoder: SentenceEncoder, batch: int, tokens: int, device: torch.device
) -> Callable[[], Tensor]:
    """Return a step that encodes ``batch`` texts of ``tokens`` tokens and sums the result."""
    hidden = torch.randn(batch, tokens, encoder.width, device=device)
    mask = torch.ones(batch, tokens, dtype=torch.bool, device=device)
    return lambda: encoder.upper(hidden, mask).float().sum()


def layer_step(
    encoder: SentenceEncoder, batch: int, tokens: int, device: torch.device
) -> Callable[[], Tensor]:
    """Return a step through the last layer alone: what recomputation holds at a time."""
    hidden = torch.randn(batch, tokens, encoder.width, device=device)
    layer = layers_of(encoder.backbone)[-1]
    return lambda: layer(hidden.requires_grad_(), None).float().sum()


def measure_batch(
    encoder: SentenceEncoder,
    *,
    tokens: int,
    sizes: tuple[int, int],
    memory: int | None,
    fraction: float,
    step: int,
    precision: str,
) -> BatchPlan:
    """Measure steps of two sizes and plan the batch.

    Args:
        encoder: in training mode, on the CPU; it is moved to the GPU where there is one.
        tokens: length of every text, the worst case being ``backbone.window``.
        sizes: the two batches.
        memory: bytes of the device; None for those of the GPU here.
        fraction: of the memory that may be used.
        step: the batch is a multiple of this.
        precision: Lightning's; ``bf16-mixed`` and ``16-mixed`` run the transformer in half.

    Raises:
        ConfigError: there is no GPU and no ``memory`` was given, or nothing fits.
    """
    on_gpu = torch.cuda.is_available()
    if not on_gpu and memory is None:
        raise ConfigError('there is no GPU here: give the memory of the one you mean, in GiB')
    device = torch.device('cuda' if on_gpu else 'cpu')
    total = memory if memory is not None else torch.cuda.get_device_properties(0).total_memory
    halves = {'bf16-mixed': torch.bfloat16, '16-mixed': torch.float16}
    encoder = encoder.to(device).train()
    measured = []
    for size in sizes:
        run = encoder_step(encoder, size, tokens, device)
        with torch.autocast(device.type, halves.get(precision), enabled=precision in halves):
            if on_gpu:
                torch.cuda.reset_peak_memory_stats()
                run().backward()
                bytes_used = float(torch.cuda.max_memory_allocated())
                bytes_used += weight_bytes(encoder) - sum(
                    p.numel() * p.element_size() for p in encoder.parameters()
                )
            else:
                bytes_used = float(saved_bytes(run) + weight_bytes(encoder))
                if encoder.checkpointing:
                    bytes_used += saved_bytes(layer_step(encoder, size, tokens, device))
        measured.append((size, bytes_used))
    return plan_batch(
        measured[0], measured[1], total, fraction=fraction, step=step, measured=on_gpu
    )
