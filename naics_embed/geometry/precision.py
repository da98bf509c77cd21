"""How curvature and dtypes are handled by every function of this package.

Curvature is −c, with c > 0 a float or a 0-d tensor; gradient flows to a tensor and nothing here
reads its value. Autocast is off inside; float16 and bfloat16 inputs are raised to float32. Where
digits cancel, the work is done in float64 and the result returned in the type of the input.
"""

import functools
import math
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

from naics_embed.errors import ConfigError

P = ParamSpec('P')
Curvature = float | Tensor

_HALVES = (torch.float16, torch.bfloat16)


def root(c: Curvature, like: Tensor) -> Curvature:
    """Return ``√c``, a tensor in the dtype of `like`.

    Raises:
        ConfigError: a float c is not positive and finite, or a tensor c is not 0-dimensional.
    """
    if isinstance(c, Tensor):
        if c.ndim:
            raise ConfigError(f'curvature c must be one number, got shape {tuple(c.shape)}')
        return c.to(like.dtype).sqrt()
    if not (math.isfinite(c) and c > 0):
        raise ConfigError(f'curvature c must be positive and finite (curvature is −c), got {c}')
    return math.sqrt(c)


def guarded(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Decorate a function of tensors: autocast off inside, half precision raised to float32.

    Tensor arguments must be floating point; a curvature ``c`` is left in its own type.

    Raises:
        ConfigError: a tensor is not floating point.
    """

    call: Callable[..., Tensor] = function

    def raise_half(value: object) -> object:
        if not isinstance(value, Tensor):
            return value
        if not value.is_floating_point():
            raise ConfigError(
                f'{function.__name__} needs floating-point tensors, got {value.dtype}'
            )
        return value.float() if value.dtype in _HALVES else value

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        points = (*args, *(value for name, value in kwargs.items() if name != 'c'))
        device = next((arg.device.type for arg in points if isinstance(arg, Tensor)), 'cpu')
        raised = [raise_half(arg) for arg in args]
        named = {name: arg if name == 'c' else raise_half(arg) for name, arg in kwargs.items()}
        if not torch.is_autocast_enabled(device):
            return call(*raised, **named)
        with torch.autocast(device, enabled=False):
            return call(*raised, **named)

    return run
