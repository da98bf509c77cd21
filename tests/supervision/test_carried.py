"""The project's own texts under the codes of another edition."""

import polars as pl
import pytest

from naics_embed.census.edition import read_edition
from naics_embed.census.sources import package_titles
from naics_embed.data.plain_language import plain_language
from naics_embed.supervision.carried import carried_texts
from naics_embed.taxonomy import canonical_code
from tasks.own_texts import own_texts

TITLES = {'a': 'Shoe stores', 'b': 'Hat stores', 'c': 'Farms'}


def carry(rows, targets):
    frame = pl.DataFrame(rows, schema=['code', 'text', 'split'], orient='row')
    return carried_texts(frame, targets, TITLES)


def test_one_code_is_replaced_in_every_split():
    frame, counts = carry(
        [('x', 'farm', 'train'), ('x', 'field', 'test'), ('y', 'unknown', 'train')], {'x': ['c']}
    )
    assert frame.rows() == [('c', 'farm', 'train'), ('c', 'field', 'test')]
    assert counts == {'as_one': 2, 'by_words': 0, 'several': 0, 'without': 1}


def test_words_decide_between_several_only_for_training():
    frame, counts = carry(
        [
            ('x', 'sells shoes', 'train'),
            ('x', 'sells HATS and caps', 'train'),
            ('x', 'a store', 'train'),
            ('x', 'boots', 'train'),
            ('x', 'shoes', 'test'),
        ],
        {'x': ['a', 'b']},
    )
    assert frame.rows() == [('a', 'sells shoes', 'train'), ('b', 'sells HATS and caps', 'train')]
    assert counts == {'as_one': 0, 'by_words': 2, 'several': 3, 'without': 0}


def test_targets_outside_the_edition_do_not_count():
    frame, _ = carry([('x', 'anything', 'test')], {'x': ['a', 'elsewhere']})
    assert frame['code'].to_list() == ['a']


@pytest.mark.parametrize('name', ['naics2017', 'naics2012'])
def test_the_corpus_of_an_earlier_edition(name):
    edition = read_edition(name)
    titles = {canonical_code(code): title for code, title in package_titles(edition).items()}
    codebook = pl.DataFrame({'code': list(titles), 'title': list(titles.values())})
    frame, counts = own_texts(edition.to_dict(), codebook)
    everything = plain_language()
    assert set(frame['code']) <= set(titles)
    assert counts['own_texts_without'] == 0
    assert len(frame) > 0.95 * len(everything)
    assert len(frame) == counts['own_texts_as_one'] + counts['own_texts_by_words']
    # Held-out texts have a code that is theirs alone.
    held = frame.filter(pl.col('split') == 'test')
    joined = held.join(everything.select('id', original='code'), on='id')
    assert len(joined) == len(held)


def test_the_edition_of_the_texts_changes_nothing():
    frame, counts = own_texts(read_edition('naics2022').to_dict(), pl.DataFrame())
    assert counts == {}
    assert frame.equals(plain_language())
