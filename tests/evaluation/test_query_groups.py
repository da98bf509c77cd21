import numpy as np
import pytest
import torch

from naics_embed.evaluation.queries import QueryGroup, query_groups
from naics_embed.supervision.leakage import count_leaks

JACCARD = 0.9
ROWS = (
    ('Ski instruction, private', '611620', 'index', 'train'),
    ('Beauty schools', '611511', 'index', 'train'),
    ('Learning to drive a car', '611692', 'index', 'train'),
    ('Ski instruction', '611620', 'index', 'validation'),
    ('Hairdressing lessons', '611511', 'index', 'validation'),
    ('Driving lessons for teenagers', '611692', 'index', 'validation'),
    ('Pilot training', '611512', 'index', 'validation'),
    ('Chess camp', '611620', 'index', 'test'),
    ('Test preparation', '611691', 'index', 'test'),
    ('Truck driving course', '611692', 'index', 'test'),
    ('Flight simulator hours', '611512', 'index', 'test'),
    ('i teach people to juggle', '611699', 'plain', 'test'),
    ('schools of any kind', '61', 'plain', 'test'),
    ('teach and tutor', '6116', 'plain', 'test'),
    ('we tutor in maths', '611691', 'panel', 'validation'),
    ('Education', '61', 'title', 'train'),
)


@pytest.fixture
def groups(frame_of, taxonomy, structure) -> dict[tuple[str, str], QueryGroup]:
    result = query_groups(frame_of(*ROWS), taxonomy, structure, jaccard=JACCARD)
    assert len({(group.split, group.prefix) for group in result}) == len(result)
    return {(group.split, group.prefix): group for group in result}


def test_groups_are_split_kind_level_and_structure(groups):
    assert {name: group.texts for name, group in groups.items()} == {
        ('validation', ''): ('Ski instruction', 'Hairdressing lessons'),
        ('validation', 'holdout_'): ('Driving lessons for teenagers',),
        ('validation', 'panel_'): ('we tutor in maths',),
        ('test', ''): ('Chess camp', 'Test preparation'),
        ('test', 'holdout_'): ('Flight simulator hours',),
        ('test', 'plain_'): ('i teach people to juggle',),
        ('test', 'plain_level4_'): ('teach and tutor',),
        ('test', 'plain_level2_'): ('schools of any kind',),
    }


def test_codes_hidden_for_the_other_split_are_in_no_group(groups):
    texts = {text for group in groups.values() for text in group.texts}
    assert not texts & {'Pilot training', 'Truck driving course', 'Learning to drive a car'}


def test_targets_and_candidates_are_of_the_query_s_level(groups, taxonomy):
    expected = {row[0]: row[1] for row in ROWS}
    for group in groups.values():
        codes = [taxonomy.codes[i] for i in group.target]
        assert codes == [expected[text] for text in group.texts]
        level = len(codes[0])
        assert group.candidates.tolist() == taxonomy.at_level(level).tolist()
        assert torch.isin(group.target, group.candidates).all()


def test_hidden_codes_are_candidates_like_any_other(groups, taxonomy):
    candidates = set(groups['test', ''].candidates.tolist())
    assert {taxonomy.index('611692'), taxonomy.index('611512')} <= candidates


def test_strict_leaves_out_what_training_has_seen(groups):
    assert groups['validation', ''].strict.tolist() == [False, True]
    assert groups['test', ''].strict.tolist() == [True, True]


def test_strict_agrees_with_the_independent_count(frame_of, taxonomy, structure):
    train = [('dog training school', '611699'), ('cookery classes for adults', '611699')]
    held = ['training school', 'school', 'dog trainings schools', 'cookery class', 'cookery']
    rows = [(*row, 'index', 'train') for row in train]
    rows += [(text, '611699', 'index', 'test') for text in held]
    (group,) = query_groups(frame_of(*rows), taxonomy, structure, jaccard=JACCARD)
    expected = [not count_leaks([text], [text for text, _ in train], JACCARD) for text in held]
    assert group.strict.tolist() == expected
    assert True in expected
    assert False in expected


def test_a_query_is_not_struck_out_for_resembling_another_held_out_one(
    frame_of, taxonomy, structure
):
    rows = (
        ('Beauty schools', '611511', 'index', 'train'),
        ('juggling', '611699', 'index', 'validation'),
        ('juggling for children', '611699', 'plain', 'test'),
    )
    groups = query_groups(frame_of(*rows), taxonomy, structure, jaccard=JACCARD)
    assert [group.strict.tolist() for group in groups] == [[True], [True]]


