"""Orders of reading."""

import numpy as np
import pytest

from naics_embed.errors import UserError
from naics_embed.review import order as order_module
from naics_embed.review.order import (
    DISAGREEMENT,
    DIVERSE,
    EXPOSURE,
    ORDERS,
    RANDOM,
    UNCERTAINTY,
    Waiting,
    review_order,
    vote_entropy,
    waiting_texts,
)
from naics_embed.search.coder import Coder
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


def waiting(n: int = 60, seed: int = 0) -> Waiting:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 5)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Waiting(
        rng.uniform(0.1, 1.0, n), points, rng.integers(0, 3, (n, 4)), rng.uniform(0, 10, n)
    )


@pytest.mark.parametrize('order', ORDERS)
def test_an_order_is_a_permutation_and_repeats(order):
    texts = waiting()
    found = review_order(texts, order, seed=3)
    assert sorted(found.tolist()) == list(range(60))
    assert found.tolist() == review_order(texts, order, seed=3).tolist()


def test_the_least_sure_text_comes_first():
    texts = waiting()
    found = review_order(texts, UNCERTAINTY)
    assert (np.diff(texts.confidence[found]) >= 0).all()


def test_exposure_is_the_expected_loss():
    texts = Waiting(np.array([0.5, 0.9, 0.9]), exposures=np.array([1.0, 100.0, 4.0]))
    assert review_order(texts, EXPOSURE).tolist() == [1, 0, 2]


def test_votes_that_differ_come_first_and_the_less_sure_of_equal_ones():
    votes = np.array([[1, 1, 1, 1], [1, 2, 3, 4], [1, 1, 2, 2], [5, 5, 6, 6]])
    texts = Waiting(np.array([0.2, 0.9, 0.8, 0.3]), votes=votes)
    assert review_order(texts, DISAGREEMENT).tolist() == [1, 3, 2, 0]
    entropy = vote_entropy(votes)
    assert entropy[1] == pytest.approx(np.log(4))
    assert entropy[2] == pytest.approx(np.log(2))
    assert entropy[0] == 0


def test_random_orders_differ_by_their_seed():
    texts = waiting()
    assert review_order(texts, RANDOM, 1).tolist() != review_order(texts, RANDOM, 2).tolist()


def test_diverse_takes_the_text_that_covers_most_doubt_each_time():
    texts = waiting(40)
    similar = np.exp(10 * (texts.embeddings @ texts.embeddings.T - 1)).astype(np.float64)
    doubt = 1 - texts.confidence
    taken: list[int] = []
    while len(taken) < 40:
        held = similar[taken].max(axis=0) if taken else np.zeros(40)
        gains = np.maximum(similar, held) @ doubt - held @ doubt
        gains[taken] = -1
        taken.append(int(gains.argmax()))
    assert review_order(texts, DIVERSE).tolist() == taken


def test_diverse_reads_one_text_of_many_doubtful_ones_before_a_lone_one():
    kinds = np.eye(2, dtype=np.float32)[[0] * 9 + [1]]
    confidence = np.array([0.7] * 9 + [0.2])
    assert review_order(Waiting(confidence, kinds), DIVERSE)[:2].tolist()[1] == 9


def test_diverse_of_more_texts_than_are_compared(monkeypatch):
    monkeypatch.setattr(order_module, 'MOST_CHOICE', 30)
    monkeypatch.setattr(order_module, 'MOST_COVERED', 20)
    texts = waiting()
    found = review_order(texts, DIVERSE, 1).tolist()
    assert sorted(found) == list(range(60))
    assert found != review_order(texts, DIVERSE, 2).tolist()


def test_diverse_takes_one_of_each_kind_before_a_second():
    kinds = np.repeat(np.eye(6, dtype=np.float32), 10, axis=0)
    for seed in range(20):
        found = review_order(Waiting(np.full(60, 0.5), kinds), DIVERSE, seed)
        assert len({int(i) // 10 for i in found[:6]}) == 6
        assert sorted(found.tolist()) == list(range(60))


def test_diverse_leaves_sure_texts_to_the_end():
    confidence = np.full(60, 1.0)
    confidence[::6] = 0.4
    kinds = np.repeat(np.eye(6, dtype=np.float32), 10, axis=0)
    found = review_order(Waiting(confidence, kinds), DIVERSE)
    assert set(found[:10].tolist()) == set(range(0, 60, 6))


def test_nothing_waits():
    for order in ORDERS:
        empty = Waiting(
            np.empty(0), np.empty((0, 3)), np.empty((0, 2), dtype=np.int64), np.empty(0)
        )
        assert review_order(empty, order).tolist() == []


def test_errors_say_what_is_missing():
    texts = Waiting(np.array([0.5]))
    for order in (EXPOSURE, DISAGREEMENT, DIVERSE):
        with pytest.raises(UserError, match=f'order {order} needs'):
            review_order(texts, order)
    with pytest.raises(UserError, match='one of uncertainty'):
        review_order(texts, 'alphabet')


def test_a_coder_says_what_the_orders_need(tmp_path):
    encoder = write_tiny_encoder(tmp_path / 'encoder')
    coder = Coder.load(write_tiny_bundle(tmp_path / 'bundle', encoder, coder=True))
    texts = ['Soybean Farming', 'Dog grooming', 'we make bread']
    known = waiting_texts(coder, texts, np.array([1.0, 2.0, 3.0]))
    assert known.confidence == pytest.approx(coder.probabilities(texts).max(axis=1))
    assert known.embeddings.shape[0] == 3
    assert known.votes.shape == (3, 8)
    for order in ORDERS:
        assert sorted(review_order(known, order).tolist()) == [0, 1, 2]
    assert len(waiting_texts(coder, []).confidence) == 0
