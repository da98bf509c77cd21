"""An inverted index: from terms to the documents that hold them, with a weight for each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Postings:
    """Weights of terms in documents, term by term.

    Attributes:
        terms: the vocabulary, sorted.
        starts: int64 ``(terms + 1,)``, where each term begins in the next two.
        documents: int32 ``(postings,)``, ascending for each term.
        weights: float32 ``(postings,)``.
        idf: float32 ``(terms,)``, weight of a term in a query.
        size: documents.
    """

    terms: Sequence[str]
    starts: np.ndarray
    documents: np.ndarray
    weights: np.ndarray
    idf: np.ndarray
    size: int

    @cached_property
    def position(self) -> dict[str, int]:
        """Term → its position in the vocabulary."""
        return {term: i for i, term in enumerate(self.terms)}

    def scores(self, query: Mapping[int, float]) -> np.ndarray:
        """Return the sum over terms of query weight × document weight, float32 ``(size,)``.

        Args:
            query: position of a term → its weight in the query.
        """
        if not query:
            return np.zeros(self.size, dtype=np.float32)
        spans = [slice(self.starts[term], self.starts[term + 1]) for term in query]
        documents = np.concatenate([self.documents[span] for span in spans])
        lengths = [span.stop - span.start for span in spans]
        weights = np.concatenate([self.weights[span] for span in spans])
        weights = weights * np.repeat(np.fromiter(query.values(), np.float32), lengths)
        return np.bincount(documents, weights, minlength=self.size).astype(np.float32)

    def counted(self, terms: Iterable[str]) -> dict[int, float]:
        """Return the known terms with their counts, the query weights of BM25."""
        position = self.position
        counts = Counter(term for term in terms if term in position)
        return {position[term]: float(count) for term, count in sorted(counts.items())}

    def tfidf(self, terms: Iterable[str]) -> dict[int, float]:
        """Return the known terms with weights (1 + log tf) · idf, scaled to length 1."""
        raw = {
            term: (1 + np.log(count)) * float(self.idf[term])
            for term, count in self.counted(terms).items()
        }
        length = np.sqrt(sum(weight**2 for weight in raw.values()))
        return {term: weight / length for term, weight in raw.items()}

    def of(self, term: str, document: int) -> float:
        """Return the weight of a term in a document, 0 where it does not occur."""
        at = self.position.get(term)
        if at is None:
            return 0.0
        span = self.documents[self.starts[at] : self.starts[at + 1]]
        found = int(np.searchsorted(span, document))
        inside = found < len(span) and span[found] == document
        return float(self.weights[self.starts[at] + found]) if inside else 0.0


def bm25_postings(documents: Sequence[Sequence[str]], *, k1: float, b: float) -> Postings:
    """Index documents by BM25 in Lucene's form (Robertson et al. 1994; Kamphuis et al. 2020).

    Args:
        documents: the terms of each.
        k1: saturation of the term frequency.
        b: weight of the document length, 0 … 1.
    """
    terms, starts, rows, tf = _counts(documents, least=1)
    size = np.array([len(document) for document in documents], dtype=np.float64)
    df = np.diff(starts)
    idf = np.log1p((len(documents) - df + 0.5) / (df + 0.5))
    length = k1 * (1 - b + b * size[rows] / max(size.mean(), 1.0))
    weights = np.repeat(idf, df) * tf / (tf + length)
    return _postings(terms, starts, rows, weights, idf, len(documents))


def tfidf_postings(documents: Sequence[Sequence[str]], *, least: int) -> Postings:
    """Index documents by TF-IDF of length 1: (1 + log tf) · (1 + log((1 + n) / (1 + df))).

    The weights are those of scikit-learn's ``TfidfVectorizer(sublinear_tf=True, min_df=least)``.

    Args:
        documents: the terms of each.
        least: documents in which a term must occur.
    """
    terms, starts, rows, tf = _counts(documents, least=least)
    df = np.diff(starts)
    idf = 1 + np.log((1 + len(documents)) / (1 + df))
    weights = np.repeat(idf, df) * (1 + np.log(tf))
    length = np.sqrt(np.bincount(rows, weights**2, minlength=len(documents)))
    return _postings(terms, starts, rows, weights / length[rows], idf, len(documents))


def _counts(
    documents: Sequence[Sequence[str]], least: int
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return sorted terms, their starts, and the documents and frequencies of each posting."""
    number: dict[str, int] = {}
    columns: list[int] = []
    tf: list[int] = []
    sizes: list[int] = []
    for document in documents:
        counts = Counter(document)
        columns += [number.setdefault(term, len(number)) for term in counts]
        tf += counts.values()
        sizes.append(len(counts))
    names = list(number)
    place = np.empty(len(names), dtype=np.int64)
    place[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    column = place[np.array(columns, dtype=np.int64)]
    rows = np.repeat(np.arange(len(documents)), sizes)
    kept = (np.bincount(column, minlength=len(names)) >= least)[column]
    column, rows, frequency = column[kept], rows[kept], np.array(tf, dtype=np.float64)[kept]
    order = np.argsort(column, kind='stable')
    used, starts = np.unique(column[order], return_index=True)
    ordered = sorted(names)
    return (
        [ordered[i] for i in used],
        np.append(starts, len(column)).astype(np.int64),
        rows[order],
        frequency[order],
    )


def _postings(
    terms: list[str],
    starts: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    idf: np.ndarray,
    size: int,
) -> Postings:
    return Postings(
        terms,
        starts,
        rows.astype(np.int32),
        weights.astype(np.float32),
        idf.astype(np.float32),
        size,
    )
