"""Metrics of a table, beside what they are to be read with."""

import numpy as np
import pytest
import torch

from naics_embed.baselines.settings import BaselineSettings
from naics_embed.errors import ConfigError
from naics_embed.evaluation.baselines import BASELINES, LabelledTexts, baseline_metrics
from naics_embed.evaluation.ensemble import ensemble
from naics_embed.evaluation.evaluate import (
    Table,
    health_metrics,
    holdout_metrics,
    norm_weight_of,
    retrieval_metrics,
    subtree,
    tree_metrics,
)
from naics_embed.evaluation.queries import QueryGroup, query_groups
from naics_embed.geometry.construction import construct
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import Taxonomy

DIM = 12


@pytest.fixture(scope='module')
def table(taxonomy, structure) -> Table:
    tangents = construct(taxonomy.parent, dim=DIM, tau=1.5, spread=0.75, seed=0, c=1.0)
    return Table(tangents, 1.0, 9.0, tuple(structure))


@pytest.fixture
def groups(frame_of, taxonomy, structure):
    rows = [
        ('Beauty schools', '611511', 'index', 'train'),
        ('Hair lessons', '611511', 'index', 'validation'),
        ('Chess camp', '611620', 'index', 'test'),
        ('Flight hours', '611512', 'index', 'test'),
        ('i juggle', '611699', 'panel', 'test'),
    ]
    return query_groups(frame_of(*rows), taxonomy, structure, jaccard=0.9)


def at(table: Table, codes: list[int]) -> torch.Tensor:
    return table.points[torch.tensor(codes)]


def test_a_query_at_its_code_is_found(table, groups, tree):
    points = [at(table, group.target.tolist()) for group in groups]
    metrics = retrieval_metrics(table, groups, points, tree, {})
    for key in ('validation/top1', 'test/mrr', 'test/holdout_top1', 'test/panel_top1'):
        assert metrics[key].value == 1
    assert metrics['test/lca_level'].value == 6


def test_metrics_stand_beside_the_best_baseline(table, groups, tree):
    points = [at(table, group.target.tolist()) for group in groups]
    baselines = {
        'bm25': {'test/mrr': 0.4, 'test/mrr_se': 0.3, 'validation/top1': 0.9},
        'class_mean': {'test/mrr': 0.6, 'validation/top1': 0.2, 'test/queries': 1},
    }
    metrics = retrieval_metrics(table, groups, points, tree, baselines)
    assert (metrics['test/mrr'].reference, metrics['test/mrr'].reference_name) == (
        0.6,
        'class_mean',
    )
    assert metrics['validation/top1'].reference_name == 'bm25'
    for key in ('test/mrr_se', 'test/queries', 'test/panel_mrr'):
        assert metrics[key].reference is None
        assert metrics[key].reference_name is None


def test_tree_metrics_have_their_ceilings(table, tree):
    metrics = tree_metrics(table, tree, norm_weights=[0.5, 1.0], chunk=16)
    metric = metrics['tree/spearman']
    assert metric.reference_name == 'ceiling'
    assert 0.8 < metric.value <= metric.reference + 0.05
    assert metrics['tree/map_neighbours'].value > 0.9
    assert metrics['tree/map_neighbours'].reference == 1
    assert {name.removeprefix('tree/supervised_') for name in metrics} >= {'spearman'}
    without = metrics['tree/supervised_spearman'].value
    assert without != metric.value


def test_the_norm_weight_is_chosen_on_a_tenth_of_the_learned_codes(table, tree):
    weights = [0.0, 0.1, 1.0]
    metrics = tree_metrics(table, tree, norm_weights=weights, chunk=16)
    assert metrics['tree/norm_weight'].value == norm_weight_of(table, tree, weights, chunk=5) == 1
    metric = metrics['tree/supervised_map_ancestors_norm_aware']
    assert metric.value > 0.9
    assert metric.reference == 1
    # Codes that lie inside of their ancestors ask for no weight of the radius.
    known = [row for row, split in enumerate(table.structure_split) if split == 'supervised']
    inside = table.tangents.clone()
    inside[known[::10]] *= 0.01
    turned = Table(inside, table.curvature, table.r_max, table.structure_split)
    assert norm_weight_of(turned, tree, weights, chunk=16) < 1
    # Hidden codes have no say in it.
    hidden = table.structure_split.index('test')
    inside = table.tangents.clone()
    inside[hidden] *= 1.5
    turned = Table(inside, table.curvature, table.r_max, table.structure_split)
    assert norm_weight_of(turned, tree, weights, chunk=16) == 1


