import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from naics_embed.census.normalise import content_id, normalise
from naics_embed.supervision.index_roles import ROLES, assign_roles, count_leaks
from naics_embed.supervision.leakage import find_leaks

SHARES = {'examples': 0.2, 'train': 0.5, 'validation': 0.15, 'test': 0.15}
WORDS = ['oat', 'oats', 'farm', 'farms', 'shop', 'shops', 'mill', 'bus', 'a', 'repair', 'repairs']

phrases = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(' '.join)


def frame(rows):
    return pl.DataFrame(
        [(content_id(code, text), code, text, normalise(text)) for code, text in rows],
        schema=['id', 'code', 'text', 'normalised'],
        orient='row',
    )


def entry_sets(min_size=0):
    rows = st.tuples(st.sampled_from(['111110', '111120', '455110']), phrases)
    return st.lists(rows, min_size=min_size, max_size=25, unique=True).map(frame)


def matches(query, text, jaccard):
    """The leakage rule as its definition reads, for one pair of texts."""
    query, text = normalise(query), normalise(text)
    if not query or not text:
        return False
    analyse = CountVectorizer(analyzer='char_wb', ngram_range=(3, 3)).build_analyzer()
    left, right = set(analyse(query)), set(analyse(text))
    similarity = len(left & right) / len(left | right)
    return f' {query} ' in f' {text} ' or similarity >= jaccard - 1e-12


@settings(deadline=None, max_examples=60)
@given(
    st.lists(phrases, max_size=12),
    st.lists(phrases | phrases.map(lambda p: f'Prefix, {p}\nsecond line'), max_size=6),
    st.sampled_from([0.4, 0.75, 0.9, 1.0]),
)
def test_leaks_agree_with_the_definition(entries, texts, jaccard):
    expected = []
    pieces = [*texts, *(line for text in texts for line in text.split('\n'))]
    for i, entry in enumerate(entries):
        others = [*pieces, *entries[:i], *entries[i + 1 :]]
        expected.append(any(matches(entry, other, jaccard) for other in others))
    assert find_leaks(entries, texts, jaccard=jaccard).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(
    st.lists(phrases, max_size=8),
    st.lists(phrases | phrases.map(lambda p: f'Prefix, {p}\nsecond line'), max_size=8),
    st.sampled_from([0.4, 0.75, 0.9, 1.0]),
)
def test_count_agrees_with_the_definition(held_out, texts, jaccard):
    pieces = [*texts, *(line for text in texts for line in text.split('\n'))]
    expected = sum(any(matches(query, text, jaccard) for text in pieces) for query in held_out)
    assert count_leaks(held_out, texts, jaccard) == expected


@pytest.mark.parametrize(
    ('text', 'leaks'),
    [
        ('We run an oat-milling PLANT here.', True),
        ('first line\nOat milling; plant', True),
        ('boat milling plant', False),
        ('oat milling plants', False),
        ('milling of oats', False),
        ('plant oat milling', True),
    ],
)
def test_rule_on_one_pair(text, leaks):
    assert find_leaks(['Oat milling plant'], [text], jaccard=0.9).tolist() == [leaks]
    assert count_leaks(['Oat milling plant'], [text], 0.9) == leaks


def test_repeated_and_empty_entries_leak():
    marked = find_leaks(['Oat mill', 'oat-mill', '--', 'rye field'], [], jaccard=0.9)
    assert marked.tolist() == [True, True, True, False]


def test_an_entry_is_not_its_own_copy():
    assert find_leaks(['bus bus bus', 'oat mill oat mill'], [], jaccard=0.9).tolist() == [False] * 2


def test_nothing_to_check():
    assert find_leaks([], ['text'], jaccard=0.9).tolist() == []
    assert count_leaks([], ['text'], 0.9) == 0
    assert count_leaks(['text'], [], 0.9) == 0


@settings(deadline=None, max_examples=60)
@given(entry_sets(), st.lists(phrases, max_size=5), st.integers(0, 5))
def test_every_entry_has_one_role_and_none_leaks(entries, texts, seed):
    roles = assign_roles(entries, texts, fractions=SHARES, seed=seed, jaccard=0.9)
    assert roles['id'].to_list() == entries['id'].to_list()
    assert set(roles['role']) <= set(ROLES)
    held_out = roles.filter(pl.col('role').is_in(['validation', 'test']))
    training = roles.filter(pl.col('role').is_in(['examples', 'train']))
    assert not held_out['leaks'].any()
    assert count_leaks(held_out['text'], [*texts, *training['text']], 0.9) == 0
    # Validation must not give away test either.
    test = held_out.filter(role='test')
    assert count_leaks(test['text'], held_out.filter(role='validation')['text'], 0.9) == 0


