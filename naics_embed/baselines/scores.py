"""Parts of every baseline: checked labels, and a score matrix with all classes."""

import numpy as np


def check_labels(labels: np.ndarray, rows: int, n_classes: int) -> np.ndarray:
    """Return the labels as int64 ``(rows,)``.

    Raises:
        ValueError: there is no label, not one a row, or one outside 0 … ``n_classes`` − 1.
    """
    labels = np.asarray(labels)
    if labels.shape != (rows,) or rows == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f'{rows} training rows need as many integer labels, at least one, '
            f'not {labels.dtype} {labels.shape}'
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(
            f'labels must lie in 0 … {n_classes - 1}, but reach from {labels.min()} '
            f'to {labels.max()}'
        )
    return labels.astype(np.int64)


def check_two_classes(labels: np.ndarray) -> None:
    """Raise ValueError where there are fewer than two classes."""
    if len(np.unique(labels)) < 2:
        raise ValueError(f'all training rows have the label {labels[0]}: at least two are needed')


def all_classes(scores: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Spread scores ``(m, k)`` of some ``classes`` ``(k,)`` over ``(m, n_classes)``, else −inf."""
    spread = np.full((len(scores), n_classes), -np.inf, dtype=np.float32)
    spread[:, classes] = scores
    return spread