def test_a_scrambled_table_is_seen(table, tree):
    order = torch.randperm(len(tree), generator=torch.Generator().manual_seed(0))
    scrambled = Table(table.tangents[order], 1.0, 9.0, table.structure_split)
    metrics = tree_metrics(scrambled, tree, norm_weights=[0.5, 1.0], chunk=16)
    assert abs(metrics['tree/spearman'].value) < 0.3
    assert metrics['tree/map_neighbours'].value < 0.4


def test_hidden_chains_are_scored_apart_beside_chance(table, tree, taxonomy):
    metrics = holdout_metrics(table, tree, chunk=16)
    for split in ('validation', 'test'):
        assert metrics[f'{split}/holdout_chains'].value == 1
        assert metrics[f'{split}/holdout_parent_at_1'].value == 1
        assert metrics[f'{split}/holdout_parent_at_1'].reference_name == 'chance'
        assert metrics[f'{split}/holdout_parent_at_1'].reference < 0.2

    moved = table.tangents.clone()
    moved[taxonomy.index('611692')] = table.tangents[taxonomy.index('551112')]
    astray = holdout_metrics(Table(moved, 1.0, 9.0, table.structure_split), tree, chunk=16)
    assert astray['validation/holdout_parent_at_1'].value == 0
    assert astray['test/holdout_parent_at_1'].value == 1


def test_a_hidden_chain_counts_once_by_its_top(table, tree, taxonomy):
    # 61162 has the only child 611620: the chain is hidden as one.
    split = np.array(table.structure_split, dtype=object)
    split[:] = 'supervised'
    split[taxonomy.indices(['61162', '611620'])] = 'test'
    chain = Table(table.tangents, 1.0, 9.0, tuple(split))
    metrics = holdout_metrics(chain, tree, chunk=16)
    assert metrics['test/holdout_chains'].value == 1
    assert not any(name.startswith('validation') for name in metrics)


def test_nothing_hidden_gives_no_holdout_metric(table, tree):
    everything = Table(table.tangents, 1.0, 9.0, ('supervised',) * len(tree))
    assert holdout_metrics(everything, tree, chunk=16) == {}


def test_health_is_reported_by_level(table, tree):
    metrics = health_metrics(table, tree)
    assert metrics['health/non_finite'].value == 0
    assert metrics['health/residual'].value < 1e-6
    medians = [metrics[f'health/radius_level_{level}_median'].value for level in range(2, 7)]
    assert medians == sorted(medians)
    assert 0 <= metrics['health/fraction_at_bound'].value < 0.5


def test_a_subtree_is_the_tree_of_its_nodes(taxonomy, tree):
    chosen = torch.ones(len(taxonomy), dtype=torch.bool)
    chosen[torch.from_numpy(taxonomy.indices(['611692', '611512', '61162', '611620']))] = False
    part = subtree(tree, chosen)
    codes = [code for code, kept in zip(taxonomy.codes, chosen, strict=True) if kept]
    expected = Tree.of(Taxonomy(codes))
    assert torch.equal(part.level, expected.level)
    assert torch.equal(part.parent, expected.parent)
    assert torch.equal(part.tree_distance, expected.tree_distance)
    # Sectors are ids: they need only agree on who shares one.
    same = part.sector[:, None] == part.sector[None, :]
    assert torch.equal(same, expected.sector[:, None] == expected.sector[None, :])


