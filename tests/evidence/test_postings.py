import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from naics_embed.evidence.postings import bm25_postings
from naics_embed.evidence.terms import grams, pairs, plain, stem, words

TEXTS = [
    'corn farming and corn milling',
    'dog grooming salon',
    'dental offices of dentists',
    'corn dog stand',
    'salon',
]
QUERIES = ['corn', 'dog salon dog', 'offices corn corn', 'nothing here']


def test_bm25_is_that_of_bm25s():
    bm25s = pytest.importorskip('bm25s')
    documents = [text.split() for text in TEXTS]
    reference = bm25s.BM25(k1=1.5, b=0.6, method='lucene')
    reference.index(documents, show_progress=False)
    index = bm25_postings(documents, k1=1.5, b=0.6)
    result = index.scores([query.split() for query in QUERIES])
    assert result.shape == (len(QUERIES), len(TEXTS))
    for query, scores in zip(QUERIES[:3], result, strict=False):
        np.testing.assert_allclose(scores, reference.get_scores(query.split()), rtol=1e-5)
    assert not result[3].any()
    assert index.scores([]).shape == (0, len(TEXTS))


@pytest.mark.parametrize('text', ['a', 'ab cd', 'corn  farming', 'x' * 30, ''])
def test_grams_are_those_of_scikit_learn(text):
    analyse = TfidfVectorizer(analyzer='char_wb', ngram_range=(4, 4)).build_analyzer()
    assert sorted(grams(plain(text, 100), 4)) == sorted(analyse(plain(text, 100)))


def test_pairs_are_neighbouring_words():
    assert pairs(words('offices of two dentists')) == ['office of', 'of two', 'two dentist']
    assert pairs(['alone']) == pairs([]) == []


def test_the_weight_of_a_term_in_a_document():
    index = bm25_postings([text.split() for text in TEXTS], k1=1.2, b=0.4)
    [scores] = index.scores([['corn']])
    for document in range(len(TEXTS)):
        assert index.of('corn', document) == pytest.approx(scores[document])
    assert index.of('nothing', 0) == 0


def test_plain_text():
    assert plain('Café  DENTISTS’ offices—(24/7)!', 100) == 'cafe dentists offices 24 7'
    assert plain('abcdef', 3) == 'abc'
    assert plain('寿司', 10) == '寿司'
    assert plain('\x00\t', 10) == ''


@pytest.mark.parametrize(
    ('word', 'wanted'),
    [
        ('farms', 'farm'),
        ('bakeries', 'bakery'),
        ('glass', 'glass'),
        ('bus', 'bus'),
        ('services', 'service'),
        ('gas', 'gas'),
        ('shoes', 'shoe'),
    ],
)
def test_plurals(word, wanted):
    assert stem(word) == wanted


def test_words_of_one_letter_do_not_count():
    assert words('a farms b 4 42') == ['farm', '42']


def test_a_term_is_found_with_and_without_the_table_of_terms():
    documents = [text.split() for text in (*TEXTS, 'é Ω 寿司 zebra')]
    index = bm25_postings(documents, k1=1.5, b=0.6)
    asked = [*index.terms, 'a', 'cor', 'corny', 'zzz', '', '寿', '龍']
    before = [index.find(term) for term in asked]
    scores = index.scores([asked])
    assert 'position' not in index.__dict__
    assert before == [index.position.get(term) for term in asked]
    assert [index.find(term) for term in asked] == before
    np.testing.assert_array_equal(index.scores([asked]), scores)
