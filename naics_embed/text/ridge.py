"""Ridge regression with a penalty relative to the spread of the features."""

import torch
from torch import Tensor


def ridge_weights(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Return the weights of a ridge regression of centred targets on centred features.

    Args:
        x: ``(m, p)`` features whose columns have mean 0.
        y: ``(m, q)`` targets whose columns have mean 0.
        ridge: penalty relative to the mean squared feature, summed over rows.

    Returns:
        ``(p, q)``; 0 where the features do not vary.
    """
    gram = x.T @ x
    spread = gram.diagonal().mean()
    # A penalty of a subnormal number would be inverted to infinity.
    gram.diagonal().add_(ridge * torch.where(spread > 0, spread, 1.0))
    return torch.linalg.solve(gram, x.T @ y)