@pytest.fixture(scope='module')
def labelled(taxonomy) -> LabelledTexts:
    """A text a leaf, each leaf a direction of its own."""
    leaves = taxonomy.at_level(6)
    texts = [f'{_word(i)} school {_word(i + 7)}' for i in range(len(leaves))]
    return LabelledTexts(
        texts,
        np.eye(len(leaves), dtype=np.float32),
        np.arange(len(leaves)),
        np.arange(len(leaves)) % 2 == 0,
    )


def _word(number: int) -> str:
    letters = 'bcdfghklmn'
    return ''.join(letters[(number * 7 + 3 * k) % 10] + 'aeiou'[(number + k) % 5] for k in range(3))


def test_every_baseline_is_scored_on_every_group(labelled, groups, tree):
    embeddings = []
    for group in groups:
        columns = torch.searchsorted(group.candidates, group.target)
        embeddings.append(np.eye(len(group.candidates), dtype=np.float32)[columns.numpy()])
    result = baseline_metrics(
        BASELINES, labelled, groups, embeddings, tree, BaselineSettings(svm_min_texts=1)
    )
    assert list(result) == list(BASELINES)
    for name, metrics in result.items():
        expected = {f'{group.split}/{group.prefix}mrr' for group in groups}
        assert expected <= set(metrics), name
        assert all(0 <= metrics[key] <= 1 for key in expected)
    assert result['class_mean']['test/mrr'] == 1
    # Every second leaf has a title: only of those can this baseline know.
    assert result['title']['test/mrr'] <= 1


def test_an_unknown_baseline_is_named(labelled, groups, tree):
    with pytest.raises(ConfigError, match=r"evaluation\.compared: no baseline 'oracle'"):
        baseline_metrics(['bm25', 'oracle'], labelled, groups, [], tree, BaselineSettings())


def test_without_queries_there_are_no_metrics(labelled, tree):
    assert baseline_metrics(['bm25'], labelled, [], [], tree, BaselineSettings()) == {'bm25': {}}


def _noisy_members(groups, seed):
    """Two members that err apart from each other, and one that knows nothing."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([torch.searchsorted(g.candidates, g.target).numpy() for g in groups])
    shape = (len(truth), len(groups[0].candidates))
    right = np.zeros(shape)
    right[np.arange(len(truth)), truth] = 1
    members = {
        'one': 2 * right + rng.normal(size=shape),
        'other': 20 * right + 10 * rng.normal(size=shape),
        'noise': rng.normal(size=shape),
    }
    result = {name: scores.astype(np.float32) for name, scores in members.items()}
    return result, truth


def _top1(scores, truth):
    return (scores.argmax(axis=1) == truth).mean()


def _many(taxonomy, split, count):
    leaves = torch.from_numpy(taxonomy.at_level(6))
    target = leaves[torch.arange(count) % len(leaves)]
    return QueryGroup(split, '', ('x',) * count, target, leaves, torch.ones(count).bool())


def test_an_ensemble_beats_its_members_and_ignores_noise(taxonomy):
    groups = [_many(taxonomy, 'validation', 300), _many(taxonomy, 'test', 400)]
    members, truth = _noisy_members(groups, 0)
    scores = ensemble(members, groups)
    test = slice(300, None)
    best = max(_top1(own[test], truth[test]) for own in members.values())
    assert _top1(scores[test], truth[test]) > best + 0.05


def test_an_ensemble_learns_nothing_from_test_queries(taxonomy):
    groups = [_many(taxonomy, 'validation', 60), _many(taxonomy, 'test', 60)]
    members, _ = _noisy_members(groups, 1)
    scores = ensemble(members, groups)
    other = {name: np.concatenate([own[:60], -own[60:]]) for name, own in members.items()}
    np.testing.assert_allclose(ensemble(other, groups)[60:], -scores[60:], rtol=1e-4, atol=1e-4)


def test_an_ensemble_without_validation_queries_weighs_its_members_alike(taxonomy):
    groups = [_many(taxonomy, 'test', 50)]
    members, truth = _noisy_members(groups, 2)
    members['one'][:, 0] = -np.inf
    scores = ensemble(members, groups)
    assert np.isfinite(scores).all()
    assert _top1(scores, truth) > _top1(members['noise'], truth) + 0.2
