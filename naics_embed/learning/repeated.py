"""How far a label of a text can be trusted: how often a source codes the same text alike."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from naics_embed.census.normalise import normalise
from naics_embed.search.exact import DECIDED


def repeated_reliability(
    texts: Sequence[str],
    codes: np.ndarray,
    source: Sequence[str],
    *,
    expected: float,
    strength: float,
) -> dict[str, float]:
    """Return name of a source → fraction of its labels that hold for the same text again.

    For each row whose text its source has several times, the fraction of the other rows with this
    text that have the same code; the mean over these rows is smoothed with what is expected.

    Args:
        texts: n texts.
        codes: int ``(n,)``.
        source: name of the source of each.
        expected: share that is expected where no text is repeated.
        strength: rows that it counts for.
    """
    pairs: dict[str, dict[str, Counter[int]]] = {}
    for text, code, name in zip(texts, codes.tolist(), source, strict=True):
        by_text = pairs.setdefault(name, {})
        by_text.setdefault(normalise(text), Counter())[code] += 1
    result = {}
    for name, by_text in pairs.items():
        agreeing, rows = 0.0, 0
        for counts in by_text.values():
            n = counts.total()
            if n > 1:
                agreeing += sum(count * (count - 1) for count in counts.values()) / (n - 1)
                rows += n
        share = (agreeing + strength * expected) / (rows + strength)
        result[name] = float(min(share, DECIDED))
    return result
