import numpy as np
import pytest

from naics_embed.evidence.known_texts import INDEXES, Linear, index_texts
from naics_embed.learning.evidence import Extension
from naics_embed.learning.term_counts import postings_of, read_terms
from tests.tiny_bundle import EVIDENCE

TEXTS = [
    'corn farming and corn milling',
    'dog grooming salon',
    'dental offices of dentists',
    'corn dog stand',
    'salon',
    'Café — dentists’ offices (24/7)',
    '寿司 屋',
    'grooming of dogs, grooming of cats',
]
LABELS = np.array([0, 1, 2, 3, 1, 2, 3, 1])
LEAVES = 4


def embedded(count: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


LINEAR = Linear(embedded(LEAVES).T.copy(), np.zeros(LEAVES, dtype=np.float32))


def same(one, other):
    assert list(one.terms) == list(other.terms)
    np.testing.assert_array_equal(one.starts, other.starts)
    np.testing.assert_array_equal(one.documents, other.documents)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-6)
    assert one.size == other.size
    for field in ('starts', 'documents', 'weights'):
        assert getattr(one, field).dtype == getattr(other, field).dtype


@pytest.mark.parametrize('name', INDEXES)
def test_the_index_is_that_of_the_same_texts(name):
    wanted = index_texts(TEXTS, LABELS, embedded(len(TEXTS)), LINEAR, EVIDENCE)
    terms = read_terms(TEXTS, EVIDENCE)[name]
    counts = terms.by_leaf(LABELS, LEAVES, np.arange(len(TEXTS)))
    same(postings_of(terms.terms, counts, name, EVIDENCE), getattr(wanted, name))


def extension(private: list[bool]) -> Extension:
    vectors = embedded(len(TEXTS))
    base = index_texts(TEXTS[:4], LABELS[:4], vectors[:4], LINEAR, EVIDENCE)
    return Extension(base, TEXTS[4:], LABELS[4:], vectors[4:], np.array(private))


def test_added_texts_are_known_as_if_they_had_been_there():
    added = extension([False] * 4)
    for rows in ([0, 1, 2, 3], [1, 3], []):
        chosen = np.array([0, 1, 2, 3, *(4 + row for row in rows)])
        wanted = index_texts(
            [TEXTS[i] for i in chosen],
            LABELS[chosen],
            embedded(len(TEXTS))[chosen],
            LINEAR,
            EVIDENCE,
        )
        found = added.known(np.array(rows, dtype=np.int64), LINEAR)
        assert list(found.texts) == list(wanted.texts)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_array_equal(found.embeddings, wanted.embeddings)
        for name in INDEXES:
            same(getattr(found, name), getattr(wanted, name))


def test_of_private_texts_neither_text_nor_new_word_is_kept():
    found = extension([True, False, True, True]).known(np.arange(4), LINEAR)
    assert '' in found.texts
    assert not {'寿司', 'cat'} & set(found.words.terms)
    assert 'cafe' in found.words.terms, 'a text that is not private'
    assert not any('寿' in term for name in INDEXES for term in getattr(found, name).terms)
    # Words that the bundle knows count for the code of a private text too.
    assert found.words.of('salon', 1) != extension([False] * 4).base.words.of('salon', 1)
    assert 'cats' not in ' '.join(found.texts)
