"""The numbers behind the charts, against slower or foreign ways to get them."""

import base64
import io
import itertools

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest

from naics_embed.evaluation.predictions import PREDICTION_SCHEMA, prediction_frame
from naics_embed.evaluation.queries import QueryGroup
from naics_embed.geometry.lorentz import distance, exp0
from naics_embed.metrics.calibration import expected_calibration_error
from naics_embed.report import (
    answers,
    png,
    shape,
    svg,
    training_history,
)
from naics_embed.report.contents import Training


@pytest.fixture(scope='module')
def away(table):
    return shape.distances(table)


def test_group_means_are_those_of_all_pairs(table, away):
    found = shape.group_distances(table, away)
    taxonomy = table.taxonomy
    points = exp0(table.tangents, c=table.curvature)
    leaves = {
        int(group): [
            int(leaf) for leaf in taxonomy.at_level(6) if taxonomy.ancestors[leaf, 2] == group
        ]
        for group in found.groups
    }
    for first, second in ((0, 0), (0, 1), (3, 40), (17, 17)):
        pairs = [
            (a, b)
            for a, b in itertools.product(
                leaves[int(found.groups[first])], leaves[int(found.groups[second])]
            )
            if a != b
        ]
        geodesic = [float(distance(points[a], points[b], c=table.curvature)) for a, b in pairs]
        tree = [int(taxonomy.tree_distance[a, b]) for a, b in pairs]
        assert found.geodesic[first, second] == pytest.approx(np.mean(geodesic) if pairs else 0)
        assert found.tree[first, second] == pytest.approx(np.mean(tree) if pairs else 0)
    assert np.allclose(found.excess, found.geodesic - found.scale * found.tree)


def test_near_groups_are_of_different_sectors(table, away):
    found = shape.group_distances(table, away)
    near = shape.near_across_sectors(table, found, 5)
    sector = [
        {table.taxonomy.sector[table.taxonomy.index(pair[side].split()[0])] for side in sides}
        for pair in near
        for sides in (('first', 'second'),)
    ]
    assert all(len(both) == 2 for both in sector)
    distances = [pair['distance'] for pair in near]
    assert distances == sorted(distances)
    across = table.taxonomy.sector[found.groups]
    assert distances[0] == found.geodesic[across[:, None] != across[None, :]].min()


def test_steps_cover_all_pairs(table, away):
    steps = shape.distances_by_step(table, away)
    count = len(table.taxonomy)
    assert sum(step.pairs for step in steps) == count * (count - 1) // 2
    assert [step.step for step in steps] == list(range(1, 11))
    assert all(list(step.quantiles) == sorted(step.quantiles) for step in steps)


def test_radii_are_those_of_each_level(table):
    found = shape.radii(table)
    assert sum(len(known) + len(hidden) for known, hidden in found.values()) == len(table.taxonomy)
    assert sum(len(hidden) for _, hidden in found.values()) == int((~table.supervised).sum())
    medians = [float(np.median(known)) for known, _ in found.values()]
    assert medians == sorted(medians)


def test_reliability_is_what_the_calibration_error_averages(predictions):
    rows = answers.supervised_answers(predictions, 'test')
    assert not rows['hidden'].any()
    bins = answers.reliability(rows, 10)
    assert sum(one.answers for one in bins) == len(rows)
    gap = sum(one.answers * abs(one.accuracy - one.confidence) for one in bins) / len(rows)
    expected = expected_calibration_error(
        torch.from_numpy(rows['confidence_6'].to_numpy().copy()),
        torch.from_numpy(rows['right_6'].to_numpy().copy()),
        bins=10,
    )
    assert gap == pytest.approx(expected)


@pytest.mark.parametrize(('right', 'count'), [(0, 1), (1, 1), (3, 7), (90, 100), (0, 50)])
def test_intervals_are_wilsons(right, count):
    known = binomtest(right, count).proportion_ci(method='wilson')
    assert answers.wilson(right / count, count) == pytest.approx((known.low, known.high), abs=1e-6)


def test_confusion_counts_every_answer(table, predictions):
    rows = answers.supervised_answers(predictions, 'test')
    found = answers.confusion(rows, table)
    assert found.sectors == ['22', '31', '61']
    assert found.counts.sum() == len(rows)
    assert np.trace(found.counts) == int(rows['right_2'].sum())
    worst = found.worst(3)
    assert all(right != chosen for right, chosen, _ in worst)
    assert [count for *_, count in worst] == sorted((n for *_, n in worst), reverse=True)


def test_the_worst_errors_are_the_most_confident(table, predictions):
    rows = answers.supervised_answers(predictions, 'test')
    worst = answers.worst_errors(rows, table, 5)
    assert len(worst) == 5
    assert '<script>' in worst[0]['text']
    assert worst[0]['right_name'] == '221111 Hydroelectric Power Generation'
    assert worst[0]['chosen_name'] == '221112 Fossil Fuel Electric Power Generation'
    assert worst[0]['shared'] == 'industry'
    confidences = [row['confidence_6'] for row in worst]
    assert confidences == sorted(confidences, reverse=True)
    wrong = rows.filter(~pl.col('right_6'))
    assert min(confidences) >= sorted(wrong['confidence_6'], reverse=True)[4]


