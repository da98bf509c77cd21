"""Codes are alike by what their firms say, wherever they are in the tree."""

import numpy as np
import pytest

from naics_embed.errors import UserError
from naics_embed.search.code_table import CodeTable
from naics_embed.search.likeness import BOTH, TEXT, TREE, mean_texts, ranks
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='module')
def table(tmp_path_factory) -> CodeTable:
    folder = tmp_path_factory.mktemp('likeness')
    encoder = write_tiny_encoder(folder / 'encoder')
    return CodeTable.load(write_tiny_bundle(folder / 'bundle', encoder, coder=True))


def test_the_order_by_text_is_that_of_the_cosines_of_mean_texts(table):
    means = mean_texts(table.bundle.path / 'coder', table.taxonomy)
    assert np.allclose(np.linalg.norm(means, axis=1), 1)
    found = table.similar('812910', 6, by=TEXT)
    own = means[table.position('812910')]
    leaves = [i for i in table.taxonomy.at_level(6).tolist() if i != table.position('812910')]
    best = sorted(leaves, key=lambda i: -float(means[i] @ own))[:6]
    assert [near.code for near in found] == [table.taxonomy.codes[i] for i in best]
    for near in found:
        assert near.similarity == pytest.approx(float(means[table.position(near.code)] @ own))


def test_both_adds_the_ranks_and_the_tree_alone_has_no_similarity(table):
    by_tree = table.similar('812910', 5000)
    by_text = table.similar('812910', 5000, by=TEXT)
    assert all(near.similarity is None for near in by_tree)
    place = {near.code: i for i, near in enumerate(by_tree)}
    total = {near.code: i + place[near.code] for i, near in enumerate(by_text)}
    both = [near.code for near in table.similar('812910', 20, by=BOTH)]
    assert [total[code] for code in both] == sorted(total.values())[:20]
    assert table.similar('812910', 5, by=TREE) == table.similar('812910', 5)
    assert {near.level for near in table.similar('812910', 5, level=4, by=TEXT)} == {4}


def test_what_is_refused(table, tmp_path):
    with pytest.raises(UserError, match='by must be one of tree, text, both'):
        table.similar('812910', by='words')
    encoder = write_tiny_encoder(tmp_path / 'encoder')
    bare = CodeTable.load(write_tiny_bundle(tmp_path / 'bundle', encoder))
    with pytest.raises(UserError, match='knows no texts: give --by tree'):
        bare.similar('812910', by=TEXT)


def test_equal_values_keep_their_order():
    assert ranks(np.array([2.0, 1.0, 2.0])).tolist() == [1.0, 0.0, 2.0]
