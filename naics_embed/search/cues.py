"""Words that decide between two codes."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from naics_embed.search.coder import Coder

Words = tuple[str, ...]


def cues(
    coder: Coder, texts: Sequence[str], first: int, second: int, most: int
) -> tuple[Words, Words]:
    """Return the words of texts whose weight differs most between two six-digit codes.

    Args:
        coder: whose known texts weigh the words.
        texts: where the words come from.
        first: column of a leaf.
        second: column of the other.
        most: words for each.

    Returns:
        the words that speak for the first, and those that speak for the second.
    """
    lead: defaultdict[str, float] = defaultdict(float)
    for text in texts:
        of_first = dict(coder.evidence.matching_terms(text, first, len(text)))
        of_second = dict(coder.evidence.matching_terms(text, second, len(text)))
        for word in {*of_first, *of_second}:
            lead[word] += of_first.get(word, 0.0) - of_second.get(word, 0.0)
    ordered = sorted(lead.items(), key=lambda item: (-item[1], item[0]))
    return (
        tuple(word for word, value in ordered[:most] if value > 0),
        tuple(word for word, value in reversed(ordered[-most:]) if value < 0),
    )


def deciding_words(coder: Coder, first: int, second: int, most: int) -> tuple[Words, Words]:
    """Return the words that would decide: known texts of the one have them, those of the other not.

    Args:
        coder: whose known texts weigh the words.
        first: column of a leaf.
        second: column of the other.
        most: words for each.
    """
    index = coder.evidence.words
    lead = np.zeros(len(index.terms))
    term = np.repeat(np.arange(len(index.terms)), np.diff(index.starts))
    for leaf, sign in ((first, 1.0), (second, -1.0)):
        chosen = np.flatnonzero(index.documents == leaf)
        lead[term[chosen]] += sign * index.weights[chosen]
    order = np.argsort(-lead, kind='stable')
    return (
        tuple(index.terms[i] for i in order[:most].tolist() if lead[i] > 0),
        tuple(index.terms[i] for i in order[::-1][:most].tolist() if lead[i] < 0),
    )
