"""The activities that a text names, where it names several."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from naics_embed.evidence.empty_texts import says_nothing
from naics_embed.search.coder import Coder
from naics_embed.search.given_texts import as_texts
from naics_embed.search.searcher import check_texts
from naics_embed.search.several_texts import pooled

SENTENCES = re.compile(r'(?<=[^\W_]{2})[.!?](?=\s|$)|[;\n\r•·|]+|\s[-–—]\s')
"""Between sentences and entries of a list; an initial or a number keeps its full stop."""
LISTED = re.compile(r',\s*(?:and|or|y|e)?\s*|\s+(?:and|y)\s+|\s*&\s*|\s*/\s+', re.IGNORECASE)
"""Between what a sentence lists."""
MOST_PARTS = 24
LEAST_FRACTION = 0.1
LEAST_PROBABILITY = 0.4
"""Of a code for its part; what is less probable is no activity that the text names."""


@dataclass(frozen=True)
class Activity:
    """One of the activities of a text.

    Attributes:
        code: six digits.
        title: its title.
        fraction: of what the text says, 0 … 1. It is how much of the text is about this activity,
            not of the revenue or of the work.
        probability: of the code for the part that names it most clearly, read beside the others.
        parts: the parts of the text that name it, in their order.
    """

    code: str
    title: str
    fraction: float
    probability: float
    parts: tuple[str, ...]


def parts_of(text: str) -> list[str]:
    """Split a text into what may be activities: sentences, and what they list.

    Example:
        >>> parts_of('Roofing and siding; also sells lumber.')
        ['Roofing', 'siding', 'also sells lumber']
    """
    parts = [
        part.strip(' ,:-') for sentence in SENTENCES.split(text) for part in LISTED.split(sentence)
    ]
    kept = [part for part in parts if part and not says_nothing(part)]
    return kept[:MOST_PARTS] or [text]


def activities(
    coder: Coder, texts: str | Sequence[str], least_fraction: float = LEAST_FRACTION
) -> list[tuple[Activity, ...]]:
    """Return the activities that each text names, the main one first.

    Each part of a text is coded beside the whole: their probabilities are pooled with equal
    weights, so that "gutters" in a text of a roofer is roofing. A part counts by the square root of
    its words, and by how far its probabilities are from saying nothing (the square of one less
    their normalised entropy), so that certificates, clients and years in business hardly count.

    Args:
        coder: codes texts and their parts.
        texts: descriptions, as `naics_embed.Coder.search` takes them.
        least_fraction: activities with less are left out, as those are whose code is less probable
            than 0.4; the main one stays.

    Raises:
        UserError: a text is empty or no text.

    Example:
        >>> from naics_embed import Coder
        >>> from naics_embed.search.activities import activities
        >>> coder = Coder.load()  # doctest: +SKIP
        >>> activities(coder, 'Bakery and coffee shop')  # doctest: +SKIP
    """
    texts = as_texts(texts)
    check_texts(texts)
    split = [parts_of(text) for text in texts]
    distinct = list(dict.fromkeys([*texts, *(part for parts in split for part in parts)]))
    if not distinct:
        return []
    p = coder.probabilities(distinct)
    at = {text: i for i, text in enumerate(distinct)}
    titles, codes = coder.searcher.titles, coder.searcher.codes
    results = []
    for text, parts in zip(texts, split, strict=True):
        own = p[[at[part] for part in parts]]
        beside = pooled([own, np.broadcast_to(p[at[text]], own.shape)], [0.5, 0.5])
        weight = _weights(parts, own)
        found: dict[int, list[int]] = {}
        for row, leaf in enumerate(beside.argmax(axis=1).tolist()):
            found.setdefault(leaf, []).append(row)
        named = [
            Activity(
                codes[coder.leaves[leaf]],
                titles[coder.leaves[leaf]],
                float(weight[rows].sum()),
                float(beside[rows, leaf].max()),
                tuple(parts[row] for row in rows),
            )
            for leaf, rows in found.items()
        ]
        named.sort(key=lambda one: -one.fraction)
        kept = (
            one
            for one in named[1:]
            if one.fraction >= least_fraction and one.probability >= LEAST_PROBABILITY
        )
        results.append((named[0], *kept))
    return results


def _weights(parts: Sequence[str], p: np.ndarray) -> np.ndarray:
    """Return how much each part says, float64 ``(parts,)`` of sum 1."""
    entropy = -(p * np.log(np.maximum(p, np.finfo(np.float64).tiny))).sum(axis=1)
    said = np.maximum(1.0 - entropy / np.log(p.shape[1]), 1e-4)
    weight = said**2 * np.sqrt([len(part.split()) for part in parts])
    return np.asarray(weight / weight.sum())