@settings(deadline=None, max_examples=40)
@given(entry_sets(min_size=1), st.integers(0, 5))
def test_every_code_keeps_a_training_query(entries, seed):
    roles = assign_roles(entries, [], fractions=SHARES, seed=seed, jaccard=0.9)
    assert set(roles.filter(role='train')['code']) == set(entries['code'])


@settings(deadline=None, max_examples=40)
@given(entry_sets(), st.lists(phrases, max_size=4), st.randoms(use_true_random=False))
def test_row_order_plays_no_part(entries, texts, shuffler):
    order = list(range(len(entries)))
    shuffler.shuffle(order)
    other_texts = list(texts)
    shuffler.shuffle(other_texts)
    first = assign_roles(entries, texts, fractions=SHARES, seed=3, jaccard=0.9)
    second = assign_roles(entries[order], other_texts, fractions=SHARES, seed=3, jaccard=0.9)
    assert dict(first.select('id', 'role').iter_rows()) == dict(
        second.select('id', 'role').iter_rows()
    )


def invented(codes, per_code, seed=0):
    """Entries of nonsense words, so that hardly any matches another."""
    draw = random.Random(seed)
    rows = []
    for code in range(codes):
        for _ in range(per_code(draw)):
            words = [''.join(draw.choices('abcdefghijklmnop', k=6)) for _ in range(3)]
            rows.append((str(100000 + code), ' '.join(words)))
    return frame(rows)


def test_fractions_are_met_overall_and_in_each_code():
    entries = invented(300, lambda draw: draw.choice([2, 3, 5, 8, 13, 24, 60]))
    roles = assign_roles(entries, [], fractions=SHARES, seed=1, jaccard=0.9)
    assert not roles['leaks'].any()
    for role, fraction in SHARES.items():
        assert (roles['role'] == role).mean() == pytest.approx(fraction, abs=0.01)
    counts = roles.group_by('code').agg(
        pl.len().alias('n'), *((pl.col('role') == role).sum().alias(role) for role in ROLES)
    )
    for role, fraction in SHARES.items():
        assert (counts[role] - counts['n'] * fraction).abs().max() < 2


def test_a_code_with_one_entry_trains():
    entries = invented(200, lambda _: 1)
    fractions = {'examples': 0.1, 'train': 0.1, 'validation': 0.4, 'test': 0.4}
    roles = assign_roles(entries, [], fractions=fractions, seed=1, jaccard=0.9)
    assert set(roles['role']) == {'train'}


def test_other_codes_do_not_change_a_draw():
    entries = invented(20, lambda _: 15)
    fewer = entries.filter(pl.col('code') != '100003')
    whole = assign_roles(entries, [], fractions=SHARES, seed=1, jaccard=0.9)
    part = assign_roles(fewer, [], fractions=SHARES, seed=1, jaccard=0.9)
    assert part['role'].to_list() == whole.filter(pl.col('code') != '100003')['role'].to_list()


def test_the_seed_changes_the_draw():
    entries = invented(20, lambda _: 15)
    draws = [
        assign_roles(entries, [], fractions=SHARES, seed=seed, jaccard=0.9)['role'].to_list()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_leaking_entries_are_divided_by_examples_and_train():
    entries = invented(40, lambda _: 30)
    roles = assign_roles(entries, entries['text'].to_list(), fractions=SHARES, seed=1, jaccard=0.9)
    assert roles['leaks'].all()
    assert set(roles['role']) == {'examples', 'train'}
    assert (roles['role'] == 'examples').mean() == pytest.approx(2 / 7, abs=0.02)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'fractions': {'train': 1.0}}, 'fractions must name'),
        ({'fractions': {**SHARES, 'test': 0.2}}, 'add up to 1'),
        ({'fractions': {**SHARES, 'test': -0.15, 'train': 0.8}}, 'non-negative'),
        ({'fractions': {**SHARES, 'train': 0.0, 'test': 0.65}}, 'train must be positive'),
        ({'jaccard': 0.0}, 'jaccard must lie'),
    ],
)
def test_faulty_arguments(change, message):
    arguments = {'fractions': SHARES, 'seed': 1, 'jaccard': 0.9, **change}
    with pytest.raises(ValueError, match=message):
        assign_roles(frame([('111110', 'oat mill')]), [], **arguments)


def test_ids_must_be_unique():
    entries = frame([('111110', 'oat mill'), ('111110', 'oat mill')])
    with pytest.raises(ValueError, match='unique ids'):
        assign_roles(entries, [], fractions=SHARES, seed=1, jaccard=0.9)
