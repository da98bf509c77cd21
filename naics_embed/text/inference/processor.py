"""What the processor computes fastest: a short self-test of the encoder's widest product."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from naics_embed.artifacts import read_json, write_json
from naics_embed.errors import ArtifactError, UserError
from naics_embed.text.inference.precisions import AUTO, BFLOAT16, FLOAT32
from naics_embed.text.inference.prepacked import Prepacked, has_kernel

log = logging.getLogger(__name__)

FILE = 'processor.json'
"""Name of the file in which the artifact root keeps the result."""

ROWS, INWARD, OUTWARD = 256, 384, 1536
REPEATS = 5
PREFERENCE = 1.1
"""The plain product must be so many times faster to be preferred: less is noise."""


@dataclass(frozen=True)
class SelfTest:
    """Best times of one product with GELU, in seconds.

    Attributes:
        machine: instruction set and version of torch, for which the times hold.
        plain: float32, weights as they are.
        packed: float32, weights in the order of oneDNN; None where there is no such kernel.
        bfloat16: bfloat16.
    """

    machine: str
    plain: float
    packed: float | None
    bfloat16: float

    @property
    def packs(self) -> bool:
        """Whether float32 is computed with weights in the order of oneDNN."""
        return self.packed is not None and self.packed < PREFERENCE * self.plain

    @property
    def float32(self) -> float:
        """Seconds of the float32 product that is used."""
        return self.packed if self.packed is not None and self.packs else self.plain

    @property
    def fastest(self) -> str:
        """The precision that takes least time."""
        return BFLOAT16 if self.bfloat16 < self.float32 else FLOAT32

    def refusal(self) -> str | None:
        """Return why bfloat16 is of no use here, None where it is faster than float32."""
        if self.fastest == BFLOAT16:
            return None
        return (
            f'bfloat16 takes {self.bfloat16 / self.float32:.1f} times as long as float32 on this '
            f'processor ({self.machine}): it has no instructions for it'
        )

    def chosen(self, precision: str) -> str:
        """Return the precision to compute in.

        Args:
            precision: one of `PRECISIONS`, or ``auto`` for the fastest.

        Raises:
            UserError: bfloat16 is requested of a processor that is slower with it.
        """
        if precision == AUTO:
            return self.fastest
        reason = self.refusal() if precision == BFLOAT16 else None
        if reason is not None:
            raise UserError(f'{reason}; use precision {FLOAT32}, or {AUTO}')
        return precision


def self_test(root: Path | None = None, *, keep: bool = True) -> SelfTest:
    """Return the result that an artifact root keeps, or test now: less than a tenth of a second.

    Args:
        root: the artifact root; where it does not exist or cannot be written to, nothing is kept.
        keep: whether to write a new result there.
    """
    machine = f'{torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}'
    file = None if root is None else root / FILE
    if file is not None and file.is_file():
        try:
            kept = SelfTest(**read_json(file))
            if kept.machine == machine:
                return kept
        except (ArtifactError, TypeError) as error:
            log.warning('%s is tested again: %s', file, error)
    result = _measured(machine)
    if keep and file is not None and file.parent.is_dir():
        try:
            write_json(file, asdict(result))
        except OSError as error:
            log.info('the self-test of the processor is not kept: %s', error)
    return result


@torch.inference_mode()
def _measured(machine: str) -> SelfTest:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, INWARD, generator=generator)
    weight, bias = torch.randn(OUTWARD, INWARD, generator=generator), torch.zeros(OUTWARD)

    def product(dtype: torch.dtype, *, pack: bool) -> Callable[[Tensor], Tensor]:
        return Prepacked(weight, bias, dtype, ROWS, gelu=True, pack=pack)

    packs = has_kernel(torch.float32)
    calls = [product(torch.float32, pack=False), product(torch.bfloat16, pack=True)]
    if packs:
        calls.append(product(torch.float32, pack=True))
    best = [float('inf')] * len(calls)
    # In turn, so that whatever else the machine does hits all.
    for _ in range(REPEATS):
        for number, call in enumerate(calls):
            start = time.perf_counter()
            call(x)
            best[number] = min(best[number], time.perf_counter() - start)
    plain, half, *packed = best
    return SelfTest(machine, plain, packed[0] if packed else None, half)