def test_only_the_wanted_splits(frame_of, taxonomy, structure):
    result = query_groups(
        frame_of(*ROWS), taxonomy, structure, jaccard=JACCARD, splits=('validation',)
    )
    assert {group.split for group in result} == {'validation'}


def test_nothing_held_out_gives_no_group(frame_of, taxonomy, structure):
    rows = [row for row in ROWS if row[3] == 'train']
    assert query_groups(frame_of(*rows), taxonomy, structure, jaccard=JACCARD) == []


def scores_of(group: QueryGroup, ranks: list[int]) -> torch.Tensor:
    """Scores under which the right candidate of each query has the given rank."""
    width = len(group.candidates)
    scores = torch.zeros(len(ranks), width)
    for row, rank in enumerate(ranks):
        right = int(torch.searchsorted(group.candidates, group.target[row]))
        others = [column for column in range(width) if column != right]
        order = [*others[: rank - 1], right, *others[rank - 1 :]]
        scores[row, order] = -torch.arange(width, dtype=torch.float32)
    return scores


def test_metrics_by_hand(groups, tree):
    group = groups['validation', '']
    result = group.metrics(scores_of(group, [1, 4]), tree)
    assert result['validation/queries'] == 2
    assert result['validation/top1'] == 0.5
    assert result['validation/hit_at_5'] == 1
    assert result['validation/mrr'] == pytest.approx((1 + 1 / 4) / 2)
    assert result['validation/strict_queries'] == 1
    assert result['validation/strict_mrr'] == pytest.approx(1 / 4)
    assert 2 <= result['validation/lca_level'] <= 6
    assert all(key.startswith('validation/') for key in result)


def test_learned_metrics_leave_hidden_codes_out(groups, tree):
    group = groups['validation', '']
    hidden = torch.nonzero(~group.supervised).squeeze(1)
    scores = scores_of(group, [1, 1])
    # Hidden codes come first for every query, the right answer right after them.
    scores[:, hidden] = 1 + torch.arange(len(hidden), dtype=torch.float32)
    result = group.metrics(scores, tree)
    assert result['validation/top1'] == 0
    assert result['validation/mrr'] == pytest.approx(1 / (1 + len(hidden)))
    assert result['validation/learned_top1'] == result['validation/learned_mrr'] == 1
    of_hidden = groups['test', 'holdout_']
    right = scores_of(of_hidden, [1] * len(of_hidden.texts))
    assert not any('learned' in key for key in of_hidden.metrics(right, tree))


def test_prefixes_keep_groups_apart(groups, tree):
    names: list[str] = []
    for group in groups.values():
        result = group.metrics(scores_of(group, [1] * len(group.texts)), tree)
        assert result[f'{group.split}/{group.prefix}mrr'] == 1
        names += result
    assert len(names) == len(set(names))
    assert {'test/plain_level4_top1', 'validation/panel_mrr', 'test/holdout_top1'} <= set(names)


def test_a_group_without_strict_queries_reports_none(frame_of, taxonomy, structure, tree):
    rows = (
        ('juggling', '611699', 'index', 'train'),
        ('Juggling!', '611699', 'index', 'test'),
    )
    (group,) = query_groups(frame_of(*rows), taxonomy, structure, jaccard=JACCARD)
    result = group.metrics(scores_of(group, [2]), tree)
    assert result['test/mrr'] == 0.5
    assert not any('strict' in key for key in result)


def test_structure_in_any_order_of_rows(frame_of, taxonomy, structure):
    first = query_groups(frame_of(*ROWS), taxonomy, structure, jaccard=JACCARD)
    order = np.random.default_rng(0).permutation(len(ROWS))
    second = query_groups(frame_of(*(ROWS[i] for i in order)), taxonomy, structure, jaccard=JACCARD)
    for one, other in zip(first, second, strict=True):
        assert (one.split, one.prefix) == (other.split, other.prefix)
        assert dict(zip(one.texts, one.target.tolist(), strict=True)) == dict(
            zip(other.texts, other.target.tolist(), strict=True)
        )
        assert dict(zip(one.texts, one.strict.tolist(), strict=True)) == dict(
            zip(other.texts, other.strict.tolist(), strict=True)
        )
