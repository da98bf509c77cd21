"""An inverted index: from terms to the documents that hold them, with a weight for each."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

FEW_TERMS = 4096
"""Most terms of one call that are found by bisection, before a table of all terms pays."""


@dataclass(frozen=True)
class Postings:
    """Weights of terms in documents, term by term.

    Attributes:
        terms: the vocabulary, sorted.
        starts: int64 ``(terms + 1,)``, where each term begins in the next two.
        documents: int32 ``(postings,)``, ascending for each term.
        weights: float32 ``(postings,)``.
        size: documents.
    """

    terms: Sequence[str]
    starts: np.ndarray
    documents: np.ndarray
    weights: np.ndarray
    size: int

    @cached_property
    def position(self) -> dict[str, int]:
        """Term → its position in the vocabulary."""
        return dict(zip(self.terms, range(len(self.terms)), strict=True))

    def find(self, term: str) -> int | None:
        """Return the position of a term in the vocabulary, None where it has none.

        By `position` where that is made already, else by bisection: a process that answers once
        need not make a table of all terms.
        """
        if 'position' in self.__dict__:
            return self.position.get(term)
        at = bisect_left(self.terms, term)
        return at if at < len(self.terms) and self.terms[at] == term else None

    def scores(self, queries: Sequence[Sequence[str]]) -> np.ndarray:
        """Return sums of the weights of terms in documents, float32 ``(len(queries), size)``.

        Args:
            queries: the terms of each; one that occurs twice counts twice, one that is unknown
                not at all.
        """
        if sum(map(len, queries)) > FEW_TERMS:
            _ = self.position
        known_terms = [
            [at for term in terms if (at := self.find(term)) is not None] for terms in queries
        ]
        sizes = [len(terms) for terms in known_terms]
        terms = np.fromiter(chain.from_iterable(known_terms), np.int64, sum(sizes))
        begins, lengths = self.starts[terms], np.diff(self.starts)[terms]
        ends = np.cumsum(lengths)
        # Postings of all terms end to end, without a loop over them.
        chosen = np.repeat(begins - ends + lengths, lengths) + np.arange(lengths.sum())
        row = np.repeat(np.repeat(np.arange(len(known_terms)) * self.size, sizes), lengths)
        sums = np.bincount(
            row + self.documents[chosen],
            self.weights[chosen],
            minlength=len(known_terms) * self.size,
        )
        return sums.astype(np.float32).reshape(len(known_terms), self.size)

    def of(self, term: str, document: int) -> float:
        """Return the weight of a term in a document, 0 where it does not occur."""
        at = self.find(term)
        if at is None:
            return 0.0
        span = self.documents[self.starts[at] : self.starts[at + 1]]
        offset = int(np.searchsorted(span, document))
        inside = offset < len(span) and span[offset] == document
        return float(self.weights[self.starts[at] + offset]) if inside else 0.0


def bm25_postings(documents: Sequence[Sequence[str]], *, k1: float, b: float) -> Postings:
    """Index documents by BM25 in Lucene's form (Robertson et al. 1994; Kamphuis et al. 2020).

    Args:
        documents: the terms of each.
        k1: saturation of the term frequency.
        b: weight of the document length, 0 … 1.
    """
    terms, starts, rows, tf = _by_term(documents)
    size = np.array([len(document) for document in documents], dtype=np.float64)
    weights = bm25_weights(starts, rows, tf, size, k1=k1, b=b)
    return Postings(
        terms, starts, rows.astype(np.int32), weights.astype(np.float32), len(documents)
    )


def bm25_weights(
    starts: np.ndarray, rows: np.ndarray, tf: np.ndarray, size: np.ndarray, *, k1: float, b: float
) -> np.ndarray:
    """Return the BM25 weight of each posting, float64, for the postings of terms in their order.

    Args:
        starts: ``(terms + 1,)``, where the postings of each term begin.
        rows: ``(postings,)``, the document of each.
        tf: ``(postings,)``, how often the term occurs there.
        size: ``(documents,)``, terms of each document.
        k1: saturation of the term frequency.
        b: weight of the document length, 0 … 1.
    """
    df = np.diff(starts)
    idf = np.log1p((len(size) - df + 0.5) / (df + 0.5))
    length = k1 * (1 - b + b * size[rows] / max(size.mean(), 1.0))
    return np.repeat(idf, df) * tf / (tf + length)


def count_terms(
    documents: Sequence[Sequence[str]],
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return how often terms occur in documents, document by document.

    Args:
        documents: the terms of each.

    Returns:
        the sorted terms; int64 ``(documents + 1,)``, where each document begins in the next two;
        int64, the position of a term; int64, how often it occurs.
    """
    number: dict[str, int] = {}
    columns: list[int] = []
    counted: list[int] = []
    starts = [0]
    for document in documents:
        counts = Counter(document)
        columns += [number.setdefault(term, len(number)) for term in counts]
        counted += counts.values()
        starts.append(len(columns))
    terms = sorted(number)
    rank = np.empty(len(terms), dtype=np.int64)
    rank[[number[term] for term in terms]] = np.arange(len(terms))
    column = rank[np.array(columns, dtype=np.int64)]
    return terms, np.array(starts, dtype=np.int64), column, np.array(counted, dtype=np.int64)


def _by_term(
    documents: Sequence[Sequence[str]],
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return sorted terms, their starts, and the documents and frequencies of each posting."""
    terms, begins, column, counts = count_terms(documents)
    rows = np.repeat(np.arange(len(documents)), np.diff(begins))
    order = np.argsort(column, kind='stable')
    starts = np.zeros(len(terms) + 1, dtype=np.int64)
    np.cumsum(np.bincount(column, minlength=len(terms)), out=starts[1:])
    return terms, starts, rows[order], counts.astype(np.float64)[order]
