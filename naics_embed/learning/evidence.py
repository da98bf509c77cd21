"""Known texts of a bundle with labelled texts added."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from naics_embed.evidence.known_texts import INDEXES, KnownTexts, Linear
from naics_embed.learning.term_counts import TextTerms, postings_of, read_terms

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Extension:
    """Labelled texts beside the known texts of a bundle.

    Attributes:
        base: known texts of the bundle.
        texts: n labelled texts.
        labels: int64 ``(n,)``, columns of their leaves.
        embeddings: float32 ``(n, width)``, by the frozen backbone.
        private: bool ``(n,)``; of these neither the text is kept nor a word that the bundle does
            not know from elsewhere.
    """

    base: KnownTexts
    texts: Sequence[str]
    labels: np.ndarray
    embeddings: np.ndarray
    private: np.ndarray

    @cached_property
    def _terms(self) -> dict[str, TextTerms]:
        return read_terms([*self.base.texts, *self.texts], self.base.settings)

    @cached_property
    def _base_counts(self) -> 'dict[str, csr_matrix]':
        own = np.arange(len(self.base.texts))
        return {name: self._by_leaf(name, own) for name in INDEXES}

    def _by_leaf(self, name: str, rows: np.ndarray) -> 'csr_matrix':
        labels = np.concatenate([self.base.labels, self.labels])
        return self._terms[name].by_leaf(labels, self.base.leaves, rows)

    def _counts(self, name: str, rows: np.ndarray) -> 'csr_matrix':
        shift = len(self.base.texts)
        private = self.private[rows]
        counts = self._base_counts[name] + self._by_leaf(name, rows[~private] + shift)
        if private.any():
            hidden = self._by_leaf(name, rows[private] + shift).tocsc()
            known = np.unique(counts.indices)
            unknown = np.ones(hidden.shape[1], dtype=bool)
            unknown[known] = False
            hidden.data[np.repeat(unknown, np.diff(hidden.indptr))] = 0
            hidden.eliminate_zeros()
            counts = (counts + hidden).tocsr()
        return counts

    def known(self, rows: np.ndarray, linear: Linear) -> KnownTexts:
        """Return the bundle's known texts and some of the labelled ones.

        Args:
            rows: which.
            linear: the classifier for them.
        """
        base = self.base
        labels = np.concatenate([base.labels, self.labels[rows]])
        order = np.argsort(labels, kind='stable')
        added = self.embeddings[rows].astype(np.float16).astype(np.float32)
        kept = ['' if self.private[row] else self.texts[row] for row in rows.tolist()]
        texts = [*base.texts, *kept]
        indexes = {}
        for name in INDEXES:
            counts = self._counts(name, rows)
            used = np.unique(counts.indices)
            terms = [self._terms[name].terms[column] for column in used.tolist()]
            indexes[name] = postings_of(terms, counts[:, used], name, base.settings)
        return KnownTexts(
            [texts[i] for i in order.tolist()],
            labels[order],
            np.concatenate([base.embeddings, added])[order],
            linear,
            **indexes,
            settings=base.settings,
        )
