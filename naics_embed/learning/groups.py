"""Groups of texts that must stay on one side of a split: duplicates, and those of one firm."""

from collections.abc import Hashable, Sequence

import numpy as np

from naics_embed.census.normalise import normalise

SHORT = 3
"""Texts of at most so many words are duplicates only if they are equal."""


class _Union:
    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        self.parent[self.find(j)] = self.find(i)


def group_texts(
    texts: Sequence[str], groups: Sequence[Hashable] | None, similarity: float
) -> np.ndarray:
    """Return the group of each text, int64 ``(n,)``: 0, 1, … in the order in which they begin.

    Texts are of one group where the user's column says so, where they are equal but for case,
    punctuation and the order of words, or where the Jaccard similarity of their sets of words
    reaches ``similarity``. Two texts that reach it share one of their rarest words, a prefix of the
    sorted words (Chaudhuri et al. 2006), so that not all pairs are compared.

    Args:
        texts: the texts.
        groups: the user's group of each; None, or None for a text, where there is none.
        similarity: above 0, at most 1.
    """
    union = _Union(len(texts))
    first: dict[Hashable, int] = {}
    if groups is not None:
        for i, group in enumerate(groups):
            if group is not None:
                union.join(first.setdefault(('group', group), i), i)
    sets = [frozenset(normalise(text).split()) for text in texts]
    distinct: dict[frozenset[str], int] = {}
    for i, kept in enumerate(sets):
        union.join(distinct.setdefault(kept, i), i)
    frequency: dict[str, int] = {}
    for kept in distinct:
        for word in kept:
            frequency[word] = frequency.get(word, 0) + 1
    by_word: dict[str, list[tuple[frozenset[str], int]]] = {}
    for kept, i in sorted(distinct.items(), key=lambda item: (len(item[0]), item[1])):
        if len(kept) <= SHORT:
            continue
        rare = sorted(kept, key=lambda word: (frequency[word], word))
        prefix = rare[: len(rare) - int(np.ceil(similarity * len(rare))) + 1]
        for word in prefix:
            for other, j in by_word.get(word, ()):
                common = len(kept & other)
                if common >= similarity * (len(kept) + len(other) - common):
                    union.join(j, i)
        for word in prefix:
            by_word.setdefault(word, []).append((kept, i))
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(union.find(i), len(numbers)) for i in range(len(texts))])


def grouped_folds(groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each text, int64 ``(n,)``; a group is in one fold, and folds are even.

    Args:
        groups: ``(n,)``, as from `group_texts`.
        folds: how many.
        seed: of the order in which groups are dealt out.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind='stable')]
    filled = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(sizes), dtype=np.int64)
    for group in order.tolist():
        fold = int(filled.argmin())
        fold_of[group] = fold
        filled[fold] += sizes[group]
    return fold_of[groups]
