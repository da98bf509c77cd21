import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from naics_embed.metrics.regression import (
    Features,
    PanelSettings,
    ancestor_indicators,
    family_groups,
    one_hot,
    principal_components,
    regression_ceiling,
    regression_panel,
    ridge_path,
)
from naics_embed.metrics.validation import MetricError

SETTINGS = PanelSettings(penalties=(0.1, 10.0, 1000.0), outer_folds=4, inner_folds=3, seed=0)


@pytest.fixture
def codes(naics_tree):
    """One in five leaves, so that the panel is quick; six rows a code."""
    return naics_tree.leaves[::5].repeat_interleave(6)


@pytest.fixture
def groups(naics_tree):
    return family_groups(naics_tree, 4)


def panel(features, code, target, groups, settings=SETTINGS):
    return regression_panel(features, code=code, target=target, groups=groups, settings=settings)


def test_what_carries_over_between_codes_helps_held_out_codes(naics_tree, codes, groups, noise):
    coordinates = noise(len(naics_tree), 5)
    target = (coordinates @ noise(5, seed=1) + 3)[codes] + 0.5 * noise(len(codes), seed=2)
    features = {'table': Features(coordinates), 'one_hot': one_hot(naics_tree)}
    result = panel(features, codes, target, groups)
    ceiling = regression_ceiling(code=codes, target=target)
    assert result['table/held_out_r2'] == pytest.approx(ceiling['held_out_r2'], abs=0.02)
    assert result['table/held_out_rmse'] == pytest.approx(0.5, rel=0.1)
    # An indicator says nothing of a code that was never seen, and much of one that was.
    assert result['one_hot/held_out_r2'] == pytest.approx(0, abs=1e-9)
    assert result['one_hot/seen_r2'] > 0.7
    assert 0 < result['table/held_out_r2_se'] < 0.05


def test_the_tree_as_regressors_carries_sector_effects(naics_tree, codes, groups, noise):
    effect = noise(len(naics_tree), seed=3)
    target = effect[naics_tree.sector[codes]] + 0.3 * noise(len(codes), seed=4)
    features = {'ancestors': ancestor_indicators(naics_tree), 'one_hot': one_hot(naics_tree)}
    result = panel(features, codes, target, groups)
    assert result['ancestors/held_out_r2'] > 0.5
    assert result['one_hot/held_out_r2'] < 0.01


def test_noise_is_not_predicted_and_gets_the_largest_penalty(naics_tree, codes, groups, noise):
    features = {'table': Features(noise(len(naics_tree), 5))}
    result = panel(features, codes, noise(len(codes), seed=5), groups)
    assert result['table/held_out_r2'] < 0.01
    assert result['table/held_out_penalty'] == 1000
    assert result['table/held_out_rmse'] == pytest.approx(1, abs=0.1)


def test_held_out_codes_share_no_family_with_training(naics_tree, codes, groups, noise):
    # A target that is constant in each family and random between: only a leak could find it.
    target = noise(len(naics_tree), seed=6)[groups[codes]]
    features = {'family': Features(torch.nn.functional.one_hot(groups).double(), False)}
    result = panel(features, codes, target, groups)
    assert result['family/held_out_r2'] < 0.01
    assert result['family/seen_r2'] > 0.9


def test_standardising_makes_units_irrelevant(naics_tree, codes, groups, noise):
    coordinates = noise(len(naics_tree), 3)
    target = coordinates.sum(dim=1)[codes] + noise(len(codes), seed=2)
    rescaled = coordinates * torch.tensor([1e-3, 1.0, 1e3])
    features = {
        'table': Features(coordinates),
        'rescaled': Features(rescaled),
        'unscaled': Features(rescaled, standardise=False),
    }
    result = panel(features, codes, target, groups)
    assert result['rescaled/held_out_r2'] == pytest.approx(result['table/held_out_r2'])
    assert result['unscaled/held_out_r2'] < result['table/held_out_r2'] - 0.05


def test_one_row_a_code_has_no_seen_metrics(naics_tree, groups, noise):
    code = naics_tree.leaves[::5]
    result = panel({'t': Features(noise(len(naics_tree), 2))}, code, noise(len(code)), groups)
    assert [key for key in result if 'seen' in key] == []
    assert math.isnan(regression_ceiling(code=code, target=noise(len(code)))['seen_r2'])


