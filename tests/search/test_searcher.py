import shutil
import threading

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from scipy.special import erf
from tokenizers import Tokenizer
from transformers import BertModel

import naics_embed
from naics_embed.bundle.storage import Bundle, coordinate_names
from naics_embed.errors import ArtifactError, UserError
from naics_embed.search.searcher import Hit, Searcher
from naics_embed.taxonomy import LEVELS
from naics_embed.text.head import LorentzHead
from tests.tiny_bundle import SPACE, WIDTH

TEXTS = [
    'dog grooming salon',
    'soybean farming',
    'we repair bicycles and sell spare parts to anybody who comes in from the street, every day',
    'Pension funds',
    'x',
]
# Single precision of a transformer whose sums depend on the padding.
TOLERANCE = 1e-4


@pytest.fixture(scope='module')
def searcher(bundle_path) -> Searcher:
    return Searcher.load(bundle_path)


def ranked(searcher: Searcher, text: str, level: int) -> list[tuple[str, float, float]]:
    """Code, distance and probability of every candidate, from the files and the formulas alone."""
    folder = searcher.bundle.encoder
    ids = Tokenizer.from_file(str(folder / 'tokenizer.json')).encode(text).ids
    if len(ids) > SPACE.window:
        ids = [*ids[: SPACE.window - 1], ids[-1]]
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        hidden = model(torch.tensor([ids])).last_hidden_state[0].double().numpy()
    pooled = hidden.mean(0)
    x = pooled / np.linalg.norm(pooled) * np.sqrt(WIDTH)
    head = {
        name: value.astype(np.float64)
        for name, value in load_file(folder / 'head.safetensors').items()
    }
    inner = head['hidden.weight'] @ x + head['hidden.bias']
    gelu = inner * (1 + erf(inner / np.sqrt(2))) / 2
    v = head['linear.weight'] @ x + head['linear.bias'] + head['out.weight'] @ gelu
    norm = np.linalg.norm(v)
    v = v / norm * SPACE.r_max * np.tanh(norm / SPACE.r_max)
    table = searcher.bundle.codes().filter(pl.col('level') == level)
    u = table.select(coordinate_names(SPACE.dim)).to_numpy().astype(np.float64)
    root = np.sqrt(SPACE.curvature)

    def point(tangent):
        radius = np.linalg.norm(tangent, axis=-1, keepdims=True)
        return np.cosh(root * radius) / root, np.sinh(root * radius) / (root * radius) * tangent

    (t, s), (times, spaces) = point(v), point(u)
    inner = SPACE.curvature * (times[:, 0] * t - spaces @ s)
    distance = np.arccosh(np.maximum(inner, 1)) / root
    weight = np.exp(-SPACE.temperature * distance)
    rows = zip(table['code'], distance, weight / weight.sum(), strict=True)
    return sorted(rows, key=lambda row: row[1])


@pytest.mark.parametrize('level', LEVELS)
@pytest.mark.parametrize('text', TEXTS)
def test_hits_are_those_of_a_search_by_formula(searcher, text, level):
    wanted = ranked(searcher, text, level)
    [hits] = searcher.search([text], k=10, level=level)
    assert [hit.code for hit in hits] == [code for code, _, _ in wanted[:10]]
    # At distance 0 the arcosh of the formula keeps half of the digits.
    np.testing.assert_allclose(
        [hit.distance for hit in hits], [d for _, d, _ in wanted[:10]], atol=5e-4
    )
    np.testing.assert_allclose(
        [hit.probability for hit in hits], [p for _, _, p in wanted[:10]], rtol=5e-3
    )


