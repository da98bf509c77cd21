import itertools
import json
import shutil
import threading

import numpy as np
import pytest

import naics_embed
from naics_embed.artifacts import read_json
from naics_embed.errors import ArtifactError, UserError
from naics_embed.search.code_table import CodeTable
from naics_embed.search.coder import Coder
from naics_embed.search.searcher import Searcher
from naics_embed.search.several_texts import search_several
from naics_embed.search.status import COARSER, CODED, SAYS_NOTHING, UNCERTAIN
from naics_embed.search.storage import CODER_FILES, REDIRECTIONS
from naics_embed.taxonomy import LEVELS, canonical_code
from tests.tiny_bundle import write_tiny_bundle

TEXTS = ('corn farming', 'dental offices', 'we repair shoes and leather goods', 'xylophone zzz')


@pytest.fixture(scope='module')
def path(encoder, tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp('coder') / 'bundle', encoder, coder=True)


@pytest.fixture(scope='module')
def coder(path) -> Coder:
    return Coder.load(path)


def test_a_title_finds_its_code(coder):
    rows = [i for i in coder.leaves.tolist() if len(coder.searcher.titles[i].split()) < 8][::29]
    texts = [coder.searcher.titles[row] for row in rows]
    found = [answer.hits[0].code for answer in coder.search(texts, k=1)]
    assert found == [coder.searcher.codes[row] for row in rows]


def test_misspelt_words_are_found_by_their_letters(coder):
    [answer] = coder.search('Footwere and lether goods repairs')
    assert '811430' in [hit.code for hit in answer.hits]


@pytest.mark.parametrize('level', LEVELS)
def test_probabilities_of_a_level_are_sums_of_those_below(coder, level):
    p = coder.probabilities(TEXTS)
    codes = list(coder.leaf_codes)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for row, answer in enumerate(coder.search(TEXTS, k=2000, level=level)):
        sums: dict[str, float] = {}
        for code, value in zip(codes, p[row], strict=True):
            above = canonical_code(code[:level])
            sums[above] = sums.get(above, 0.0) + value
        assert {hit.code: hit.probability for hit in answer.hits} == pytest.approx(sums)
        probabilities = [hit.probability for hit in answer.hits]
        assert probabilities == sorted(probabilities, reverse=True)


def test_the_path_leads_to_the_best_leaf(coder):
    for answer in coder.search(TEXTS):
        best = answer.hits[0].code
        assert [hit.code for hit in answer.path] == [canonical_code(best[:n]) for n in LEVELS]
        probabilities = [hit.probability for hit in answer.path]
        assert all(a >= b - 1e-12 for a, b in itertools.pairwise(probabilities))


@pytest.mark.parametrize('level', LEVELS)
def test_the_confident_code_has_no_more_digits_than_were_asked_for(coder, level):
    for answer in coder.search(TEXTS, level=level, confidence=1e-6):
        best = answer.hits[0]
        assert answer.path[-1] == best == answer.confident
        assert [hit.level for hit in answer.path] == [n for n in LEVELS if n <= level]
    row = (('dental offices', 1.0), ('Miller LLC', 0.3))
    [pooled] = search_several(coder, [row], 2, level, 1e-6)
    assert pooled.path[-1].code == pooled.hits[0].code == pooled.confident.code


def test_the_status_of_an_answer(coder):
    text = 'we repair shoes and leather goods'
    [answer] = coder.search(text)
    leaf, sector = answer.path[-1].probability, answer.path[0].probability
    assert leaf < sector < 1
    for confidence, status in (
        (leaf, CODED),
        ((leaf + sector) / 2, COARSER),
        ((1 + sector) / 2, UNCERTAIN),
    ):
        assert coder.search(text, confidence=confidence)[0].status == status
    assert coder.search('see attached')[0].status == SAYS_NOTHING


@pytest.mark.parametrize('text', TEXTS)
def test_the_confident_code_is_the_deepest_that_passes(coder, text):
    [answer] = coder.search(text)
    leaf = answer.path[-1]
    assert coder.search(text, confidence=leaf.probability)[0].confident == leaf
    steps = [pair for pair in itertools.pairwise(answer.path) if pair[0].probability < 1]
    for above, step in steps:
        between = (above.probability + step.probability) / 2
        if step.probability < between < above.probability:
            assert coder.search(text, confidence=between)[0].confident == above


def test_no_code_is_confident_where_no_sector_passes(coder):
    [vague] = coder.search('xylophone zzz', confidence=1.0)
    assert vague.confident is None
    assert vague.path[0].probability < 1


