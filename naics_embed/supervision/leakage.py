"""Texts that occur, whole or nearly, in other texts.

A held-out query leaks where its normal form occurs as whole words in a training text, or where
its set of character trigrams inside word boundaries (``char_wb``) has a Jaccard similarity of at
least a threshold with that of one. `find_leaks` looks before the draw, with a trie over words
and a prefix filter (Chaudhuri, Ganti & Kaushik, ICDE 2006); `find_matches` after it, by
plain sets and scikit-learn's own trigrams.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naics_embed.census.normalise import normalise

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_ROUNDING = 1e-9
_BLOCK_ROWS = 1024


def find_leaks(entries: Sequence[str], texts: Sequence[str], *, jaccard: float) -> np.ndarray:
    """Mark the entries that match a text, or another entry.

    Args:
        entries: texts to check, ``n`` of them; repeated ones match each other.
        texts: other texts. Each line of a text counts as a text, and so does the whole.
        jaccard: similarity of trigram sets from which two texts count as the same, in (0, 1].

    Returns:
        bool ``(n,)``. An entry without letters or digits is marked too.

    Raises:
        ValueError: ``jaccard`` is out of range.
    """
    _check_jaccard(jaccard)
    normal = [normalise(entry) for entry in entries]
    others = _normal_pieces(texts)
    unique = {text: i for i, text in enumerate(dict.fromkeys(normal))}
    member = np.fromiter((unique[text] for text in normal), dtype=np.int64, count=len(normal))
    distinct = list(unique)
    leaks = _contained(distinct, normal, others) | _similar(distinct, others, jaccard)
    leaks |= np.array([not text for text in distinct], dtype=bool)
    return leaks[member] if len(normal) else np.zeros(0, dtype=bool)


def find_matches(
    held_out: Sequence[str], training_texts: Sequence[str], jaccard: float
) -> np.ndarray:
    """Mark the held-out texts that match a training text, independently of `find_leaks`.

    Unlike there, held-out texts may match each other.

    Args:
        held_out: queries that must not occur in training, ``n`` of them.
        training_texts: everything that training sees, each also line by line.
        jaccard: similarity of trigram sets from which two texts count as the same, in (0, 1].

    Returns:
        bool ``(n,)``.

    Raises:
        ValueError: ``jaccard`` is out of range.
    """
    _check_jaccard(jaccard)
    queries = [normalise(text) for text in held_out]
    training = _normal_pieces(training_texts)
    return _occurs_in(queries, training) | _has_near_copy(queries, training, jaccard)


def count_leaks(held_out: Sequence[str], training_texts: Sequence[str], jaccard: float) -> int:
    """Count what `find_matches` marks."""
    return int(find_matches(held_out, training_texts, jaccard).sum())


def _check_jaccard(jaccard: float) -> None:
    if not 0 < jaccard <= 1:
        raise ValueError(f'jaccard must lie in (0, 1], not {jaccard}')


def _normal_pieces(texts: Iterable[str]) -> list[str]:
    """Return the distinct normal forms of texts and of their lines, without empty ones."""
    pieces: dict[str, None] = {}
    for text in texts:
        pieces[normalise(text)] = None
        if '\n' in text:
            pieces.update(dict.fromkeys(normalise(line) for line in text.split('\n')))
    pieces.pop('', None)
    return list(pieces)


def _contained(distinct: list[str], entries: list[str], others: list[str]) -> np.ndarray:
    """Mark the distinct texts that occur in ``others``, or in two or more of ``entries``.

    All positions of all texts walk down a trie of the distinct texts together, a word at a step.
    """
    word_ids: dict[str, int] = {}
    sequences = [[word_ids.setdefault(w, len(word_ids)) for w in t.split()] for t in distinct]
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    depth = int(lengths.max(initial=0))
    padded = np.full((len(distinct), depth), -1, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = sequence

    # A word that no entry has, or the −1 at the end of each text, stops a walk.
    tokens: list[int] = []
    owner: list[int] = []
    for number, text in enumerate([*entries, *others]):
        ids = [word_ids.get(word, -1) for word in text.split()]
        tokens += [*ids, -1]
        owner += [number] * (len(ids) + 1)
    stream = np.array([*tokens, *[-1] * depth], dtype=np.int64)
    text_of = np.array(owner, dtype=np.int64)

    hit_texts: list[np.ndarray] = []
    hits: list[np.ndarray] = []
    entry_node = np.zeros(len(distinct), dtype=np.int64)
    start = np.flatnonzero(stream >= 0)
    node = np.zeros(len(start), dtype=np.int64)
    base = len(word_ids) + 1
    for step in range(depth):
        longer = np.flatnonzero(lengths > step)
        edges, child = np.unique(
            entry_node[longer] * base + padded[longer, step], return_inverse=True
        )
        entry_node[longer] = child
        key = node * base + stream[start + step]
        at = np.minimum(np.searchsorted(edges, key), len(edges) - 1)
        walks_on = (edges[at] == key) & (stream[start + step] >= 0)
        start, node = start[walks_on], at[walks_on]
        ending = np.flatnonzero(lengths == step + 1)
        ends_at = np.full(len(edges), -1, dtype=np.int64)
        ends_at[entry_node[ending]] = ending
        hit = ends_at[node]
        hits.append(hit[hit >= 0])
        hit_texts.append(text_of[start[hit >= 0]])
    if not hits:
        return np.zeros(len(distinct), dtype=bool)
    pairs = np.unique(np.stack([np.concatenate(hits), np.concatenate(hit_texts)]), axis=1)
    in_entries = np.bincount(pairs[0, pairs[1] < len(entries)], minlength=len(distinct))
    in_others = np.bincount(pairs[0, pairs[1] >= len(entries)], minlength=len(distinct))
    return (in_entries >= 2) | (in_others >= 1)


def _similar(distinct: list[str], others: list[str], jaccard: float) -> np.ndarray:
    """Mark the distinct texts whose trigrams nearly equal those of another text.

    Two sets whose Jaccard similarity is at least t share an element among the first
    |x| − ⌈t|x|⌉ + 1 of each, in any fixed order; with the rarest first few pairs remain to check.
    """
    sets = _trigram_sets([*distinct, *others])
    size = np.diff(sets.indptr)
    largest = size[: len(distinct)].max(initial=0)
    rows = np.flatnonzero((size > 0) & (size <= largest / jaccard + _ROUNDING))
    prefix = _prefixes(sets, rows, jaccard)
    queries = rows[rows < len(distinct)]
    marked = np.zeros(len(distinct), dtype=bool)
    for begin in range(0, len(queries), _BLOCK_ROWS):
        block = queries[begin : begin + _BLOCK_ROWS]
        pairs = (prefix[block] @ prefix.T).tocoo()
        left, right = block[pairs.coords[0]], pairs.coords[1].astype(np.int64)
        small, large = np.minimum(size[left], size[right]), np.maximum(size[left], size[right])
        likely = (left != right) & (small >= jaccard * large - _ROUNDING)
        left, right = left[likely], right[likely]
        overlap = np.asarray(sets[left].multiply(sets[right]).sum(axis=1)).ravel()
        alike = overlap >= jaccard * (size[left] + size[right] - overlap) - _ROUNDING
        marked[left[alike]] = True
    return marked


def _trigram_sets(texts: list[str]) -> 'csr_array':
    """Return a binary matrix, a row a text; columns are trigrams, the rarest first."""
    from scipy.sparse import csr_array

    ids: dict[str, int] = {}
    of_word: dict[str, frozenset[int]] = {}
    indices: list[int] = []
    bounds = [0]
    for text in texts:
        grams: set[int] = set()
        for word in text.split():
            if word not in of_word:
                spaced = f' {word} '
                of_word[word] = frozenset(
                    ids.setdefault(spaced[i : i + 3], len(ids)) for i in range(len(spaced) - 2)
                )
            grams |= of_word[word]
        indices.extend(grams)
        bounds.append(len(indices))
    columns = np.array(indices, dtype=np.int32)
    rank = np.empty(len(ids), dtype=np.int32)
    frequency = np.bincount(columns, minlength=len(ids))
    rank[np.argsort(frequency, kind='stable')] = np.arange(len(ids), dtype=np.int32)
    matrix = csr_array(
        (np.ones(len(columns), dtype=np.int32), rank[columns], np.array(bounds, dtype=np.int32)),
        shape=(len(texts), len(ids)),
    )
    matrix.sort_indices()
    return matrix


def _prefixes(sets: 'csr_array', rows: np.ndarray, jaccard: float) -> 'csr_array':
    """Return a matrix of the same shape that keeps the prefix of each of the given rows."""
    from scipy.sparse import csr_array

    size = np.diff(sets.indptr)
    kept = np.zeros(len(size), dtype=np.int64)
    kept[rows] = size[rows] - np.ceil(jaccard * size[rows] - _ROUNDING).astype(np.int64) + 1
    position = np.arange(sets.nnz) - np.repeat(sets.indptr[:-1], size)
    mask = position < np.repeat(kept, size)
    bounds = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)
    return csr_array((sets.data[mask], sets.indices[mask], bounds), shape=sets.shape)


def _occurs_in(queries: list[str], training: list[str]) -> np.ndarray:
    """Mark the queries that occur as whole words in a training text."""
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for query in queries:
        words = query.split()
        if words:
            lengths[words[0]].add(len(words))
    distinct = set(queries)
    present: set[str] = set()
    for text in training:
        words = text.split()
        for at, word in enumerate(words):
            for length in lengths.get(word, ()):
                phrase = ' '.join(words[at : at + length])
                if phrase in distinct:
                    present.add(phrase)
    return np.array([query in present for query in queries], dtype=bool)


def _has_near_copy(queries: list[str], training: list[str], jaccard: float) -> np.ndarray:
    """Mark the queries with a training text of at least that trigram similarity."""
    from sklearn.feature_extraction.text import CountVectorizer

    marked = np.zeros(len(queries), dtype=bool)
    rows = [i for i, query in enumerate(queries) if query]
    if not rows or not training:
        return marked
    vectoriser = CountVectorizer(
        analyzer='char_wb', ngram_range=(3, 3), binary=True, lowercase=False, dtype=np.int32
    )
    training_sets = vectoriser.fit_transform(training)
    query_sets = vectoriser.transform([queries[i] for i in rows])
    training_size = np.asarray(training_sets.sum(axis=1)).ravel()
    # Trigrams that no training text has are not in the vocabulary, but count in the union.
    analyse = vectoriser.build_analyzer()
    query_size = np.array([len(set(analyse(queries[i]))) for i in rows])
    for size in np.unique(query_size):
        block = np.flatnonzero(query_size == size)
        # Sets whose sizes differ more cannot reach the threshold.
        near = np.flatnonzero(
            (training_size >= jaccard * size - _ROUNDING)
            & (training_size <= size / jaccard + _ROUNDING)
        )
        overlap = (query_sets[block] @ training_sets[near].T).toarray()
        union = size + training_size[near][None, :] - overlap
        alike = (overlap >= jaccard * union - _ROUNDING).any(axis=1)
        marked[np.array(rows)[block[alike]]] = True
    return marked