def test_a_title_finds_its_code(searcher):
    rows = [row for row in range(len(searcher.codes)) if searcher.level[row] == 6][::9]
    found = searcher.search([searcher.titles[row] for row in rows], k=1)
    windowed = [len(searcher.titles[row].split()) < SPACE.window // 2 for row in rows]
    pairs = [
        (searcher.codes[row], hits[0])
        for row, hits, short in zip(rows, found, windowed, strict=True)
        if short
    ]
    assert len(pairs) > 50
    assert [hit.code for _, hit in pairs] == [code for code, _ in pairs]
    assert max(hit.distance for _, hit in pairs) < TOLERANCE


def test_a_hit_describes_its_code(searcher):
    [hits] = searcher.search(['Making things'], k=20, level=2)
    assert len(hits) == 20
    table = {row['code']: row for row in searcher.bundle.codes().iter_rows(named=True)}
    for hit in hits:
        row = table[hit.code]
        assert hit == Hit(
            row['code'],
            row['official'],
            row['title'],
            row['level'],
            hit.distance,
            hit.probability,
        )
    assert {'31-33', '44-45', '48-49'} <= {hit.official for hit in hits}


@pytest.mark.parametrize('level', LEVELS)
def test_only_the_level_asked_for(searcher, level):
    size = int((searcher.level == level).sum())
    [hits] = searcher.search(['farm'], k=10_000, level=level)
    assert len(hits) == size
    assert {hit.level for hit in hits} == {level}
    assert {len(hit.code) for hit in hits} == {level}
    assert sum(hit.probability for hit in hits) == pytest.approx(1)


@pytest.mark.parametrize('k', [1, 2, 7])
def test_k_hits_nearest_first(searcher, k):
    for hits in searcher.search(TEXTS, k=k):
        assert len(hits) == k
        assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
        chances = [hit.probability for hit in hits]
        assert chances == sorted(chances, reverse=True)
        assert all(0 < chance < 1 for chance in chances)


def test_a_smaller_k_is_the_beginning_of_a_larger(searcher):
    few, many = searcher.search(TEXTS, k=3), searcher.search(TEXTS, k=30)
    assert few == [hits[:3] for hits in many]


def test_texts_differ(searcher):
    best = [hits[0].code for hits in searcher.search(TEXTS, k=1)]
    assert len(set(best)) > 2


def test_equal_distances_keep_the_order_of_the_codes(bundle_path, monkeypatch):
    searcher = Searcher.load(bundle_path)
    monkeypatch.setattr(searcher, 'points', torch.zeros_like(searcher.points))
    [hits] = searcher.search(['farm'], k=5)
    codes = [c for c, level in zip(searcher.codes, searcher.level, strict=True) if level == 6]
    assert [hit.code for hit in hits] == codes[:5]


def test_a_query_twice_gives_the_same_bits(searcher, bundle_path):
    first = searcher.search(TEXTS)
    assert searcher.search(TEXTS) == first
    assert Searcher.load(bundle_path).search(TEXTS) == first


def test_repeated_texts_have_one_answer(searcher):
    a, b, c = searcher.search(['farm', 'shop', 'farm'])
    assert a == c != b


def test_threads_get_equal_answers(searcher):
    wanted = searcher.search(TEXTS)
    found: dict[int, list] = {}

    def work(number: int) -> None:
        found[number] = [searcher.search(TEXTS) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(6))
    for answers in found.values():
        for answer in answers:
            for hits, expected in zip(answer, wanted, strict=True):
                assert [hit.code for hit in hits] == [hit.code for hit in expected]
                np.testing.assert_allclose(
                    [hit.distance for hit in hits],
                    [hit.distance for hit in expected],
                    atol=TOLERANCE,
                )


def test_a_point_does_not_depend_on_its_batch(searcher):
    together = searcher.encode(TEXTS)
    alone = torch.cat([searcher.encode([text]) for text in TEXTS])
    backwards = searcher.encode(TEXTS[::-1]).flip(0)
    assert together.shape == (len(TEXTS), SPACE.dim)
    assert together.dtype == torch.float64
    torch.testing.assert_close(together, alone, rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(together, backwards, rtol=TOLERANCE, atol=TOLERANCE)


def test_many_texts_make_several_batches(searcher, monkeypatch):
    wanted = searcher.encode(searcher.titles[:200])
    monkeypatch.setattr('naics_embed.search.searcher.BATCH_TOKENS', 64)
    torch.testing.assert_close(
        searcher.encode(searcher.titles[:200]), wanted, rtol=TOLERANCE, atol=TOLERANCE
    )


def test_words_beyond_the_window_do_not_count(searcher):
    long = ' '.join(['farm'] * SPACE.window)
    assert torch.equal(searcher.encode([long]), searcher.encode([f'{long} shop']))
    assert not torch.equal(searcher.encode(['farm']), searcher.encode(['farm shop']))


def test_points_keep_within_the_bound(searcher):
    root = np.sqrt(SPACE.curvature)
    norms = searcher.encode(TEXTS).norm(dim=-1)
    assert (torch.asinh(root * norms) / root < SPACE.r_max).all()


@pytest.mark.parametrize(
    'texts',
    [tuple(TEXTS), np.array(TEXTS), pl.Series(TEXTS)],
    ids=['tuple', 'numpy', 'polars'],
)
def test_any_sequence_of_texts(searcher, texts):
    assert searcher.search(texts, k=2) == searcher.search(TEXTS, k=2)


def test_no_texts_no_hits(searcher):
    assert searcher.search([]) == []
    assert searcher.encode([]).shape == (0, SPACE.dim)


@pytest.mark.parametrize('text', ['', '  \n\t', None, 3, b'farm'])
def test_an_empty_text_is_named_by_its_position(searcher, text):
    with pytest.raises(UserError, match=r'text 1 is (empty|of type)'):
        searcher.search(['farm', text])


def test_bytes_that_are_no_utf8_are_named(searcher):
    argument = b'caf\xe9'.decode('utf-8', 'surrogateescape')
    with pytest.raises(UserError, match='text 1 is not valid Unicode'):
        searcher.search(['farm', argument])


def test_a_single_string_is_no_list(searcher):
    with pytest.raises(UserError, match='list of texts'):
        searcher.search('dog grooming salon')


@pytest.mark.parametrize('k', [0, -1])
def test_k_out_of_range(searcher, k):
    with pytest.raises(UserError, match=f'k must be at least 1, not {k}'):
        searcher.search(['farm'], k=k)


@pytest.mark.parametrize('level', [1, 7, 0])
def test_level_out_of_range(searcher, level):
    with pytest.raises(UserError, match=f'level must be one of 2, 3, 4, 5, 6, not {level}'):
        searcher.search(['farm'], level=level)


@pytest.mark.parametrize('name', ['encoder/model.safetensors', 'encoder/head.safetensors'])
def test_a_bundle_that_was_cut_short_is_refused(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match=f'{name} was altered'):
        Searcher.load(copy)


def test_other_weights_give_other_answers(copy, searcher):
    head = LorentzHead(WIDTH, SPACE.dim, c=SPACE.curvature, r_max=SPACE.r_max)
    save_file(head.state_dict(), copy / 'encoder' / 'head.safetensors')
    changed = Searcher.load(copy, verify=False)
    assert not torch.allclose(changed.encode(TEXTS), searcher.encode(TEXTS))


def test_loading_reads_nothing_but_the_bundle(bundle_path, tmp_path, searcher, monkeypatch):
    shutil.copytree(bundle_path, tmp_path / 'moved')
    monkeypatch.chdir(tmp_path)
    assert Searcher.load('moved').search(TEXTS) == searcher.search(TEXTS)


def test_public_names():
    assert naics_embed.Searcher is Searcher
    assert naics_embed.Hit is Hit
    assert naics_embed.Bundle is Bundle
    with pytest.raises(AttributeError, match='Nothing'):
        _ = naics_embed.Nothing
