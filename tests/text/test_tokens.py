import itertools

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.errors import ArtifactError
from naics_embed.text import tokens
from naics_embed.text.tokens import TokenTable, length_batches, length_parts, load_tokenizer

TEXTS = ['dog grooming', 'b', 'dog grooming', 'a much longer text about shoes', '', 'Café 12']
WINDOW = 12


@pytest.fixture
def tokenizer(tiny_backbone):
    return load_tokenizer(tiny_backbone, WINDOW)


@pytest.fixture
def table(tokenizer):
    return TokenTable.build(TEXTS, tokenizer)


def test_every_distinct_text_is_tokenised_once_unpadded(table, tokenizer):
    assert table.texts == ('dog grooming', 'b', 'a much longer text about shoes', '', 'Café 12')
    assert len(table) == 5
    for row, text in enumerate(table.texts):
        own = table.ids[table.offsets[row] : table.offsets[row + 1]]
        assert own.tolist() == tokenizer.encode(text).ids
    assert table.lengths.tolist() == [13 - 1, 3, WINDOW, 2, 8]
    assert table.ids.dtype == np.int32


def test_the_window_cuts_and_keeps_the_closing_token(table):
    long = table.ids[table.offsets[2] : table.offsets[3]]
    short = table.ids[table.offsets[1] : table.offsets[2]]
    assert len(long) == WINDOW
    assert (long[0], long[-1]) == (short[0], short[-1])


def test_rows_are_found_in_any_order_and_number(table):
    assert table.rows(['b', 'dog grooming', 'b']).tolist() == [1, 0, 1]
    assert table.rows([]).tolist() == []
    with pytest.raises(ArtifactError, match=r"'cat' is not in the token cache"):
        table.rows(['b', 'cat'])


@pytest.mark.parametrize('limit', [None, 4, 1, 99])
def test_padding_holds_the_tokens_and_nothing_else(table, limit):
    rows = np.array([1, 2, 0])
    ids, mask = table.padded(rows, limit)
    lengths = table.lengths[rows] if limit is None else np.minimum(table.lengths[rows], limit)
    assert ids.shape == mask.shape == (3, lengths.max())
    assert mask.sum(axis=1).tolist() == lengths.tolist()
    assert (ids[~mask] == 0).all()
    for i, row in enumerate(rows):
        begin = table.offsets[row]
        assert ids[i, : lengths[i]].tolist() == table.ids[begin : begin + lengths[i]].tolist()


def test_round_trip_through_parquet(table, tmp_path):
    path = tmp_path / 'tokens.parquet'
    table.write(path)
    again = TokenTable.read(path)
    assert again.texts == table.texts
    np.testing.assert_array_equal(again.ids, table.ids)
    np.testing.assert_array_equal(again.offsets, table.offsets)
    assert again.rows(['Café 12']).tolist() == [4]
    stored = pq.read_table(path)
    assert stored.schema.field('input_ids').type == pa.list_(pa.int32())
    assert stored['input_ids'][1].as_py() == table.ids[table.offsets[1] : table.offsets[2]].tolist()


@pytest.mark.parametrize('group', [1, 2, 5])
def test_row_groups_are_streamed_and_ids_read_only_when_wanted(table, tmp_path, monkeypatch, group):
    monkeypatch.setattr(tokens, 'GROUP', group)
    path = tmp_path / 'tokens.parquet'
    table.write(path)
    assert pq.ParquetFile(path).num_row_groups == -(-len(table) // group)
    reads = []
    read_ids = tokens._read_ids
    monkeypatch.setattr(tokens, '_read_ids', lambda path: reads.append(path) or read_ids(path))
    again = TokenTable.read(path)
    assert again.texts == table.texts
    assert again.rows(pl.Series(['', 'b'])).tolist() == [3, 1]
    np.testing.assert_array_equal(again.lengths, table.lengths)
    assert not reads, 'lengths and rows are all that a training reads'
    for _ in range(2):
        ids, _ = again.padded(np.array([4, 0]))
        np.testing.assert_array_equal(ids, table.padded(np.array([4, 0]))[0])
    assert reads == [path], 'once'


def test_an_empty_table_can_be_kept(tokenizer, tmp_path):
    TokenTable.build([], tokenizer).write(tmp_path / 'none.parquet')
    again = TokenTable.read(tmp_path / 'none.parquet')
    assert (len(again), len(again.ids), again.texts) == (0, 0, ())


def test_the_same_texts_give_the_same_bytes(tokenizer, tmp_path):
    for name in ('one', 'other'):
        TokenTable.build(TEXTS, tokenizer).write(tmp_path / name)
    assert (tmp_path / 'one').read_bytes() == (tmp_path / 'other').read_bytes()


def test_another_table_is_refused(tmp_path):
    path = tmp_path / 'other.parquet'
    pq.write_table(pa.table({'text': ['a'], 'ids': [[1]]}), path)
    with pytest.raises(ArtifactError, match=r'other\.parquet is no token cache'):
        TokenTable.read(path)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 200), max_size=80), st.integers(1, 500))
def test_length_batches_cover_everything_once_and_fit(lengths, batch_tokens):
    sizes = np.array(lengths, dtype=np.int64)
    batches = list(length_batches(sizes, batch_tokens))
    flat = np.concatenate([np.empty(0, dtype=np.int64), *batches])
    assert sorted(flat) == list(range(len(sizes)))
    assert sizes[flat].tolist() == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * sizes[batch].max() <= batch_tokens


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(0, 60))
def test_parts_hold_each_text_once_and_cost_the_least(sizes, cost):
    lengths = np.array(sizes)

    def total(parts):
        return sum(lengths[part].max() * len(part) + cost for part in parts)

    parts = length_parts(lengths, cost)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(sizes)))
    # Against all ways to cut the texts in order of length.
    order = np.argsort(lengths)
    every = [
        np.split(order, np.flatnonzero(cuts) + 1)
        for cuts in itertools.product([False, True], repeat=len(sizes) - 1)
    ]
    assert total(parts) == min(map(total, every))
