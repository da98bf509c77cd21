"""Texts that are official titles or known texts, word for word."""

import numpy as np
import pytest

from naics_embed.census.normalise import normalise
from naics_embed.evidence.known_texts import Linear, index_texts
from naics_embed.search.coder import Coder
from naics_embed.search.exact import DECIDED, ExactTexts
from naics_embed.taxonomy import canonical_code
from tests.tiny_bundle import EVIDENCE, WIDTH, tiny_codebook, write_tiny_bundle


@pytest.fixture(scope='module')
def codebook():
    return tiny_codebook()


@pytest.fixture(scope='module')
def leaves(codebook) -> list[str]:
    return codebook.filter(codebook['level'] == 6)['code'].to_list()


@pytest.fixture(scope='module')
def exact(codebook, leaves) -> ExactTexts:
    texts = ['own words'] * 4 + ['Others', '', ''] + ['Corn Farming', '寿司 屋']
    labels = [leaves.index(code) for code in ('722511', '722511', '722511', '722513')]
    labels += [5, 6, 7, leaves.index('541110'), 8]
    # Every code needs a text.
    texts += [f'text {i}' for i in range(len(leaves))]
    labels += list(range(len(leaves)))
    vectors = np.ones((len(texts), WIDTH), dtype=np.float32) / np.sqrt(WIDTH)
    linear = Linear(np.zeros((WIDTH, len(leaves)), np.float32), np.zeros(len(leaves), np.float32))
    known = index_texts(texts, np.array(labels), vectors, linear, EVIDENCE)
    return ExactTexts(codebook['code'].to_list(), codebook['title'].to_list(), known)


def decide(exact, leaves, text) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities before and after, of a text that the coder thinks is anything else."""
    rng = np.random.default_rng(0)
    before = rng.dirichlet(np.ones(len(leaves)))
    after = before[None].copy()
    exact.decide([text], after)
    assert after.sum() == pytest.approx(1)
    return before, after[0]


@pytest.mark.parametrize('level', [2, 3, 4, 5, 6])
def test_a_title_of_any_level_decides(exact, codebook, leaves, level):
    of_level = codebook.filter(codebook['level'] == level)
    for code, title in of_level.select('code', 'title').rows()[:: max(1, len(of_level) // 9)]:
        spellings = (title, title.upper() + '.', title.replace(' ', '  '))
        for text in spellings:
            before, after = decide(exact, leaves, text)
            same = codebook.filter(codebook['title'] == title)['code'].to_list()
            named = np.array(
                [any(canonical_code(leaf[: len(one)]) == one for one in same) for leaf in leaves]
            )
            assert code in same
            assert after[named].sum() == pytest.approx(DECIDED)
            # Inside and outside, the coder's probabilities keep their ratios.
            inside, outside = after[named] / before[named], after[~named] / before[~named]
            assert inside == pytest.approx(inside[0])
            assert outside == pytest.approx(outside[0])


def test_a_known_text_decides_by_shares(exact, leaves):
    _, after = decide(exact, leaves, 'OWN words!')
    assert after[leaves.index('722511')] == pytest.approx(0.75 * DECIDED)
    assert after[leaves.index('722513')] == pytest.approx(0.25 * DECIDED)


def test_a_title_comes_before_a_known_text(exact, leaves):
    _, after = decide(exact, leaves, 'corn farming')
    assert after[leaves.index('111150')] == pytest.approx(DECIDED)


@pytest.mark.parametrize('text', ['own words and more', 'xyzzy', '!!!', '', '寿司屋', 'パン'])
def test_other_texts_are_left_as_they_are(exact, leaves, text):
    before, after = decide(exact, leaves, text)
    np.testing.assert_array_equal(before, after)


def test_a_coder_that_is_surer_stays_so(exact, leaves):
    sure = np.full((1, len(leaves)), 1e-9)
    column = leaves.index('111150')
    sure[0, column] = 1 - sure[0].sum() + sure[0, column]
    before = sure.copy()
    exact.decide(['Corn Farming'], sure)
    np.testing.assert_array_equal(before, sure)


@pytest.mark.parametrize('text', ['Corn Farming', 'own words'])
def test_probabilities_of_0_do_no_harm(exact, leaves, text):
    p = np.zeros((1, len(leaves)))
    p[0, 0] = 1.0
    exact.decide([text], p)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1)


def test_titles_in_a_search(encoder, tmp_path_factory):
    path = write_tiny_bundle(tmp_path_factory.mktemp('exact') / 'bundle', encoder, coder=True)
    coder = Coder.load(path)
    for text, code in (('Dentists', None), ('Construction', '23'), ('manufacturing', '31')):
        [answer] = coder.search(text, level=2, k=1)
        if code is not None:
            assert (answer.hits[0].code, answer.path[0].code) == (code, code)
            assert answer.hits[0].probability >= DECIDED - 1e-9


def test_a_text_of_a_user_decides_as_far_as_its_source_can_be_trusted(codebook, leaves, exact):
    texts = ['own words', 'their words', *(f'text {i}' for i in range(len(leaves)))]
    labels = np.array([3, 5, *range(len(leaves))])
    vectors = np.ones((len(texts), WIDTH), dtype=np.float32) / np.sqrt(WIDTH)
    linear = Linear(np.zeros((WIDTH, len(leaves)), np.float32), np.zeros(len(leaves), np.float32))
    known = index_texts(texts, labels, vectors, linear, EVIDENCE)
    trusted = np.array([0.6 if text == 'their words' else DECIDED for text in known.texts])
    trusting = ExactTexts(codebook['code'].to_list(), codebook['title'].to_list(), known, trusted)
    _, after = decide(trusting, leaves, 'own words')
    assert after[3] == pytest.approx(DECIDED)
    _, after = decide(trusting, leaves, 'Their words')
    assert after[5] == pytest.approx(0.6)
    sure = np.full((1, len(leaves)), 0.2 / (len(leaves) - 1))
    sure[0, 5] = 0.8
    before = sure.copy()
    trusting.decide(['their words'], sure)
    np.testing.assert_array_equal(before, sure)


ODD = [
    'own words',
    'Own  WORDS!',
    '_own words',
    'İzmir',
    'straße',
    'ΣΑΣ',
    '¿qué?',
    '寿司屋',
    '',
    '—',
]


def test_the_first_texts_are_found_as_the_others(codebook, leaves):
    labels = np.arange(len(ODD) + len(leaves)) % len(leaves)
    texts = ODD + [f'text {i}' for i in range(len(leaves))]
    vectors = np.ones((len(texts), WIDTH), dtype=np.float32) / np.sqrt(WIDTH)
    linear = Linear(np.zeros((WIDTH, len(leaves)), np.float32), np.zeros(len(leaves), np.float32))
    known = index_texts(texts, labels, vectors, linear, EVIDENCE)
    rows = {}
    for text in (*ODD, 'OWN-WORDS', 'Text 3', 'none of these'):
        # Each is the first that this one is asked for.
        new = ExactTexts(codebook['code'].to_list(), codebook['title'].to_list(), known)
        rows[text] = new._rows(normalise(text))
        assert '_known' not in new.__dict__
    prepared = ExactTexts(codebook['code'].to_list(), codebook['title'].to_list(), known)
    prepared.prepare()
    table = prepared.__dict__['_known']
    assert rows == {text: table.get(normalise(text), []) for text in rows}
    assert {known.texts[at] for at in rows['OWN-WORDS']} == set(ODD[:3])
    assert rows['none of these'] == []