def test_seen_metrics_leave_out_rows_whose_code_was_not_in_training(naics_tree, groups, noise):
    often, once = naics_tree.leaves[::10], naics_tree.leaves[5::10]
    code = torch.cat([often.repeat_interleave(8), once])
    effect = noise(len(naics_tree))
    # Codes with one row are far off: whoever scores them is lost.
    effect[once] *= 30
    result = panel({'one_hot': one_hot(naics_tree)}, code, effect[code], groups)
    assert result['one_hot/seen_rmse'] < 2


def test_the_seed_decides_the_folds(naics_tree, codes, groups, noise):
    features = {'t': Features(noise(len(naics_tree), 4))}
    target = noise(len(codes), seed=8)
    first, again = (panel(features, codes, target, groups) for _ in range(2))
    assert first == again
    other = PanelSettings((0.1, 10.0, 1000.0), outer_folds=4, inner_folds=3, seed=1)
    assert panel(features, codes, target, groups, other) != first


def test_principal_components_are_scikit_learns(noise):
    vectors = noise(60, 8) @ noise(8, 8, seed=1)
    result = principal_components(vectors, 3).values.numpy()
    expected = PCA(3).fit_transform(vectors.numpy())
    assert np.allclose(np.abs(result), np.abs(expected))
    with pytest.raises(MetricError, match='9 components'):
        principal_components(vectors, 9)


def test_indicators_and_groups_follow_the_tree(small_tree):
    indicators = ancestor_indicators(small_tree).values
    assert torch.nonzero(indicators[3]).squeeze(1).tolist() == [0, 1, 2, 3]
    assert torch.nonzero(indicators[8]).squeeze(1).tolist() == [8]
    assert family_groups(small_tree, 3).tolist() == [0, 1, 1, 1, 4, 5, 6, 7, 8, 1]


def test_families_of_naics_are_the_four_digit_codes(naics_tree, groups):
    assert len(groups[naics_tree.leaves].unique()) == 308
    assert bool((naics_tree.level[groups[naics_tree.leaves]] == 4).all())


def test_bad_input_is_refused(naics_tree, codes, groups, noise):
    target = noise(len(codes))
    table = noise(len(naics_tree), 2)
    with pytest.raises(MetricError, match='a row for each of 2125 codes'):
        panel({'t': Features(table[:5])}, codes, target, groups)
    with pytest.raises(MetricError, match='target must have shape'):
        panel({'t': Features(table)}, codes, target[:5], groups)
    with pytest.raises(MetricError, match='1 groups are too few'):
        panel({'t': Features(table)}, codes, target, torch.zeros_like(groups))
    with pytest.raises(MetricError, match='are the same for all rows'):
        panel({'t': Features(torch.ones(len(naics_tree), 1))}, codes, target, groups)
    table[0, 0] = math.nan
    with pytest.raises(MetricError, match='features t: 1 of'):
        panel({'t': Features(table)}, codes, target, groups)
    with pytest.raises(MetricError, match='penalties'):
        PanelSettings((0.0,), outer_folds=4, inner_folds=3, seed=1)
    with pytest.raises(MetricError, match='at least 2'):
        PanelSettings((1.0,), outer_folds=1, inner_folds=3, seed=1)


@pytest.mark.parametrize('standardise', [True, False])
@pytest.mark.parametrize('columns', [7, 60])
def test_ridge_regressions_are_those_of_scikit_learn(standardise, columns):
    random = np.random.default_rng(columns)
    x = random.normal(3, 1, (50, columns)) * np.arange(1, columns + 1)
    x[:, 2] = 4.0
    y, requested = random.normal(2, 1, 50), random.normal(3, 1, (9, columns))
    penalties = (0.1, 10.0, 1000.0)
    result = ridge_path(x, y, requested, penalties, standardise=standardise)
    for penalty, predicted in zip(penalties, result, strict=True):
        model = make_pipeline(StandardScaler(with_std=standardise), Ridge(penalty, solver='svd'))
        np.testing.assert_allclose(predicted, model.fit(x, y).predict(requested), rtol=1e-8)
