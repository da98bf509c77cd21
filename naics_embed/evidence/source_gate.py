"""What a bundle has that has learned: the prior of its labels, and the gate of their texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SURFACE = 4
"""Features of the spelling of a text, see `surface`."""


def surface(texts: Sequence[str]) -> np.ndarray:
    """Return features of how texts are written, float32 ``(n, SURFACE)``, each roughly within ±1.

    They are the fraction of capitals among letters, of punctuation among characters (times 10), the
    log of the count of words, and the fraction of digits (times 10).
    """
    features = np.zeros((len(texts), SURFACE), dtype=np.float32)
    for row, text in enumerate(texts):
        letters = sum(map(str.isalpha, text))
        blanks = sum(map(str.isspace, text))
        digits = sum(map(str.isdigit, text))
        size = max(len(text), 1)
        features[row] = (
            sum(map(str.isupper, text)) / max(letters, 1),
            10 * (len(text) - letters - blanks - digits) / size,
            np.log1p(len(text.split())) - 2.0,
            10 * digits / size,
        )
    return features


@dataclass(frozen=True)
class SourceGate:
    """A logistic classifier: is a text one of the user's, or one of the bundle's own?

    Attributes:
        weights: float32 ``(width + SURFACE,)``.
        bias: intercept.
    """

    weights: np.ndarray
    bias: float

    def values(self, texts: Sequence[str], embeddings: np.ndarray) -> np.ndarray:
        """Return probabilities that texts are the user's, float64 ``(n,)``.

        Args:
            texts: the texts.
            embeddings: float32 ``(n, width)``, by the frozen backbone.
        """
        width = embeddings.shape[1]
        z = embeddings @ self.weights[:width] + surface(texts) @ self.weights[width:] + self.bias
        return np.exp(-np.logaddexp(0.0, -z.astype(np.float64)))


@dataclass(frozen=True)
class Adaptation:
    """What the fusion of a bundle that has learned from labelled texts needs.

    Attributes:
        gate: how much a text is like those that were learned.
        log_prior: float64 ``(leaves,)``, log of how often each code is a label.
        reliability: float32 ``(m,)``, of each known text: probability that its label holds for the
            same text again; None in bundles of an earlier version.
    """

    gate: SourceGate
    log_prior: np.ndarray
    reliability: np.ndarray | None = None
