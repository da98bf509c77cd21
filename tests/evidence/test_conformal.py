"""Coverage of sets of codes."""

import numpy as np
import pytest

from naics_embed.errors import ArtifactError
from naics_embed.evidence.conformal import (
    LEAST_GROUP,
    Conformal,
    before,
    chosen_codes,
    fit_conformal,
    group_of,
)
from naics_embed.evidence.gates import gate_values
from naics_embed.taxonomy import LEVELS

LEAVES = 12
FIRSTS = {
    2: np.array([0, 6]),
    3: np.array([0, 3, 6, 9]),
    4: np.array([0, 3, 6, 9]),
    5: np.arange(0, LEAVES, 2),
    6: np.arange(LEAVES),
}


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, right codes drawn from others that are less sure, and gates of two groups."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, LEAVES)) * 3
    short = rng.random(n) < 0.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    # The coder is too sure of all, and most of short texts.
    flat = p ** np.where(short, 0.2, 0.8)[:, None]
    flat /= flat.sum(axis=1, keepdims=True)
    truth = (flat.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    texts = ['two words' if each else ' '.join(['word'] * 30) for each in short]
    return p, truth, gate_values(texts, np.full((n, 3), 0.5, dtype=np.float32))


@pytest.mark.parametrize('coverage', [0.8, 0.9])
def test_sets_hold_the_right_code_as_often_as_promised_in_each_group(coverage):
    conformal = fit_conformal(*draw(4000, 0), ['one'] * 4000, FIRSTS)
    p, truth, gates = draw(4000, 1)
    groups = group_of(gates)
    assert len(np.unique(groups)) == 2
    for level in LEVELS:
        first = FIRSTS[level]
        sums = np.add.reduceat(p, first, axis=1)
        right = np.searchsorted(first, truth, side='right') - 1
        limits = conformal.thresholds(groups, LEVELS.index(level), coverage)
        held = np.array([right[i] in chosen_codes(sums[i], limits[i]) for i in range(len(truth))])
        for group in np.unique(groups):
            # Three standard errors of both draws.
            assert held[groups == group].mean() >= coverage - 0.03
    sizes = [len(chosen_codes(sums[i], limits[i])) for i in range(len(truth))]
    assert np.mean(sizes) < LEAVES - 2


def test_the_deepest_code_holds_the_right_one_as_often_as_promised():
    conformal = fit_conformal(*draw(4000, 2), ['one'] * 4000, FIRSTS)
    p, truth, gates = draw(4000, 3)
    limits = conformal.thresholds(group_of(gates), len(LEVELS), 0.9)
    best = p.argmax(axis=1)
    held = np.ones(len(truth), dtype=bool)
    for level in LEVELS:
        first = FIRSTS[level]
        sums = np.add.reduceat(p, first, axis=1)
        on_path = np.searchsorted(first, best, side='right') - 1
        right = np.searchsorted(first, truth, side='right') - 1
        passes = sums[np.arange(len(truth)), on_path] > limits
        held = np.where(passes, on_path == right, held)
    assert 0.88 <= held.mean() <= 0.95


def test_scores_are_what_stands_before_the_right_code():
    p = np.array([[0.5, 0.3, 0.2]])
    assert before(p).tolist() == [[0.0, 0.5, 0.8]]
    assert chosen_codes(p[0], 0.0).tolist() == [0]
    assert chosen_codes(p[0], 0.5).tolist() == [0, 1]
    assert chosen_codes(p[0], -1.0).tolist() == [0]
    assert chosen_codes(p[0], np.inf).tolist() == [0, 1, 2]


def test_the_quantile_is_that_of_a_small_sample():
    scores = np.tile(np.arange(9, dtype=np.float32)[:, None], (1, len(LEVELS) + 1))
    conformal = Conformal(scores, np.zeros(9, dtype=np.int64), np.zeros(9, dtype=np.int64))
    assert conformal.thresholds(np.array([0]), 0, 0.9).tolist() == [8.0]
    assert conformal.thresholds(np.array([0]), 0, 0.5).tolist() == [4.0]
    assert conformal.thresholds(np.array([0]), 0, 0.95).tolist() == [np.inf]


def test_a_small_group_has_the_quantile_of_all():
    n = LEAST_GROUP
    scores = np.zeros((n + 1, len(LEVELS) + 1), dtype=np.float32)
    scores[-1] = 1.0
    groups = np.append(np.zeros(n, dtype=np.int64), 1)
    conformal = Conformal(scores, groups, np.zeros(n + 1, dtype=np.int64))
    assert conformal.thresholds(np.array([0, 1, 7]), 0, 0.9).tolist() == [0.0, 0.0, 0.0]


def test_texts_like_learned_ones_are_a_group_of_their_own():
    gates = gate_values(['a b', 'a b'], np.full((2, 3), 0.9, dtype=np.float32))
    one, other = group_of(np.column_stack([gates, [0.1, 0.9]]))
    assert one == group_of(gates)[0]
    assert other not in group_of(draw(500, 0)[2])
    assert one != other


def test_a_file_is_read_back_and_a_damaged_one_is_an_error(tmp_path):
    path = tmp_path / 'conformal.safetensors'
    conformal = fit_conformal(*draw(50, 0), ['one'] * 50, FIRSTS)
    conformal.write(path)
    again = Conformal.read(path)
    np.testing.assert_array_equal(again.scores, conformal.scores)
    np.testing.assert_array_equal(again.groups, conformal.groups)
    Conformal(conformal.scores[:, :2], conformal.groups, conformal.kinds).write(path)
    with pytest.raises(ArtifactError, match='another version'):
        Conformal.read(path)
    path.write_bytes(b'nothing')
    with pytest.raises(ArtifactError, match='damaged'):
        Conformal.read(path)


def test_the_hardest_kind_of_queries_decides():
    n = LEAST_GROUP
    scores = np.tile(np.repeat([0.0, 0.7], n).astype(np.float32)[:, None], (1, len(LEVELS) + 1))
    groups = np.zeros(2 * n, dtype=np.int64)
    mixed = Conformal(scores, groups, np.zeros(2 * n, dtype=np.int64))
    apart = Conformal(scores, groups, np.repeat([0, 1], n))
    assert mixed.thresholds(np.array([0]), 0, 0.4)[0] == 0.0
    assert apart.thresholds(np.array([0]), 0, 0.4)[0] == pytest.approx(0.7)
