"""Counts of terms in one document a code, to which texts are added without reading all again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naics_embed.evidence.known_texts import INDEXES
from naics_embed.evidence.postings import Postings, bm25_weights, count_terms
from naics_embed.evidence.settings import EvidenceSettings
from naics_embed.evidence.terms import grams, pairs, plain, words

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class TextTerms:
    """The terms of texts, for one index.

    Attributes:
        terms: the vocabulary.
        counts: int32 ``(texts, terms)``.
    """

    terms: list[str]
    counts: 'csr_matrix'

    def by_leaf(self, labels: np.ndarray, leaves: int, rows: np.ndarray) -> 'csr_matrix':
        """Sum the counts of some texts by their leaf, ``(leaves, terms)``."""
        from scipy.sparse import csr_matrix

        member = csr_matrix(
            (np.ones(len(rows), dtype=np.int32), (labels[rows], rows)),
            shape=(leaves, self.counts.shape[0]),
        )
        return member @ self.counts


def read_terms(texts: Sequence[str], settings: EvidenceSettings) -> dict[str, TextTerms]:
    """Return the terms of texts for each of `INDEXES`."""
    documents: dict[str, list[list[str]]] = {name: [] for name in INDEXES}
    for text in texts:
        kept = plain(text, settings.characters_read)
        stems = words(kept)
        documents['words'].append(stems)
        documents['pairs'].append(pairs(stems))
        documents['characters'].append(grams(kept, settings.gram))
    return {name: _counted(documents[name]) for name in INDEXES}


def postings_of(
    terms: Sequence[str], counts: 'csr_matrix', name: str, settings: EvidenceSettings
) -> Postings:
    """Return the BM25 index of documents, whose rows are ``counts`` and columns are ``terms``.

    Args:
        terms: sorted.
        counts: ``(leaves, terms)``.
        name: one of `INDEXES`.
        settings: saturation and weight of the length.
    """
    by_term = counts.tocsc()
    by_term.sort_indices()
    size = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    k1 = settings.gram_k1 if name == 'characters' else settings.bm25_k1
    weights = bm25_weights(
        by_term.indptr, by_term.indices, by_term.data, size, k1=k1, b=settings.bm25_b
    )
    return Postings(
        terms,
        by_term.indptr.astype(np.int64),
        by_term.indices.astype(np.int32),
        weights.astype(np.float32),
        counts.shape[0],
    )


def _counted(documents: Sequence[Sequence[str]]) -> TextTerms:
    from scipy.sparse import csr_matrix

    terms, starts, columns, counts = count_terms(documents)
    matrix = csr_matrix(
        (counts.astype(np.int32), columns, starts), shape=(len(documents), len(terms))
    )
    return TextTerms(terms, matrix)
