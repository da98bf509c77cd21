"""What a training step reads."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.text.corpus import QuerySet
from naics_embed.training.build import make_model
from naics_embed.training.data import (
    BatchSettings,
    Neighbours,
    Step,
    StepDataset,
    StepSampler,
    TextDataModule,
)

SIZES = BatchSettings(batch=16, placed=4, channel_tokens=6, drawn=12, seed=3, part_cost=8)


def sampler(queries: int = 100, codes: int = 30, sizes: BatchSettings = SIZES) -> StepSampler:
    lengths = np.random.default_rng(0).integers(1, 40, queries)
    return StepSampler(lengths, np.arange(100, 100 + codes), sizes)


def epoch(drawn: StepSampler, number: int) -> list[tuple[np.ndarray, ...]]:
    drawn.set_epoch(number)
    return list(drawn)


@settings(deadline=None, max_examples=40)
@given(
    queries=st.integers(1, 400),
    batch=st.integers(2, 50),
    placed=st.integers(1, 20),
    number=st.integers(0, 5),
)
def test_every_query_comes_once_an_epoch(queries, batch, placed, number):
    drawn = sampler(queries, sizes=replace(SIZES, batch=batch, placed=placed))
    steps = epoch(drawn, number)
    assert len(steps) == len(drawn)
    assert sorted(np.concatenate([step[0] for step in steps])) == list(range(queries))
    assert max(len(step[0]) for step in steps) <= batch
    for _, places, pairs, partners in steps:
        assert not len(partners)
        assert 0 < len(np.unique(places)) == len(places) <= placed
        assert len(np.unique(pairs)) == len(pairs) == SIZES.drawn
        assert set(places) | set(pairs) <= set(range(100, 130))


def test_an_epoch_depends_on_seed_and_number_only():
    first = sampler()
    epoch(first, 0)
    again = sampler()
    for one, other in zip(epoch(first, 2), epoch(again, 2), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)

    def order(drawn: StepSampler, number: int) -> list[int]:
        return np.concatenate([step[0] for step in epoch(drawn, number)]).tolist()

    assert order(first, 2) != order(first, 3)
    assert order(first, 2) != order(sampler(sizes=replace(SIZES, seed=4)), 2)


def test_codes_are_placed_evenly():
    sizes = replace(SIZES, batch=2)
    steps = epoch(sampler(sizes=sizes), 0)
    counts = np.bincount(np.concatenate([step[1] for step in steps]))[100:]
    assert counts.min() >= counts.max() - 1 > 1


def test_queries_of_a_step_have_similar_lengths_and_steps_come_in_any_order():
    drawn = sampler(queries=2000)
    steps = epoch(drawn, 0)
    spread = np.mean([np.ptp(drawn.lengths[step[0]]) for step in steps])
    assert spread < np.ptp(drawn.lengths) / 3
    means = [drawn.lengths[step[0]].mean() for step in steps]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


def test_fewer_codes_than_drawn():
    assert {len(step.drawn) for step in epoch(sampler(codes=5), 0)} == {5}


def test_anchors_come_with_a_near_code(material):
    known = np.flatnonzero(material.supervised)
    distance = material.taxonomy.tree_distance
    near = Neighbours(distance, known, 2)
    lengths = np.random.default_rng(0).integers(1, 40, 100)
    steps = epoch(StepSampler(lengths, known, SIZES, near), 0)
    kinds = set()
    for step in steps:
        assert len(np.unique(step.drawn)) == len(step.drawn)
        assert len(step.partner) == SIZES.drawn // 2
        away = distance[step.drawn[: len(step.partner)], step.drawn[step.partner]]
        assert set(away) <= {0, 1, 2}, '0 for a code without a near one'
        kinds |= set(away)
        assert set(step.drawn) <= set(known)
    assert {1, 2} <= kinds
    again = epoch(StepSampler(lengths, known, SIZES, near), 0)
    assert all(np.array_equal(a.drawn, b.drawn) for a, b in zip(steps, again, strict=True))


def test_half_of_the_placed_codes_are_answers_where_codes_come_from_texts(material):
    known = np.flatnonzero(material.supervised)
    targets = np.random.default_rng(1).choice(known, 100)
    lengths = np.ones(100, dtype=np.int64)
    drawn = StepSampler(lengths, known, replace(SIZES, place_targets=True), None, targets)
    for step in epoch(drawn, 0):
        assert set(step.placed[: SIZES.placed // 2]) <= set(targets[step.queries])


def test_placed_codes_are_distinct(material):
    few = np.flatnonzero(material.supervised)[: SIZES.placed + 1]
    targets = np.repeat(few[0], 100)
    lengths = np.ones(100, dtype=np.int64)
    for sizes in (SIZES, replace(SIZES, place_targets=True)):
        for step in epoch(StepSampler(lengths, few, sizes, None, targets), 0):
            assert len(set(step.placed.tolist())) == len(step.placed) > 0


def test_a_text_is_encoded_once_however_often_it_is_wanted(material, make_inputs, settings_with):
    corpus = material.corpus
    rows = np.array([5, 0, 5, 7, 0, 5])
    batch = corpus.batch(rows, part_cost=32)
    assert batch.distinct == 3
    assert sum(len(part.positions) for part in batch.parts) == 3
    assert len(batch) == len(rows)
    encoder = make_model(make_inputs(), settings_with()).encoder.eval()
    with torch.no_grad():
        result = encoder.encode(batch)
        for row, embedding in zip(rows, result, strict=True):
            alone = encoder.encode(corpus.batch(np.array([row]), part_cost=32))[0]
            torch.testing.assert_close(embedding, alone, rtol=1e-4, atol=1e-5)
    assert corpus.batch(np.array([5, 0, 7]), part_cost=32).copies is None


def test_processes_share_a_step(monkeypatch):
    whole = epoch(sampler(), 1)
    parts = []
    for rank in range(3):
        monkeypatch.setattr('naics_embed.training.data.world', lambda rank=rank: (rank, 3))
        parts.append(epoch(sampler(), 1))
    for number, step in enumerate(whole):
        fractions = [part[number] for part in parts]
        assert sorted(np.concatenate([s.queries for s in fractions])) == sorted(step.queries)
        assert sorted(np.concatenate([s.placed for s in fractions])) == sorted(step.placed)
        for fraction in fractions:
            np.testing.assert_array_equal(fraction.drawn, step.drawn)


@pytest.fixture
def dataset(material):
    return StepDataset(material.corpus, material.train, SIZES)


def test_a_batch_holds_the_states_of_its_texts(material, dataset):
    queries, placed, drawn = np.array([5, 0, 7]), np.array([3, 9]), np.array([1, 2])
    batch = dataset[Step(queries, placed, drawn, np.empty(0, dtype=np.int64))]
    corpus = material.corpus
    result = {}
    for part in batch.queries.parts:
        for place, hidden, mask in zip(
            part.positions.tolist(), part.hidden, part.mask, strict=True
        ):
            assert bool((hidden[~mask] == 0).all())
            result[place] = hidden[mask].numpy()
    assert sorted(result) == [0, 1, 2], 'each text is in one part'
    for row, query in enumerate(queries):
        begin, end = corpus.tokens.offsets[material.train.rows[query] :][:2]
        np.testing.assert_array_equal(result[row], corpus.states[begin:end].astype(np.float32))
    assert batch.target.tolist() == material.train.targets[queries].tolist()
    assert batch.placed.tolist() == [3, 9]
    assert batch.drawn.tolist() == [1, 2]


def test_channels_are_masked_and_cut(material, dataset):
    leaves = material.taxonomy.at_level(6)
    absent, present = int(leaves[0]), int(leaves[1])
    none = np.empty(0, dtype=np.int64)
    batch = dataset[Step(np.array([0]), np.array([absent, present]), np.array([0, 1]), none)]
    assert batch.present.tolist() == [[True, False], [True, True]]
    titles, descriptions = batch.channels
    assert (len(titles), len(descriptions)) == (2, 1), 'absent texts are not even read'
    begin = material.corpus.tokens.offsets[material.corpus.channels[present, 0]]
    (own,) = (
        part.hidden[part.positions == 1][0]
        for part in titles.parts
        if bool((part.positions == 1).any())
    )
    np.testing.assert_array_equal(
        own.numpy(),
        material.corpus.states[begin : begin + SIZES.channel_tokens].astype(np.float32),
    )


def test_validation_batches_cover_every_query_once(material):
    validation = QuerySet(
        np.concatenate([part.rows for part in material.validation.values()]),
        np.concatenate([part.targets for part in material.validation.values()]),
    )
    data = TextDataModule(
        material.corpus,
        material.train,
        validation,
        np.flatnonzero(material.supervised),
        SIZES,
        batch_tokens=100,
    )
    batches = list(data.val_dataloader())
    assert len(batches) > 1
    assert torch.cat([positions for _, positions in batches]).sort().values.tolist() == list(
        range(len(validation))
    )
    for texts, positions in batches:
        assert sum(part.mask.numel() for part in texts.parts) <= 100 or len(positions) == 1
        lengths = material.corpus.tokens.lengths[validation.rows[positions.numpy()]]
        for part in texts.parts:
            assert part.hidden.shape[:2] == part.mask.shape
            assert part.mask.sum(dim=1).tolist() == lengths[part.positions.numpy()].tolist()
