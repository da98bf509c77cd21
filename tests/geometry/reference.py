"""Truths for the tests: mpmath on the float values, and points to try."""

import mpmath
import torch
from hypothesis import strategies as st
from torch import Tensor

CURVATURES = (0.1, 1.0, 10.0)
DIGITS = 60


def exact(x: Tensor) -> list[mpmath.mpf]:
    return [mpmath.mpf(value) for value in x.detach().double().tolist()]


def exact_distance(x: Tensor, y: Tensor, c: float = 1.0) -> float:
    """Geodesic distance of the float points ``(d,)``, by the definition, to 60 digits."""
    with mpmath.workdps(DIGITS):
        a, b, curvature = exact(x), exact(y), mpmath.mpf(c)
        time_a = mpmath.sqrt(1 / curvature + mpmath.fdot(a, a))
        time_b = mpmath.sqrt(1 / curvature + mpmath.fdot(b, b))
        cosh = curvature * (time_a * time_b - mpmath.fdot(a, b))
        return float(mpmath.acosh(max(mpmath.mpf(1), cosh)) / mpmath.sqrt(curvature))


def exact_distances(x: Tensor, y: Tensor, c: float = 1.0) -> Tensor:
    """`exact_distance` row by row, float64."""
    rows = [exact_distance(a, b, c) for a, b in zip(x, y, strict=True)]
    return torch.tensor(rows, dtype=torch.float64)


def exact_gradient(x: Tensor, y: Tensor) -> Tensor:
    """Gradient of the distance in x at c = 1, by the definition, to 60 digits."""
    with mpmath.workdps(DIGITS):
        a, b = exact(x), exact(y)
        time_a = mpmath.sqrt(1 + mpmath.fdot(a, a))
        time_b = mpmath.sqrt(1 + mpmath.fdot(b, b))
        cosh = time_a * time_b - mpmath.fdot(a, b)
        sinh = mpmath.sqrt(cosh**2 - 1)
        return torch.tensor(
            [float((time_b / time_a * p - q) / sinh) for p, q in zip(a, b, strict=True)],
            dtype=torch.float64,
        )


def radial_pairs(
    r: float, dtype: torch.dtype, *, dim: int = 32, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Pairs of points with radii ``(r, r + Δ)`` at angles from 0 to 2, c = 1: ``(m, dim)``."""
    generator = torch.Generator().manual_seed(seed)
    first, second = [], []
    for delta in (0.0, 0.01, 0.5, 2.0):
        for angle in (0.0, 1e-4, 1e-2, 0.5, 2.0):
            pair = torch.randn(dim, 2, generator=generator, dtype=torch.float64)
            along, aside = torch.linalg.qr(pair).Q.T
            turn = torch.tensor(angle, dtype=torch.float64)
            radii = torch.tensor([r, r + delta], dtype=torch.float64).sinh()
            first.append(radii[0] * along)
            second.append(radii[1] * (turn.cos() * along + turn.sin() * aside))
    return torch.stack(first).to(dtype), torch.stack(second).to(dtype)


def tangents(*shape: int, r: float = 2.0, seed: int = 0) -> Tensor:
    """Random float64 tangent vectors at the origin with norms up to r."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(*shape, generator=generator, dtype=torch.float64)
    length = r * torch.rand(*shape[:-1], 1, generator=generator, dtype=torch.float64)
    return length * v / v.norm(dim=-1, keepdim=True)


@st.composite
def tangent_sets(draw: st.DrawFn, count: int, r_max: float = 8.0) -> Tensor:
    """`count` tangent vectors at the origin in 1 to 6 dimensions; zero and equal ones occur."""
    dim = draw(st.integers(1, 6))
    coordinate = st.floats(-1, 1, width=32)
    rows = []
    for _ in range(count):
        direction = torch.tensor(
            draw(st.lists(coordinate, min_size=dim, max_size=dim)), dtype=torch.float64
        )
        norm = direction.norm()
        length = draw(st.floats(0, r_max))
        rows.append(direction * (length / norm) if norm > 1e-6 else torch.zeros_like(direction))
    return torch.stack(rows)
