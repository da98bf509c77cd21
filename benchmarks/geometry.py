"""Exactness and speed of Lorentz distances: ours, geoopt's and the plain arcosh form.

Exactness: worst relative error against mpmath over pairs with radii (r, r + Δ), Δ ∈ {0, .01, .5, 2}
and angles from 0 to 2, of those at least 1e-3 apart, in 32 dimensions. The truth is the distance of
the rounded points, so it is the arithmetic that is measured. Speed: all pairs of 2,125 points in 64
dimensions, forward and backward.

    python -m benchmarks.geometry --json geometry.json
"""

import argparse
import json
import math
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import mpmath
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from naics_embed.geometry import geoopt_bridge, lorentz

RADII = (1.0, 3.0, 6.0, 9.0, 12.0)
DELTAS = (0.0, 0.01, 0.5, 2.0)
ANGLES = (0.0, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0)
NEAREST = 1e-3
DIM = 32
DIGITS = 60


def exact_distance(x: Tensor, y: Tensor) -> float:
    """Distance at c = 1 of the float points ``(d,)``, to 60 digits."""
    with mpmath.workdps(DIGITS):
        a = [mpmath.mpf(value) for value in x.double().tolist()]
        b = [mpmath.mpf(value) for value in y.double().tolist()]
        time_a = mpmath.sqrt(1 + mpmath.fdot(a, a))
        time_b = mpmath.sqrt(1 + mpmath.fdot(b, b))
        return float(mpmath.acosh(max(1, time_a * time_b - mpmath.fdot(a, b))))


def pairs_at(r: float, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs of points ``(m, DIM)`` with radii ``(r, r + Δ)`` and every angle."""
    first, second = [], []
    for delta in DELTAS:
        for angle in ANGLES:
            frame = torch.linalg.qr(
                torch.randn(DIM, 2, generator=generator, dtype=torch.float64)
            ).Q.T
            turned = torch.cos(torch.tensor(angle)) * frame[0]
            turned = turned + torch.sin(torch.tensor(angle)) * frame[1]
            first.append(torch.sinh(torch.tensor(r, dtype=torch.float64)) * frame[0])
            second.append(torch.sinh(torch.tensor(r + delta, dtype=torch.float64)) * turned)
    return torch.stack(first).to(dtype), torch.stack(second).to(dtype)


def arcosh_distance(x: Tensor, y: Tensor) -> Tensor:
    """The textbook form ``arcosh(−⟨x, y⟩)``, row by row, clamped below at 1."""
    product = lorentz.time_component(x, c=1.0) * lorentz.time_component(y, c=1.0)
    return (product - (x * y).sum(-1)).clamp(min=1).acosh()


def geoopt_distance(x: Tensor, y: Tensor) -> Tensor:
    """geoopt's `dist`, row by row."""
    space = geoopt_bridge.manifold(1.0, dtype=x.dtype)
    return space.dist(geoopt_bridge.to_geoopt(x, c=1.0), geoopt_bridge.to_geoopt(y, c=1.0))


METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'ours, row by row': lambda x, y: lorentz.distance(x, y, c=1.0),
    'ours, all pairs': lambda x, y: lorentz.pairwise_distance(x, y, c=1.0).diagonal(),
    'geoopt': geoopt_distance,
    'arcosh': arcosh_distance,
}


def worst_errors() -> list[dict[str, object]]:
    """One record a radius and dtype: the worst relative error of each method."""
    records: list[dict[str, object]] = []
    for dtype in (torch.float32, torch.float64):
        generator = torch.Generator().manual_seed(0)
        for r in RADII:
            x, y = pairs_at(r, dtype, generator)
            truth = torch.tensor(
                [exact_distance(a, b) for a, b in zip(x, y, strict=True)], dtype=torch.float64
            )
            apart = truth >= NEAREST
            record: dict[str, object] = {'r': r, 'dtype': str(dtype).removeprefix('torch.')}
            for name, method in METHODS.items():
                error = ((method(x, y).double() - truth).abs() / truth)[apart]
                worst = float(error.max())
                record[name] = worst if math.isfinite(worst) else None
            records.append(record)
    return records


def timed(function: Callable[[], Tensor], leaf: Tensor, repeats: int) -> dict[str, float]:
    """Median seconds of forward and backward, after one warm-up."""
    forward, backward = [], []
    for repeat in range(repeats + 1):
        leaf.grad = None
        start = time.perf_counter()
        total = function().sum()
        middle = time.perf_counter()
        total.backward()
        end = time.perf_counter()
        if repeat:
            forward.append(middle - start)
            backward.append(end - middle)
    return {'forward': statistics.median(forward), 'backward': statistics.median(backward)}


def speed(count: int, dim: int, repeats: int) -> list[dict[str, object]]:
    """Seconds for all pairs of `count` points, ours and geoopt's, in both types."""
    records: list[dict[str, object]] = []
    for dtype in (torch.float32, torch.float64):
        generator = torch.Generator().manual_seed(1)
        v = torch.randn(count, dim, generator=generator, dtype=torch.float64)
        v = (3 * v / v.norm(dim=-1, keepdim=True)).to(dtype)
        space = geoopt_bridge.manifold(1.0, dtype=dtype)
        ours = lorentz.exp0(v, c=1.0).requires_grad_()
        ambient = geoopt_bridge.to_geoopt(ours.detach(), c=1.0).requires_grad_()
        runs = {
            'ours': (lambda ours=ours: lorentz.pairwise_distance(ours, ours, c=1.0), ours),
            'geoopt': (
                lambda space=space, ambient=ambient: space.dist(ambient[:, None], ambient[None]),
                ambient,
            ),
        }
        for name, (function, leaf) in runs.items():
            record: dict[str, object] = {'dtype': str(dtype).removeprefix('torch.'), 'name': name}
            records.append(record | timed(function, leaf, repeats))
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=Path, help='write the metrics here')
    parser.add_argument('--count', type=int, default=2125, help='points of the timing')
    parser.add_argument('--dim', type=int, default=64, help='dimensions of the timing')
    parser.add_argument('--repeats', type=int, default=5, help='timed runs, after a warm-up')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    console = Console()

    errors = worst_errors()
    table = Table('dtype', 'r', *METHODS, title='Worst relative error of a distance')
    for record in errors:
        metrics = ['NaN' if record[name] is None else f'{record[name]:.0e}' for name in METHODS]
        table.add_row(str(record['dtype']), f'{record["r"]:g}', *metrics)
    console.print(table)

    times = speed(options.count, options.dim, options.repeats)
    title = f'Seconds for {options.count} × {options.count} pairs in {options.dim} dimensions'
    table = Table('dtype', 'method', 'forward', 'backward', title=title)
    for record in times:
        table.add_row(
            str(record['dtype']),
            str(record['name']),
            f'{record["forward"]:.3f}',
            f'{record["backward"]:.3f}',
        )
    console.print(table)

    if options.json:
        report = {
            'torch': torch.__version__,
            'machine': platform.machine(),
            'threads': options.threads,
            'count': options.count,
            'dim': options.dim,
            'errors': errors,
            'seconds': times,
        }
        partial = options.json.with_suffix('.partial')
        partial.write_text(json.dumps(report, indent=2) + '\n')
        partial.replace(options.json)


if __name__ == '__main__':
    main()
