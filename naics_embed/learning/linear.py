"""A linear classifier adapted to new labels."""

import numpy as np

from naics_embed.evidence.known_texts import Linear
from naics_embed.learning.lbfgs import minimise


def adapt_linear(
    start: Linear,
    embeddings: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    *,
    penalty: float,
    iterations: int,
    first: Linear | None = None,
) -> Linear:
    """Adapt a softmax classifier to new labels by maximum a posteriori.

    The prior of the parameters is a normal distribution around those of the classifier
    (Chelba & Acero 2006), so that a few labels change it a little, and codes without new labels
    keep what they have.

    Args:
        start: the classifier.
        embeddings: float32 ``(n, width)``, unit embeddings by the frozen backbone.
        labels: int64 ``(n,)``, columns of the right leaves.
        weights: ``(n,)``, of each text.
        penalty: precision of the prior, for weights of unit embeddings.
        iterations: L-BFGS iterations.
        first: a classifier for nearly the same labels to begin with; it only saves time.
    """
    width, leaves = start.weights.shape
    # The bias is the weight of one more coordinate, which is 1.
    x = np.concatenate([embeddings, np.ones((len(embeddings), 1))], axis=1).astype(np.float32)
    fixed = x @ np.vstack([start.weights, start.bias]).astype(np.float32)
    basis = None
    if len(x) <= width:
        # The change lies in the span of the texts; in a basis of it the problem is the same.
        basis, triangle = np.linalg.qr(x.T)
        x = np.ascontiguousarray(triangle.T)
    rows = np.arange(len(labels))
    each = weights.astype(np.float32)[:, None]

    def loss(change: np.ndarray) -> tuple[float, np.ndarray]:
        logits = fixed + x @ change
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[rows, labels].astype(np.float64)
        np.exp(logits, out=logits)
        total = logits.sum(axis=1, keepdims=True)
        away = penalty / 2 * float(np.vdot(change, change))
        value = float(weights @ (np.log(total[:, 0]) - right)) + away
        logits /= total
        logits[rows, labels] -= 1
        logits *= each
        return value, x.T @ logits + np.float32(penalty) * change

    begin = np.zeros((width + 1, leaves), dtype=np.float32)
    if first is not None:
        begin = np.vstack([first.weights - start.weights, first.bias - start.bias])
    if basis is not None:
        begin = basis.T @ begin
    change = minimise(loss, begin.astype(np.float32), iterations)
    if basis is not None:
        change = basis @ change
    return Linear(start.weights + change[:-1], start.bias + change[-1])
