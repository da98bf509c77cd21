"""Gates of a query: facts on which the weights of the scores and the calibration depend."""

from collections.abc import Sequence

import numpy as np

WEIGHING = ('always', 'length', 'familiarity')
"""Gates of the weights: 1; log of the words; greatest cosine with a known text."""

STYLES = ('capitals', 'prose', 'unfamiliar')
"""Gates of the calibration only, 0 … 1: written in capitals; of many words; like no known text."""

GATES = (*WEIGHING, *STYLES)

SOURCE = 'source'
"""Gate of a bundle that has learned labels of its user: how much a text is like theirs, 0 … 1."""

MOST_WORDS = 64
"""Words beyond these do not make a query longer: no text of the fit is longer."""

READ = 400
"""Characters that tell whether a text is written in capitals."""

PROSE = (18, 30)
"""Words up to which a text is not prose, and from which it is."""

UNFAMILIAR = (0.65, 0.55)
"""Cosines down to which a text is familiar, and from which it is not."""


def gate_values(texts: Sequence[str], nearest: np.ndarray) -> np.ndarray:
    """Return the gates of queries, float64 ``(q, len(GATES))``, each roughly within ±1.

    Args:
        texts: the queries.
        nearest: ``(q, codes)``, cosine with the nearest known text of each code.
    """
    words = np.array([len(text.split()) for text in texts], dtype=np.float64)
    familiarity = nearest.max(axis=1)
    gates = np.ones((len(texts), len(GATES)))
    gates[:, 1] = np.log1p(np.minimum(words, MOST_WORDS)) - 2.0
    gates[:, 2] = 4.0 * (familiarity - 0.7)
    gates[:, 3] = np.clip([2 * _capitals(text[:READ]) - 1 for text in texts], 0, 1)
    gates[:, 4] = _ramp(words, *PROSE)
    gates[:, 5] = _ramp(familiarity, *UNFAMILIAR)
    return gates


def without_styles(gates: np.ndarray) -> np.ndarray:
    """Return gates with 0 for those of `STYLES`, on which weights do not depend."""
    kept = gates.copy()
    kept[:, len(WEIGHING) : len(GATES)] = 0
    return kept


def _capitals(text: str) -> float:
    """Return the fraction of capitals among letters."""
    if text.islower():
        return 0.0
    letters = sum(map(str.isalpha, text))
    return sum(map(str.isupper, text)) / max(letters, 1)


def _ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((values - low) / (high - low), 0.0, 1.0)
