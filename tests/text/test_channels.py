import polars as pl
import pytest

from naics_embed.text.channels import CHANNEL_SCHEMA, channel_texts

CODEBOOK = pl.DataFrame(
    {
        'code': ['11', '111110', '111211', '111219'],
        'title': ['Growing', 'Grain', 'Roots', 'Leaves'],
        'description': ['All.\nA second line.', 'Sowing.', None, None],
        'illustrative': [None, 'Oat fields\nRye fields', None, None],
        'excluded': [None, 'Growing roots.\nSelling grain.', None, None],
    },
    schema_overrides={'illustrative': pl.String, 'excluded': pl.String},
)


def channels(examples: list[tuple[str, str]]) -> pl.DataFrame:
    frame = pl.DataFrame(examples, schema={'code': pl.String, 'text': pl.String}, orient='row')
    return channel_texts(CODEBOOK, frame)


def test_lines_are_joined_and_absent_channels_stay_null():
    result = channels([('111110', 'wheat'), ('111211', 'carrots'), ('111110', 'barley')])
    assert result.schema == CHANNEL_SCHEMA
    assert result.rows() == [
        ('11', 'Growing', 'All. A second line.', None, None),
        (
            '111110',
            'Grain',
            'Sowing.',
            'Oat fields; Rye fields; wheat; barley',
            'Growing roots. Selling grain.',
        ),
        ('111211', 'Roots', None, 'carrots', None),
        ('111219', 'Leaves', None, None, None),
    ]


def test_without_examples_only_the_illustrative_ones_remain():
    result = channels([])
    assert result['examples'].to_list() == [None, 'Oat fields; Rye fields', None, None]


def test_examples_keep_their_order_and_the_codes_theirs():
    listed = [('111219', f'leaf {i}') for i in range(30)]
    result = channels(listed)
    assert result['code'].to_list() == CODEBOOK['code'].to_list()
    assert result['examples'][3] == '; '.join(text for _, text in listed)


@pytest.mark.parametrize('code', ['999999', '31-33'])
def test_examples_of_a_code_that_is_not_in_the_codebook_go_nowhere(code):
    result = channels([(code, 'wheat')])
    assert result['examples'].to_list() == [None, 'Oat fields; Rye fields', None, None]


def test_no_channel_is_an_empty_string():
    blank = CODEBOOK.with_columns(illustrative=pl.lit(''))
    empty = pl.DataFrame(schema={'code': pl.String, 'text': pl.String})
    result = channel_texts(blank, empty)
    assert result['examples'].to_list() == [None] * 4
