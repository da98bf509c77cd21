"""Distances of a table, a block of rows at a time, whatever the geometry."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from naics_embed.geometry import lorentz
from naics_embed.metrics.validation import MetricError, check_finite, check_positive

ROUNDING_STEPS = 16
"""Machine epsilons by which a distance may be below 0 through rounding; it then counts as 0."""


@dataclass(frozen=True, eq=False)
class DistanceRows:
    """All pairwise distances of ``size`` points, computed on demand.

    Attributes:
        size: number of points n.
        between: from positions ``(b,)`` and ``(m,)`` to the distances ``(b, m)``.
    """

    size: int
    between: Callable[[Tensor, Tensor], Tensor]

    @classmethod
    def of_space(cls, space: Tensor, *, c: float) -> 'DistanceRows':
        """Return geodesic distances of Lorentz points, computed in float64.

        Args:
            space: ``(n, d)``, space parts of points of curvature −c.
            c: c > 0.

        Raises:
            MetricError: ``space`` is no matrix, or holds values that are not finite.
        """
        points = _points(space)

        def between(rows: Tensor, columns: Tensor) -> Tensor:
            return lorentz.pairwise_distance(points[rows], points[columns], c=c)

        return cls(len(points), between)

    @classmethod
    def of_matrix(cls, matrix: Tensor) -> 'DistanceRows':
        """Return the distances of a matrix ``(n, n)`` of any real dtype; it is not copied.

        Raises:
            MetricError: the matrix is not square.
        """
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise MetricError(f'distances must be a square matrix, not {tuple(matrix.shape)}')

        def between(rows: Tensor, columns: Tensor) -> Tensor:
            block = matrix.detach()[rows.to(matrix.device)]
            return block if len(columns) == len(matrix) else block[:, columns.to(matrix.device)]

        return cls(len(matrix), between)

    def block(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Return float64 distances ``(b, m)`` on the CPU, none of them negative.

        ``columns`` is ascending and without repeats.

        Raises:
            MetricError: a distance is NaN, infinite, or negative beyond rounding.
        """
        raw = self.between(rows, columns)
        step = torch.finfo(raw.dtype).eps if raw.is_floating_point() else 0.0
        # A new tensor, so that callers may write into it.
        values = raw.detach().to(dtype=torch.float64, device='cpu', copy=True)
        check_finite('distances', values)
        if values.numel():
            least = float(values.min())
            if least < -ROUNDING_STEPS * step:
                raise MetricError(f'distances must not be negative, but one is {least:g}')
        return values.clamp_(min=0.0)

    def blocks(self, chunk: int, rows: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield positions ``(b,)`` and their distances to all points ``(b, n)``.

        Args:
            chunk: rows in a block; a block takes 8·chunk·n bytes, and computing it a few times
                that.
            rows: positions of the rows to yield; all where None.
        """
        check_positive('chunk', chunk)
        everything = torch.arange(self.size)
        for part in (everything if rows is None else rows.contiguous()).split(chunk):
            if len(part):
                yield part, self.block(part, everything)


def _points(vectors: Tensor) -> Tensor:
    if vectors.ndim != 2:
        raise MetricError(f'points must be a matrix (n, d), not of shape {tuple(vectors.shape)}')
    points = vectors.detach().to(dtype=torch.float64, device='cpu')
    check_finite('coordinates', points)
    return points
