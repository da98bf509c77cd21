"""Known texts as evidence for six-digit codes: frozen embeddings, words, neighbours.

All of it is computed from training texts: titles, descriptions, examples and labelled texts of the
training split. Labels are columns of the leaves, the six-digit codes in the order of the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from naics_embed.evidence.postings import Postings, bm25_postings
from naics_embed.evidence.settings import EvidenceSettings
from naics_embed.evidence.terms import grams, pairs, plain, words

NEAREST = 'nearest'
COLUMNS = ('class_mean', 'linear', NEAREST, 'neighbours', 'words', 'pairs', 'characters')
"""The scores of `KnownTexts.columns`, in this order; more is better in each."""


INDEXES = ('words', 'pairs', 'characters')
"""The inverted indexes of `KnownTexts`."""

TILE = 2048
"""Known texts compared with queries at a time."""


@dataclass(frozen=True)
class Linear:
    """A linear classifier of sentence embeddings.

    Attributes:
        weights: float32 ``(width, leaves)``.
        bias: float32 ``(leaves,)``.
    """

    weights: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class KnownTexts:
    """Training texts, ready to be compared with queries.

    Attributes:
        texts: m training texts, those of one leaf together; empty for one that is private.
        labels: int64 ``(m,)``, ascending; every leaf occurs.
        embeddings: float32 ``(m, width)`` unit embeddings by the frozen backbone.
        linear: a classifier of frozen embeddings.
        words: BM25 of words over one document a leaf.
        pairs: the same of neighbouring words.
        characters: the same of character n-grams.
        settings: how terms are extracted and neighbours weighed.
    """

    texts: Sequence[str]
    labels: np.ndarray
    embeddings: np.ndarray
    linear: Linear
    words: Postings
    pairs: Postings
    characters: Postings
    settings: EvidenceSettings

    @property
    def leaves(self) -> int:
        """How many codes are scored."""
        return len(self.linear.bias)

    @cached_property
    def first(self) -> np.ndarray:
        """int64 ``(leaves,)``: the first text of each leaf."""
        return np.searchsorted(self.labels, np.arange(self.leaves))

    @cached_property
    def means(self) -> np.ndarray:
        """float32 ``(leaves, width)``: unit means of the embeddings of each leaf."""
        ends = np.append(self.first[1:], len(self.labels))
        # Twenty times as fast as `np.add.reduceat`, with the same sums.
        sums = np.stack(
            [
                self.embeddings[begin:end].sum(0, dtype=np.float64)
                for begin, end in zip(self.first, ends, strict=True)
            ]
        )
        return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)

    @cached_property
    def tiles(self) -> list[tuple[slice, slice]]:
        """Runs of leaves and their texts, so few that cosines with them stay in the cache."""
        bounds = np.append(self.first, len(self.labels))
        cuts = [0]
        while cuts[-1] < self.leaves:
            end = int(np.searchsorted(bounds, bounds[cuts[-1]] + TILE, side='right')) - 1
            cuts.append(max(end, cuts[-1] + 1))
        return [(slice(a, b), slice(int(bounds[a]), int(bounds[b]))) for a, b in pairwise(cuts)]

    def columns(self, texts: Sequence[str], embeddings: np.ndarray) -> np.ndarray:
        """Score leaves for queries, float32 ``(q, leaves, len(COLUMNS))``, column by column.

        Args:
            texts: the queries.
            embeddings: float32 ``(q, width)``, their unit embeddings by the frozen backbone.
        """
        scores = np.empty((len(COLUMNS), len(texts), self.leaves), dtype=np.float32)
        np.matmul(embeddings, self.means.T, out=scores[0])
        np.matmul(embeddings, self.linear.weights, out=scores[1])
        scores[1] += self.linear.bias
        sharpness = np.float32(self.settings.sharpness)
        density = np.empty(scores.shape[1:], dtype=np.float32)
        for leaves, rows in self.tiles:
            first = self.first[leaves] - rows.start
            cosine = embeddings @ self.embeddings[rows].T
            scores[2, :, leaves] = np.maximum.reduceat(cosine, first, axis=1)
            cosine -= 1
            cosine *= sharpness
            np.exp(cosine, out=cosine)
            density[:, leaves] = np.add.reduceat(cosine, first, axis=1)
        # Cosines are at least −1, so the density is never 0 by more than rounding.
        density += np.finfo(np.float32).tiny
        np.log(density, out=scores[3])
        scores[3] /= sharpness
        kept = [plain(text, self.settings.characters_read) for text in texts]
        stems = [words(text) for text in kept]
        scores[4] = self.words.scores(stems)
        scores[5] = self.pairs.scores([pairs(of_text) for of_text in stems])
        scores[6] = self.characters.scores([grams(text, self.settings.gram) for text in kept])
        return np.moveaxis(scores, 0, -1)

    def unknown_share(self, texts: Sequence[str]) -> np.ndarray:
        """Return the fraction of the words of each text that no known text has, float64 ``(n,)``.

        It is 0 for a text without words.
        """
        shares = np.zeros(len(texts))
        for row, text in enumerate(texts):
            stems = words(plain(text, self.settings.characters_read))
            if stems:
                shares[row] = sum(self.words.find(stem) is None for stem in stems) / len(stems)
        return shares

    def nearest_texts(
        self, embedding: np.ndarray, leaf: int, count: int
    ) -> list[tuple[str, float]]:
        """Return the training texts of a leaf that are most like a query, with their cosines.

        Args:
            embedding: float32 ``(width,)``, of the query.
            leaf: column of the leaf.
            count: at most so many.
        """
        begin = int(self.first[leaf])
        end = int(np.searchsorted(self.labels, leaf, side='right'))
        cosine = self.embeddings[begin:end] @ embedding
        order = np.argsort(-cosine, kind='stable')
        # A text that its user keeps private is known by its embedding alone.
        shown = [i for i in order.tolist() if self.texts[begin + i]][:count]
        return [(self.texts[begin + i], float(cosine[i])) for i in shown]

    def matching_terms(self, text: str, leaf: int, count: int) -> list[tuple[str, float]]:
        """Return the words of a query that match a leaf best, with their part of its BM25."""
        weights: dict[str, float] = {}
        for word in plain(text, self.settings.characters_read).split():
            for term in words(word):
                weight = self.words.of(term, leaf)
                if weight > 0:
                    weights[word] = weight
        return sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:count]


def index_texts(
    texts: Sequence[str],
    labels: np.ndarray,
    embeddings: np.ndarray,
    linear: Linear,
    settings: EvidenceSettings,
) -> KnownTexts:
    """Index training texts.

    Args:
        texts: m training texts.
        labels: int ``(m,)``, columns of their leaves.
        embeddings: float32 ``(m, width)`` by the frozen backbone.
        linear: classifier with a column for each leaf.
        settings: how terms are extracted and neighbours weighed.

    Raises:
        ValueError: a leaf has no text.
    """
    leaves = len(linear.bias)
    counts = np.bincount(labels, minlength=leaves)
    if len(counts) > leaves or not counts.all():
        raise ValueError(f'every one of {leaves} leaves needs a training text, and no other label')
    order = np.argsort(labels, kind='stable')
    labels = labels[order].astype(np.int64)
    # In half precision, as they are stored, so that the fit has the same embeddings as users.
    rounded = embeddings[order].astype(np.float16).astype(np.float32)
    ordered = [texts[i] for i in order]
    documents: dict[str, list[list[str]]] = {name: [[] for _ in range(leaves)] for name in INDEXES}
    for label, text in zip(labels.tolist(), ordered, strict=True):
        kept = plain(text, settings.characters_read)
        stems = words(kept)
        documents['words'][label] += stems
        documents['pairs'][label] += pairs(stems)
        documents['characters'][label] += grams(kept, settings.gram)
    saturation = {
        'words': settings.bm25_k1,
        'pairs': settings.bm25_k1,
        'characters': settings.gram_k1,
    }
    indexes = {
        name: bm25_postings(documents[name], k1=k1, b=settings.bm25_b)
        for name, k1 in saturation.items()
    }
    return KnownTexts(ordered, labels, rounded, linear, **indexes, settings=settings)
