import json
from dataclasses import replace

import numpy as np
import pytest

from naics_embed.errors import ArtifactError, ConfigError
from naics_embed.evidence.confidence import coding_metrics, decisions
from naics_embed.evidence.fusion import Fusion, fit_calibrated, fit_fusion, one_score
from naics_embed.evidence.gates import GATES, WEIGHING
from naics_embed.evidence.known_texts import COLUMNS, Linear, index_texts
from naics_embed.evidence.settings import CautionSettings, EvidenceSettings, FusionSettings
from naics_embed.evidence.top_answer import TopCalibration, fit_top
from naics_embed.taxonomy import LEVELS, Taxonomy

SETTINGS = EvidenceSettings(20.0, 4, 1.2, 0.5, 0.4, 2000)
FIT = FusionSettings(0.0, 200)
WEIGHTS = np.zeros((len(GATES), 2))
WEIGHTS[: len(WEIGHING)] = [[2.0, 0.5], [0.4, -0.6], [-0.3, 0.2]]


def sample(queries, codes=12, seed=0):
    """Draw scores, and right codes by the model itself."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(queries, codes, 2)).astype(np.float32)
    gates = np.zeros((queries, len(GATES)))
    gates[:, :3] = np.column_stack([np.ones(queries), rng.normal(size=(queries, 2))])
    p = Fusion(('a', 'b'), WEIGHTS, np.ones(2)).probabilities(scores, gates)
    truth = np.array([rng.choice(codes, p=row / row.sum()) for row in p])
    return scores, gates, truth


def test_the_fit_finds_the_weights_that_made_the_labels():
    scores, gates, truth = sample(6000)
    fusion = fit_fusion(('a', 'b'), scores, gates, truth, ['x'] * 6000, FIT)
    np.testing.assert_allclose(fusion.weights, WEIGHTS, atol=0.12)
    np.testing.assert_allclose(fusion.spread, 1, atol=0.1)


def test_probabilities_are_those_of_a_softmax():
    scores, gates, _ = sample(5)
    fusion = Fusion(('a', 'b'), WEIGHTS, np.ones(2))
    logits = np.einsum('qck,qg,gk->qc', scores, gates, WEIGHTS)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fusion.probabilities(scores, gates), expected, rtol=1e-4)


def test_groups_weigh_the_same_whatever_their_size():
    scores, gates, truth = sample(400)
    groups = ['many'] * 390 + ['few'] * 10
    twice = np.r_[np.arange(390), np.repeat(np.arange(390, 400), 3)]
    one = fit_fusion(('a', 'b'), scores, gates, truth, groups, FusionSettings(0.1, 200))
    more = fit_fusion(
        ('a', 'b'),
        scores[twice],
        gates[twice],
        truth[twice],
        ['many'] * 390 + ['few'] * 30,
        FusionSettings(0.1, 200),
    )
    scaled = one.weights * one.spread
    np.testing.assert_allclose(more.weights * more.spread, scaled, atol=0.03)


def test_a_score_without_information_gets_no_weight():
    scores, gates, truth = sample(300)
    scores[..., 1] = 3.0
    fusion = fit_fusion(('a', 'b'), scores, gates, truth, ['x'] * 300, FIT)
    assert not fusion.weights[:, 1].any()
    assert fusion.weights[0, 0] > 1


def test_unit_and_offset_of_a_score_do_not_matter():
    scores, gates, truth = sample(500)
    settings = FusionSettings(1e-3, 200)
    one = fit_fusion(('a', 'b'), scores, gates, truth, ['x'] * 500, settings)
    other = scores * np.array([10, 0.1], dtype=np.float32) + np.array([5, -7], dtype=np.float32)
    two = fit_fusion(('a', 'b'), other, gates, truth, ['x'] * 500, settings)
    np.testing.assert_allclose(
        two.probabilities(other, gates), one.probabilities(scores, gates), atol=2e-3
    )


def test_bad_input_of_the_fit():
    scores, gates, truth = sample(4)
    with pytest.raises(ValueError, match='at least one labelled query'):
        fit_fusion(('a', 'b'), scores[:0], gates[:0], truth[:0], [], FIT)
    scores[1, 2, 0] = np.inf
    with pytest.raises(ValueError, match='finite scores'):
        fit_fusion(('a', 'b'), scores, gates, truth, ['x'] * 4, FIT)


def test_a_fusion_survives_json():
    fusion = Fusion(('a', 'b'), WEIGHTS, np.ones(2), TopCalibration((0.8,), (0.1,)))
    again = Fusion.from_dict(json.loads(json.dumps(fusion.to_dict())))
    np.testing.assert_array_equal(again.weights, WEIGHTS)
    assert again.columns == ('a', 'b')
    assert again.top == fusion.top
    with pytest.raises(ArtifactError, match='damaged'):
        Fusion.from_dict({'columns': ['a']})
    with pytest.raises(ArtifactError, match='another version'):
        Fusion.from_dict({**fusion.to_dict(), 'gates': ['other']})


def test_one_score_ranks_by_it_alone():
    scores, gates, _ = sample(20)
    p = one_score(('a', 'b'), 'b', 2.0).probabilities(scores, gates)
    assert (p.argmax(axis=1) == scores[..., 1].argmax(axis=1)).all()


def known():
    rng = np.random.default_rng(0)
    texts = ['corn farm', 'dental office', 'wheat farm', 'dentists', 'shoe repair']
    labels = np.array([0, 1, 0, 1, 2])
    x = rng.normal(size=(5, 8)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    linear = Linear(rng.normal(size=(8, 3)).astype(np.float32), np.zeros(3, dtype=np.float32))
    return index_texts(texts, labels, x, linear, SETTINGS), texts, labels, x


def test_columns_by_formula():
    evidence, _, labels, x = known()
    scores = evidence.columns(['corn', 'dentist office'], x[:2])
    assert scores.shape == (2, 3, len(COLUMNS))
    cosine = x[:2] @ x.T
    for leaf in range(3):
        own = cosine[:, labels == leaf]
        mean = x[labels == leaf].mean(axis=0)
        expected = {
            'class_mean': x[:2] @ (mean / np.linalg.norm(mean)),
            'nearest': own.max(axis=1),
            'neighbours': np.log(np.exp(20 * (own - 1)).sum(axis=1)) / 20,
        }
        for name, values in expected.items():
            np.testing.assert_allclose(scores[:, leaf, COLUMNS.index(name)], values, atol=2e-3)
    assert scores[0, :, COLUMNS.index('words')].argmax() == 0
    assert scores[1, :, COLUMNS.index('characters')].argmax() == 1
    assert not scores[..., COLUMNS.index('pairs')].any()
    orders = evidence.columns(['a corn farm here', 'farm corn'], x[:2])[..., COLUMNS.index('pairs')]
    assert orders[0].argmax() == 0
    assert orders[0, 0] > 0
    assert not orders[1].any(), 'the order of words counts'


def test_support_of_a_leaf():
    evidence, _, _, x = known()
    texts = evidence.nearest_texts(x[0], 0, 2)
    assert texts[0] == ('corn farm', pytest.approx(1, abs=1e-3))
    assert [word for word, _ in evidence.matching_terms('an office for corn', 1, 5)] == ['office']


def test_every_leaf_needs_a_text():
    linear = Linear(np.zeros((2, 3), dtype=np.float32), np.zeros(3, dtype=np.float32))
    for labels in ([0, 1], [0, 3]):
        with pytest.raises(ValueError, match='needs a training text'):
            index_texts(['a', 'b'], np.array(labels), np.eye(2), linear, SETTINGS)


@pytest.mark.parametrize(
    'changes',
    [
        {'sharpness': 0},
        {'gram': 0},
        {'gram_k1': 0},
        {'bm25_b': 1.5},
        {'characters_read': 0},
    ],
)
def test_settings_are_checked(changes):
    with pytest.raises(ConfigError, match=r'coder\.'):
        EvidenceSettings(**{**vars(SETTINGS), **changes})


def test_metrics_of_back_off():
    taxonomy = Taxonomy(
        ['11', '111', '1111', '11111', '111111', '111112', '22', '221', '2211', '22111', '221111']
    )
    p = np.array([[0.95, 0.03, 0.02], [0.5, 0.45, 0.05], [0.3, 0.1, 0.6]])
    truth = np.array([0, 1, 2])
    result = decisions(p, truth, taxonomy)
    assert result[6].correct.tolist() == [True, False, True]
    assert result[5].correct.tolist() == [True, True, True]
    np.testing.assert_allclose(result[2].confidence, [0.98, 0.95, 0.6])
    metrics = coding_metrics(result, 0.9)
    assert metrics['confident_coverage'] == pytest.approx(2 / 3)
    assert metrics['confident_accuracy'] == 1
    assert metrics['confident_level'] == pytest.approx((6 + 5) / 2)
    assert metrics['level2_accuracy'] == 1
    assert metrics['level5_ece'] > 0
    assert set(LEVELS) == set(result)


def test_the_first_answer_is_calibrated_and_the_ranking_stays():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(9, 0.3), size=200)
    p[0], p[1] = 0, 1 / 9
    p[0, 4] = 1
    for top in (
        TopCalibration((0.7,), (0.2,)),
        TopCalibration((0.9,), (-2.0,)),
        TopCalibration((1.4,), (0.0,)),
    ):
        calibrated = top.apply(p)
        np.testing.assert_allclose(calibrated.sum(axis=1), 1)
        np.testing.assert_array_equal(calibrated.argmax(axis=1), p.argmax(axis=1))
        order = p[2:].argsort(axis=1)
        assert (np.diff(np.take_along_axis(calibrated[2:], order, axis=1), axis=1) >= -1e-12).all()
    first = p[2:].max(axis=1)
    expected = 1 / (1 + np.exp(-(0.7 * np.log(first / (1 - first)) + 0.2)))
    result = TopCalibration((0.7,), (0.2,)).apply(p)[2:].max(axis=1)
    second = np.sort(p[2:], axis=1)[:, -2] / (1 - first)
    np.testing.assert_allclose(result, np.maximum(expected, second / (1 + second)), rtol=1e-6)
    assert TopCalibration().apply(p) is p


def test_the_calibration_is_found_again():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.05, 0.999, 20_000)
    logit = np.log(confidence / (1 - confidence))
    right = rng.uniform(size=len(logit)) < 1 / (1 + np.exp(-(0.6 * logit + 0.3)))
    result = fit_top(confidence, right, np.ones(len(right)))
    assert result.slope[0] == pytest.approx(0.6, abs=0.04)
    assert result.shift[0] == pytest.approx(0.3, abs=0.06)
    few = fit_top(confidence[:3], np.array([True, True, True]), np.ones(3))
    assert 0.5 < few.slope[0] < 2
    against = fit_top(confidence, logit < 0, np.ones(len(logit)))
    assert against == TopCalibration()


def test_the_calibration_is_that_of_unseen_queries():
    scores, gates, truth = sample(60)
    settings = FusionSettings(0.0, 200, folds=3)
    plain = fit_fusion(('a', 'b'), scores, gates, truth, ['x'] * 60, settings)
    fusion = fit_calibrated(('a', 'b'), scores, gates, truth, ['x'] * 60, settings)
    np.testing.assert_array_equal(fusion.weights, plain.weights)
    assert fusion.top.slope[0] < 1, 'weights of few queries are too sure of others'
    few = fit_calibrated(
        ('a', 'b'), scores[:5], gates[:5], truth[:5], ['x'] * 5, FusionSettings(0.1, 50, folds=3)
    )
    assert few.top == TopCalibration()


def test_a_kept_caution_counts_in_the_fit():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.05, 0.999, 20_000)
    logit = np.log(confidence / (1 - confidence))
    gates = np.zeros((len(logit), len(GATES) + 1))
    gates[:, 0] = 1
    gates[:10_000, [GATES.index('capitals'), -1]] = 1
    right = rng.uniform(size=len(logit)) < confidence
    top = fit_top(confidence, right, np.ones(len(logit)), gates, (-1.0, -0.5, -0.25))
    assert top.caution == (-1.0, -0.5, -0.25)
    # The other gate of the same texts takes it back.
    assert top.shift[-1] == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(top.confidence(confidence, gates), confidence, atol=0.02)


def test_caution_is_added_to_what_is_fitted():
    scores, gates, truth = sample(300)
    gates[:150, GATES.index('capitals')] = 1
    plain = fit_calibrated(('a', 'b'), scores, gates, truth, ['x'] * 300, FIT)
    settings = replace(FIT, caution=CautionSettings(capitals=1.0))
    cautious = fit_calibrated(('a', 'b'), scores, gates, truth, ['x'] * 300, settings)
    np.testing.assert_array_equal(cautious.weights, plain.weights)
    assert plain.top.caution == (0, 0, 0)
    assert cautious.top.caution == (-1, 0, 0)
    one, other = (each.probabilities(scores, gates) for each in (plain, cautious))
    np.testing.assert_array_equal(one.argmax(axis=1), other.argmax(axis=1))
    np.testing.assert_allclose(other[150:], one[150:])
    # 0.999 becomes 0.997, and the least confidence stays that of the best code.
    assert (other.max(axis=1) < one.max(axis=1) + 1e-12)[:150].all()
    assert other[:150].max(axis=1).mean() < one[:150].max(axis=1).mean() - 0.05


def test_a_fusion_without_styles_is_read_as_it_was():
    scores, gates, _ = sample(20)
    now = Fusion(('a', 'b'), WEIGHTS, np.ones(2), TopCalibration((0.9, 0.1, 0.0), (0.2, 0.0, 0.1)))
    stored = now.to_dict()
    stored['gates'] = list(WEIGHING)
    stored['weights'] = [list(row) for row in WEIGHTS[: len(WEIGHING)]]
    gates[:, len(WEIGHING) :] = 1
    again = Fusion.from_dict(stored)
    assert again.gates == GATES
    np.testing.assert_allclose(again.probabilities(scores, gates), now.probabilities(scores, gates))