def test_distance_is_that_of_the_searcher(coder, path):
    distances = {
        hit.code: hit.distance for hit in Searcher.load(path).search([TEXTS[0]], k=2000)[0]
    }
    [answer] = coder.search(TEXTS[0], k=2000)
    assert {hit.code: hit.distance for hit in answer.hits} == pytest.approx(distances, abs=1e-6)


def test_evidence_names_texts_and_words(coder):
    [answer] = coder.search('repair of shoes, all kinds', evidence=3)
    best = answer.evidence[0]
    assert best.texts[0][0] == answer.hits[0].title
    assert len(answer.evidence) == len(answer.hits)
    [dental] = coder.search('dental offices', evidence=3)
    rank = [hit.code for hit in dental.hits].index('621210')
    assert {'dental', 'offices'} & {word for word, _ in dental.evidence[rank].words}


def test_answers_do_not_depend_on_their_batch(coder, monkeypatch):
    together = coder.probabilities(TEXTS)
    monkeypatch.setattr('naics_embed.search.scoring.CHUNK', 1)
    np.testing.assert_allclose(coder.probabilities(TEXTS), together, atol=1e-5)


def test_repetition_and_threads_give_equal_answers(coder, path):
    expected = coder.search(TEXTS)
    assert coder.search(TEXTS) == expected
    assert Coder.load(path).search(TEXTS) == expected
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(coder.search(TEXTS))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for answers in results:
        assert [[hit.code for hit in a.hits] for a in answers] == [
            [hit.code for hit in a.hits] for a in expected
        ]


def test_no_texts_no_answers(coder):
    assert coder.search([]) == []
    assert coder.probabilities([]).shape == (0, len(coder.leaves))


@pytest.mark.parametrize(
    'text', ['寿司屋', '\x00\x07', '🍣', 'a' * 50_000, 'é ' * 3000, '!!!', '123 456', 'x\u202ey']
)
def test_any_text_has_an_answer(coder, text):
    [answer] = coder.search(text)
    assert len(answer.hits) == 5
    assert all(np.isfinite(hit.probability) for hit in answer.hits)


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        ({'texts': ['farm', '']}, 'text 1 is empty'),
        ({'texts': ['farm', None]}, 'text 1 is empty'),
        ({'texts': ['caf\udce9']}, 'not valid Unicode'),
        ({'texts': ['farm'], 'k': 0}, 'k must be at least 1'),
        ({'texts': ['farm'], 'level': 7}, 'level must be one of'),
        ({'texts': ['farm'], 'confidence': 0}, 'confidence must be'),
        ({'texts': ['farm'], 'confidence': float('nan')}, 'confidence must be'),
    ],
)
def test_bad_arguments_are_named(coder, arguments, match):
    with pytest.raises(UserError, match=match):
        coder.search(**arguments)


def test_a_bundle_without_coder_says_so(bundle_path):
    with pytest.raises(ArtifactError, match='exported without coder/'):
        Coder.load(bundle_path)


@pytest.mark.parametrize('name', CODER_FILES)
def test_a_damaged_file_is_an_error(path, tmp_path, name):
    copy = shutil.copytree(path, tmp_path / 'copy')
    content = (copy / 'coder' / name).read_bytes()
    (copy / 'coder' / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match='was altered'):
        Coder.load(copy)
    reader = CodeTable.load(copy) if name == REDIRECTIONS else None
    with pytest.raises(ArtifactError, match='damaged'):
        reader.redirections('111120') if reader else Coder.load(copy, verify=False)


def test_a_fusion_of_other_scores_is_refused(path, tmp_path):
    copy = shutil.copytree(path, tmp_path / 'copy')
    file = copy / 'coder' / 'fusion.json'
    content = read_json(file)
    content['columns'][0] = 'other'
    file.write_text(json.dumps(content), encoding='utf-8')
    with pytest.raises(ArtifactError, match='fuses other'):
        Coder.load(copy, verify=False)


def test_the_frozen_backbone_is_not_the_trained_one(coder):
    trained = coder.searcher.backbone.state_dict()
    changed = [
        name
        for name, value in coder.encoder.frozen.state_dict().items()
        if not (value == trained[name]).all()
    ]
    assert changed == ['encoder.layer.1.output.dense.weight']
    assert coder.encoder.shared == 1


def test_public_names():
    assert naics_embed.Coder is Coder


def test_names_of_before_still_work_and_warn(coder):
    with pytest.warns(DeprecationWarning, match='support is now evidence'):
        [answer] = coder.search('repair of shoes, all kinds', support=1)
    with pytest.warns(DeprecationWarning, match=r'Answer\.support is now Answer\.evidence'):
        assert answer.support == answer.evidence != ()
    with pytest.warns(DeprecationWarning, match=r'Answer\.chosen is now Answer\.confident'):
        assert answer.chosen == answer.confident
