"""Search as you type: titles of codes and known texts by the beginnings of their words.

Each word of a query matches words that begin with it, in any order; a word that begins none matches
those that are nearly alike. No model takes part.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from naics_embed.bundle.storage import CODER, Bundle
from naics_embed.evidence.terms import plain

TEXTS = f'{CODER}/texts.parquet'
LONGEST = 80
"""Characters of a text that is suggested; a longer one is no phrase."""
TITLE, KNOWN = 'title', 'known text'
AFTER = '\U0010ffff'
FUZZY = 4
"""Least characters of a word that may have a mistake; words twice as long may have two."""


@dataclass(frozen=True)
class Suggestion:
    """A text that a query may become.

    Attributes:
        text: a title or a known text.
        code: its code.
        official: the code's official spelling.
        title: the code's title.
        kind: ``title`` or ``known text``.
    """

    text: str
    code: str
    official: str
    title: str
    kind: str


class SuggestIndex:
    """Words of titles and known texts, sorted, with the texts that have them.

    Example:
        >>> index = SuggestIndex([Suggestion('Soybean Farming', '111110', '111110', '', TITLE)])
        >>> [one.code for one in index.suggest('farm soyb', 5)], index.suggest('bank', 5)
        (['111110'], [])
    """

    def __init__(self, entries: Sequence[Suggestion]) -> None:
        """Index texts.

        Args:
            entries: the texts; of two with the same text and code the first is kept.
        """
        distinct: dict[tuple[str, str], Suggestion] = {}
        for entry in entries:
            distinct.setdefault((plain(entry.text, LONGEST), entry.code), entry)
        # Better ones first: titles, then short texts; so the position of a text is its rank.
        ranked = sorted(
            distinct.items(), key=lambda item: (item[1].kind != TITLE, len(item[0][0]), item[0])
        )
        self.entries = [entry for _, entry in ranked]
        texts = [text for (text, _), _ in ranked]
        pairs = sorted({(word, row) for row, text in enumerate(texts) for word in text.split()})
        self._words = sorted({word for word, _ in pairs})
        self._rows = np.array([row for _, row in pairs], dtype=np.int64)
        all_words = [word for word, _ in pairs]
        self._starts = np.array(
            [*(bisect_left(all_words, word) for word in self._words), len(all_words)]
        )
        order = sorted(range(len(texts)), key=texts.__getitem__)
        self._sorted = [texts[row] for row in order]
        self._order = np.array(order, dtype=np.int64)

    @classmethod
    def of(cls, bundle: Bundle) -> 'SuggestIndex':
        """Index a bundle; one without a coder has its titles only."""
        codes = bundle.codes().select('code', 'official', 'title', 'level')
        # An only child has the title of the code above it: the deepest one is suggested.
        deepest = codes.sort('level', descending=True).unique('title', keep='first')
        entries = [
            Suggestion(title, code, official, title, TITLE)
            for code, official, title, _ in deepest.iter_rows()
        ]
        if TEXTS in bundle.manifest['files']:
            entries += _known(bundle.path / TEXTS, codes)
        return cls(entries)

    def suggest(self, query: str, limit: int) -> list[Suggestion]:
        """Return texts that fit what was typed so far, the best first.

        Args:
            query: the beginning of a text, or beginnings of some of its words.
            limit: at most so many.
        """
        text = plain(query, LONGEST)
        if not text or not self.entries:
            return []
        tokens = text.split()
        found = np.zeros(len(self.entries), dtype=np.int64)
        for token in tokens:
            found += self._matches(token)
        # Where no text has all of the words, one may be missing.
        least = max(int(found.max()), 1)
        if least < max(len(tokens) - 1, 1):
            return []
        begin = bisect_left(self._sorted, text)
        end = bisect_right(self._sorted, text + AFTER)
        first = np.sort(self._order[begin:end])[:limit]
        rest = np.flatnonzero(found >= least)[: limit + len(first)]
        rows = list(dict.fromkeys([*first.tolist(), *rest.tolist()]))[:limit]
        return [self.entries[row] for row in rows]

    def _matches(self, token: str) -> np.ndarray:
        """Return bool ``(entries,)``: which texts have a word that begins so, or nearly so."""
        mask = np.zeros(len(self.entries), dtype=bool)
        begin, end = self._range(token)
        if begin < end:
            mask[self._rows[self._starts[begin] : self._starts[end]]] = True
            return mask
        for word in self._alike(token):
            mask[self._rows[self._starts[word] : self._starts[word + 1]]] = True
        return mask

    def _range(self, token: str) -> tuple[int, int]:
        return bisect_left(self._words, token), bisect_right(self._words, token + AFTER)

    def _alike(self, token: str) -> list[int]:
        """Return positions of words whose beginnings have few mistakes."""
        if len(token) < FUZZY:
            return []
        most = 1 if len(token) < 2 * FUZZY else 2
        found: set[int] = set()
        # People get the first letter right; where no word with it is alike, all words are compared.
        for begin, end in (self._range(token[0]), (0, len(self._words))):
            # A letter too few, another one, a letter too many: the beginning is longer, as long, or
            # shorter than what was typed.
            for length in (len(token) + 1, len(token), len(token) - 1):
                parts = [word[:length] for word in self._words[begin:end]]
                hits = extract(token, parts, scorer=OSA.distance, score_cutoff=most, limit=None)
                found.update(begin + position for _, _, position in hits)
            if found:
                break
        return sorted(found)


def _known(path: Path, codes: pl.DataFrame) -> list[Suggestion]:
    known = pl.read_parquet(path, columns=['text', 'code']).filter(
        pl.col('text').str.len_chars().is_between(1, LONGEST)
    )
    named = known.join(codes.drop('level'), on='code', how='inner', maintain_order='left')
    return [
        Suggestion(text, code, official, title, KNOWN)
        for text, code, official, title in named.select(
            'text', 'code', 'official', 'title'
        ).iter_rows()
    ]
