import polars as pl
import pytest

from naics_embed.supervision.queries import QUERY_SCHEMA, build_queries, first_sentence


@pytest.mark.parametrize(
    ('text', 'first'),
    [
        ('Sowing grain. Reaping it.', 'Sowing grain.'),
        ('One sentence only', 'One sentence only'),
        ('  Is it? It is.', 'Is it?'),
        ('All!\nMore.', 'All!'),
        ('Costs 1.5 dollars. No more.', 'Costs 1.5 dollars.'),
    ],
)
def test_first_sentence(text, first):
    assert first_sentence(text) == first


CODEBOOK = pl.DataFrame(
    {
        'code': ['11', '111110', '111211', '111219'],
        'title': ['Growing', 'Grain', 'Roots', 'Leaves'],
        'description': ['All that grows. Much.', 'Sowing. Reaping.', 'Sowing. Reaping.', None],
        'description_origin': ['own', 'pointer', 'only child', 'absent'],
    }
)
REDIRECTIONS = pl.DataFrame(
    {
        'phrase': ['Growing roots', 'Selling grain', None, 'No target', 'Wheat growing'],
        'targets': [['111211'], ['111110', '11'], ['11'], [], ['111110']],
    },
    schema={'phrase': pl.String, 'targets': pl.List(pl.String)},
)
ENTRIES = pl.DataFrame(
    {
        'text': ['Wheat growing', 'Barley growing', 'Carrots', 'Beets', 'Kale'],
        'code': ['111110', '111110', '111211', '111211', '111219'],
        'role': ['train', 'examples', 'validation', 'test', 'train'],
    }
)
PLAIN = pl.DataFrame(
    {
        'text': ['we grow wheat', 'my kale', 'farm', 'Wheat growing'],
        'code': ['111110', '111219', '11', '111110'],
        'kind': ['plain', 'panel', 'plain', 'plain'],
        'split': ['train', 'test', 'validation', 'validation'],
    }
)


@pytest.fixture
def queries():
    return build_queries(CODEBOOK, REDIRECTIONS, ENTRIES, PLAIN)


def of_kind(queries: pl.DataFrame, kind: str) -> set[tuple[str, str, str]]:
    return set(queries.filter(pl.col('kind') == kind).select('text', 'code', 'split').iter_rows())


def test_index_entries_have_the_split_of_their_role(queries):
    assert queries.schema == QUERY_SCHEMA
    assert of_kind(queries, 'index') == {
        ('Wheat growing', '111110', 'train'),
        ('Carrots', '111211', 'validation'),
        ('Beets', '111211', 'test'),
        ('Kale', '111219', 'train'),
    }
    # Entries that the examples channel holds train as queries of their own kind.
    assert of_kind(queries, 'example') == {('Barley growing', '111110', 'train')}


def test_titles_and_own_descriptions_train(queries):
    assert of_kind(queries, 'title') == {
        ('Growing', '11', 'train'),
        ('Grain', '111110', 'train'),
        ('Roots', '111211', 'train'),
        ('Leaves', '111219', 'train'),
    }
    assert of_kind(queries, 'description') == {
        ('All that grows.', '11', 'train'),
        ('Sowing.', '111110', 'train'),
    }


def test_only_a_phrase_with_one_target_is_labelled(queries):
    assert of_kind(queries, 'redirection') == {('Growing roots', '111211', 'train')}


def test_plain_language_keeps_kind_and_split(queries):
    assert of_kind(queries, 'plain') == {
        ('we grow wheat', '111110', 'train'),
        ('farm', '11', 'validation'),
        ('Wheat growing', '111110', 'validation'),
    }
    assert of_kind(queries, 'panel') == {('my kale', '111219', 'test')}


def test_a_text_labelled_alike_twice_trains_once(queries):
    same = queries.filter((pl.col('text') == 'Wheat growing') & (pl.col('split') == 'train'))
    assert same.rows() == [('Wheat growing', '111110', 'index', 'train')]


def test_a_text_labelled_differently_stays_with_each_label():
    entries = ENTRIES.with_columns(text=pl.lit('Grain'))
    result = build_queries(CODEBOOK, REDIRECTIONS.clear(), entries, PLAIN.clear())
    assert set(result.filter(pl.col('text') == 'Grain')['code']) == {'111110', '111211', '111219'}


def test_only_index_and_plain_language_are_held_out(queries):
    held = queries.filter(pl.col('split') != 'train')
    assert set(held['kind']) == {'index', 'plain', 'panel'}
    assert queries.null_count().sum_horizontal().item() == 0


def test_titles_alone_are_enough():
    result = build_queries(
        CODEBOOK.with_columns(description=pl.lit(None, pl.String), description_origin=pl.lit('x')),
        REDIRECTIONS.clear(),
        ENTRIES.clear(),
        PLAIN.clear(),
    )
    assert result['kind'].to_list() == ['title'] * 4
