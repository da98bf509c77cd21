"""The error of this package, and the checks that several of its modules share."""

import torch
from torch import Tensor

from naics_embed.errors import UserError


class MetricError(UserError, ValueError):
    """An input that no metric can be computed from: a wrong shape, a value that is not finite."""


def check_positive(name: str, value: int) -> None:
    """Raise MetricError unless a count such as a chunk size is at least 1."""
    if value < 1:
        raise MetricError(f'{name} must be at least 1, not {value}')


def check_length(name: str, tensor: Tensor, expected: int) -> None:
    """Raise MetricError unless a tensor is a vector of the expected length."""
    if tensor.ndim != 1 or len(tensor) != expected:
        raise MetricError(f'{name} must have shape ({expected},), not {tuple(tensor.shape)}')


def check_index(name: str, index: Tensor, size: int) -> None:
    """Raise MetricError unless a vector holds positions in ``range(size)``."""
    if index.ndim != 1 or index.is_floating_point() or index.dtype == torch.bool:
        raise MetricError(
            f'{name} must be a vector of positions (integers), '
            f'not {index.dtype} of shape {tuple(index.shape)}'
        )
    if len(index) and not (int(index.min()) >= 0 and int(index.max()) < size):
        raise MetricError(
            f'{name} must hold positions from 0 to {size - 1}, '
            f'but has values from {int(index.min())} to {int(index.max())}'
        )


def check_finite(name: str, values: Tensor) -> None:
    """Raise MetricError where a value is NaN or infinite; the message counts them."""
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        raise MetricError(
            f'{name}: {int((~finite).sum())} of {values.numel()} values are NaN or infinite; '
            'look at the health report of this table first'
        )


def check_any(name: str, count: int) -> None:
    """Raise MetricError where nothing is left to average over."""
    if count == 0:
        raise MetricError(f'{name}: nothing to measure, the selection is empty')