def test_answers_are_kept_one_row_a_query(table):
    taxonomy = table.taxonomy
    leaves = torch.from_numpy(taxonomy.at_level(6))
    rng = np.random.default_rng(2)
    probabilities = rng.dirichlet(np.ones(len(leaves)), size=4)
    target = leaves[torch.tensor([0, 5, 5, 9])]
    group = QueryGroup(
        'test', 'holdout_plain_', tuple('abcd'), target, leaves, torch.ones(4, dtype=torch.bool)
    )
    found = prediction_frame(group, probabilities, taxonomy)
    assert found.schema == PREDICTION_SCHEMA
    assert set(found['kind']) == {'plain'}
    assert found['hidden'].all()
    for row, own in zip(found.iter_rows(named=True), probabilities, strict=True):
        best = int(own.argmax())
        assert row['chosen'] == taxonomy.codes[int(leaves[best])]
        assert row['confidence_6'] == pytest.approx(own.max())
        place = int(np.searchsorted(leaves, taxonomy.index(row['code'])))
        assert row['probability'] == pytest.approx(own[place])
        assert row['rank'] == 1 + int((own > own[place]).sum())
        assert row['right_6'] == (row['rank'] == 1)
        assert row['confidence_2'] >= row['confidence_6']


def test_pictures_are_read_back_by_others():
    values = np.linspace(-1, 2, 35).reshape(5, 7)
    values[0, 0] = np.nan
    address = png.heatmap(values, 0.0, 1.0, png.SEQUENTIAL)
    content = base64.b64decode(address.removeprefix('data:image/png;base64,'))
    picture = Image.open(io.BytesIO(content))
    assert picture.size == (7, 5)
    colours = np.asarray(picture.convert('RGB'))
    expected = png.palette(png.SEQUENTIAL)
    assert tuple(colours[0, 1]) == tuple(expected[0]), 'below the range'
    assert tuple(colours[-1, -1]) == tuple(expected[-1]), 'above it'
    assert tuple(colours[0, 0]) == tuple(expected[0])
    exact = [int(png.SEQUENTIAL[0][i : i + 2], 16) for i in (1, 3, 5)]
    assert expected[0].tolist() == exact


@pytest.mark.parametrize(
    ('low', 'high', 'ticks'),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.5, 32.5, [10.0, 20.0, 30.0]),
        (3.0, 3.0, [3.0]),
        (-0.02, 0.07, [-0.02, 0.0, 0.02, 0.04, 0.06]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert svg.Scale(low, high, 0, 100).ticks() == pytest.approx(ticks)


def test_numbers_are_short():
    assert [svg.number(v) for v in (0.0, 0.5, 12.25, 1234.5, 0.0001)] == [
        '0',
        '0.5',
        '12.25',
        '1,234',
        '1e-04',
    ]


def test_validation_is_shown_where_it_ran(whole, training):
    panels = {panel.name: panel for panel in training_history.validation(training)}
    _, rows = training_history.epochs_table(training)
    head, _ = training_history.epochs_table(training)
    column = head.index('validation/selection')
    assert [row[column] for row in rows] == ['', '0.5500', '', '0.6500', '0.7000', '0.7500']
    assert {'MRR on validation', 'Top-1 on validation'} < set(panels)
    assert panels['Tree distances'].chart.count('<circle') == 4


@pytest.mark.parametrize(
    ('values', 'texts'),
    [
        ([0.5, 1.0], ['0.5', '1']),
        ([0.9686, 0.9688, 0.969], ['0.9686', '0.9688', '0.969']),
        ([100.2, 100.4], ['100.2', '100.4']),
        ([2.0], ['2']),
    ],
)
def test_ticks_are_told_apart(values, texts):
    assert svg.numbered(values) == list(zip(values, texts, strict=True))


def test_terms_that_are_not_known_are_shown_too(whole, training):
    names = [panel.name for panel in training_history.terms(training, whole)]
    assert names == ['retrieval', 'stress', 'loss', 'newcomer']


def test_a_term_of_the_head_only_epochs_shows_its_weight_there(whole):
    history = [{'train/distillation': 0.3, 'train/loss': 1.0}, {'train/loss': 0.5}]
    (panel, _) = training_history.terms(Training(history, 1, 1), whole)
    assert panel.name == 'distillation'
    assert panel.note.endswith('frozen texts gives them; weight 1.5')


def test_terms_show_their_weight_and_how_hard_they_pulled(whole):
    history = [
        {'train/ancestors': 0.3, 'gradient/ancestors': 14.97},
        {'train/ancestors': 0.2},
        {'train/ancestors': 0.2, 'gradient/ancestors': 2.463},
    ]
    (panel,) = training_history.terms(Training(history, 1, 1), whole)
    assert panel.note.endswith('the levels above; weight 0; gradient norm from 15 to 2.5')


def test_phases_and_experts_are_read_from_the_history(whole, training):
    assert training_history.phases(training) == [(1, 1, 2), (2, 3, 4), (3, 5, 6)]
    panel = training_history.expert_load(training)
    assert [name for name, _ in panel.legend] == ['expert 1', 'expert 2']
    assert training_history.expert_load(Training([{'train/loss': 1.0}], 0, 0)) is None
