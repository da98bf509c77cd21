"""Texts that are the name of a company alone, which names no trade.

"Miller Plumbing Inc" names a trade, "Miller & Sons Inc" does not. What decides is how much the
words tell of the subsector, as the known texts of a bundle have them, and whether the coder is
sure of a sector in spite of that. Initials, and words in names of all trades, are passed over.
"""

import re

import numpy as np

from naics_embed.evidence.postings import Postings
from naics_embed.evidence.terms import plain, words

MOST_WORDS = 6
"""A text with more words is no name alone."""
LEAST_EVIDENCE = 0.8
"""Information of a word that names a trade, in nats; `benchmarks.company_names`."""
LEAST_SECTOR = 0.8
"""Probability of a sector from which a text is coded all the same."""
ASSUMED = 8.0
"""Occurrences for which fractions of the subsectors among all words count in those of a word."""
LEAST_WORDS = 50.0
"""Known words a leaf; from fewer it cannot be told which words name a trade."""
COMMON = frozenset(
    stem
    for word in (
        *('inc', 'incorporated', 'llc', 'llp', 'lp', 'pllc', 'pc', 'corp', 'corporation', 'co'),
        *('company', 'companies', 'ltd', 'limited', 'plc', 'gmbh', 'sa', 'dba', 'jr', 'sr'),
        *('group', 'holding', 'holdings', 'enterprise', 'enterprises', 'partner', 'partners'),
        *('partnership', 'associate', 'associates', 'venture', 'ventures', 'industry'),
        *('industries', 'brother', 'brothers', 'bros', 'son', 'sons', 'daughter', 'daughters'),
        *('family', 'international', 'global', 'united', 'national', 'american', 'new', 'first'),
        *('and', 'of', 'the', 'von', 'van', 'de', 'la', 'del'),
    )
    for stem in words(word)
)
"""Legal forms, and words that stand in names of companies of all trades."""
_LINKING = frozenset(('and', 'of', 'the', 'von', 'van', 'de', 'la', 'del', 'y'))
_WORD = re.compile(r"[^\W\d_][\w'’.-]*")


def looks_like_name(text: str) -> bool:
    """Whether a text is short and each of its words begins with a capital, in Latin letters.

    Example:
        >>> looks_like_name('Smith & Sons LLC'), looks_like_name('we repair shoes')
        (True, False)
    """
    found = _WORD.findall(text)
    if not 1 <= len(found) <= MOST_WORDS or not text.isprintable():
        return False
    if any(ord(character) > 0x24F for word in found for character in word if character.isalpha()):
        return False
    return all(word[0].isupper() or word.casefold() in _LINKING for word in found)


class TradeWords:
    """How much words tell of the subsector.

    Args:
        postings: BM25 of words over one document a leaf.
        subsectors: int ``(leaves,)``, the subsector of each leaf.
        k1: saturation of the frequency in these weights.
    """

    def __init__(self, postings: Postings, subsectors: np.ndarray, k1: float) -> None:
        self.postings, self.k1 = postings, k1
        _, self.subsectors = np.unique(subsectors, return_inverse=True)
        df = np.diff(postings.starts)
        self._idf = np.log1p((postings.size - df + 0.5) / (df + 0.5))
        counts = self._counts(np.repeat(self._idf, df), postings.weights)
        total = np.bincount(self.subsectors[postings.documents], counts)
        self.shares = total / total.sum()
        self.enough = bool(total.sum() >= LEAST_WORDS * postings.size)

    def _counts(self, idf: np.ndarray | float, weights: np.ndarray) -> np.ndarray:
        """Return frequencies of words in documents, divided by the relative length of these."""
        saturated = np.minimum(weights.astype(np.float64) / idf, 0.999)
        return np.asarray(self.k1 * saturated / (1 - saturated))

    def information(self, stem: str) -> float:
        """Return the divergence of the subsectors of a word from those of all words, in nats.

        It is that of Kullback and Leibler (1951), of the posterior mean of the shares; 0 for a word
        that no known text has.
        """
        at = self.postings.find(stem)
        if at is None:
            return 0.0
        span = slice(int(self.postings.starts[at]), int(self.postings.starts[at + 1]))
        counts = self._counts(float(self._idf[at]), self.postings.weights[span])
        own = np.bincount(self.subsectors[self.postings.documents[span]], counts, len(self.shares))
        share = (own + ASSUMED * self.shares) / (own.sum() + ASSUMED)
        kept = share > 0
        return float(share[kept] @ np.log(share[kept] / self.shares[kept]))

    def evidence(self, text: str) -> float:
        """Return the information of the word of a name that tells most."""
        stems = [stem for stem in words(plain(text, 200)) if len(stem) > 1 and stem not in COMMON]
        return max(map(self.information, stems), default=0.0)

    def name_alone(self, text: str, sector: float) -> bool:
        """Whether a text is the name of a company that names no trade.

        Args:
            text: the text.
            sector: probability of its most probable sector.
        """
        if sector >= LEAST_SECTOR or not looks_like_name(text) or not self.enough:
            return False
        return self.evidence(text) < LEAST_EVIDENCE
