import logging

import polars as pl
import pytest

from naics_embed.census.channels import clean_title, parse_description
from naics_embed.census.codebook import CODEBOOK_SCHEMA, build_codebook, read_taxonomy
from naics_embed.errors import SourceError
from naics_embed.taxonomy import Taxonomy


@pytest.fixture
def codebook(census, as_source):
    return build_codebook(as_source(census))


def one(codebook, code, column):
    return codebook.row(by_predicate=pl.col('code') == code, named=True)[column]


def test_schema_and_order(codebook):
    assert codebook.schema == CODEBOOK_SCHEMA
    codes = codebook['code'].to_list()
    assert tuple(codes) == Taxonomy(codes).codes
    assert len(codes) == 23
    assert set(codebook['vintage']) == {2022}


def test_sectors_keep_both_spellings(codebook):
    assert one(codebook, '31', 'official') == '31-33'
    assert one(codebook, '44', 'official') == '44-45'
    assert one(codebook, '11', 'official') == '11'
    assert one(codebook, '321', 'parent') == '31'
    assert one(codebook, '455', 'parent') == '44'
    assert one(codebook, '31', 'parent') is None


@pytest.mark.parametrize(
    ('cell', 'title'),
    [
        ('Crop WorkT', 'Crop Work'),
        (' Crop  WorkT \n', 'Crop Work'),
        ('Work (except Play)T', 'Work (except Play)'),
        ('Services in IT', 'Services in IT'),
        ('Services (IT)', 'Services (IT)'),
        ('Support', 'Support'),
    ],
)
def test_title_marker(cell, title):
    assert clean_title(cell) == title


def test_titles_of_both_workbooks_agree_once_cleaned(codebook, caplog):
    assert one(codebook, '11', 'title') == 'Growing Things'
    assert one(codebook, '1112', 'title') == 'Roots and Leaves'
    assert one(codebook, '321114', 'title') == 'Treated Planks (IT)'
    assert 'titles differ' not in caplog.text


def test_differing_titles_are_warned_about(census, as_source, caplog):
    census.descriptions[1][1] = 'Something ElseT'
    with caplog.at_level(logging.WARNING):
        assert one(build_codebook(as_source(census)), '11', 'title') == 'Growing Things'
    assert '1 titles differ' in caplog.text


def test_sector_heading_is_cut(codebook):
    assert one(codebook, '11', 'description') == 'All that grows.\nA second paragraph.'


def test_line_breaks_of_either_kind_and_stray_blanks(codebook):
    assert one(codebook, '111', 'description') == 'Plants of all kinds.'


def test_html_is_cut_and_less_than_is_not(codebook):
    assert one(codebook, '31', 'description') == (
        'Making: Carving wood; Weaving & knitting, at < 5 looms.\nSize a < b > c stays.'
    )


@pytest.mark.parametrize(
    'tail',
    [
        'Cross-References.',
        'Cross-References. Establishments primarily engaged in--',
        'Cross-References. Government establishments primarily engaged in--',
        'Cross-references. Establishments primarily engaged in--',
        'Cross-References. Establishments primarily engaged in--\n\nGrowing--are classified in X;',
    ],
)
def test_cross_reference_tail_is_cut(tail):
    assert parse_description(f'Text.\n\n{tail}').text == 'Text.'
    assert parse_description(
        f'Text.\n\nIllustrative Examples:\n\nA\nB\n\n\n{tail}'
    ).illustrative == ('A\nB')


def test_a_mention_of_cross_references_stays():
    assert parse_description('See the cross-references.').text == 'See the cross-references.'


def test_illustrative_examples_are_apart(codebook):
    assert one(codebook, '111110', 'description') == 'Sowing and reaping grain.'
    assert one(codebook, '111110', 'illustrative') == 'Oat fields\nRye fields'
    assert one(codebook, '321113', 'illustrative') == 'Barn boards\nFence boards'
    assert one(codebook, '111211', 'illustrative') is None


@pytest.mark.parametrize('cell', ['NULL', 'null', ' NULL ', '', '  \n', None, 'n/a'])
def test_absent_cells(cell):
    result = parse_description(cell)
    assert (result.text, result.illustrative, result.pointer) == (None, None, None)


@pytest.mark.parametrize(
    'cell', ['See industry description for 111110.', 'See industry description for 111110.\r\n ']
)
def test_pointer_cells(cell):
    assert parse_description(cell).pointer == '111110'


def test_a_pointer_within_a_text_is_text():
    cell = 'Mixed work. See industry description for 111110.'
    assert parse_description(cell).text == cell


def test_origins(codebook):
    origins = dict(codebook.select('code', 'description_origin').iter_rows())
    assert origins['111110'] == 'own'
    assert origins['11111'] == 'pointer'
    assert origins['1111'] == 'only child'
    assert origins['4551'] == 'pointer'
    # Two children and no text; an only child without text; a leaf without text.
    assert {origins[code] for code in ('11121', '455', '4552', '45521', '455210')} == {'absent'}
    # 1112 has an only child, which itself has nothing to hand on.
    assert origins['1112'] == 'absent'
    # An only child with text.
    assert origins['3211'] == 'only child'


def test_inherited_text_is_that_of_its_source(codebook):
    for code in ('1111', '11111'):
        for column in ('description', 'illustrative'):
            assert one(codebook, code, column) == one(codebook, '111110', column)
    assert one(codebook, '4551', 'description') == 'Shops with much of everything.'
    assert one(codebook, '3211', 'description') == 'Sawing of planks.'


def test_no_channel_holds_a_placeholder(codebook):
    for column in ('description', 'illustrative', 'excluded'):
        texts = codebook[column].drop_nulls()
        assert texts.str.strip_chars().str.len_chars().min() > 0
        assert not texts.str.contains(r'(?i)^(null|none|nan|no .* available)').any()
    absent = codebook.filter(description_origin='absent')
    assert absent['description'].null_count() == len(absent) > 0


def test_exclusions_are_one_text_without_repeats(codebook):
    assert one(codebook, '111110', 'excluded') == (
        'Growing roots are classified in U.S. Industry 111211, Roots;\n'
        'Establishments primarily engaged in selling grain, are classified in Industry 455110, '
        'Big Shops, or Sector 31-33, Making Things.'
    )
    assert one(codebook, '111219', 'excluded') is None


def test_pointer_to_an_unknown_code_is_an_error(census, as_source):
    census.describe(11111, 'See industry description for 999999.')
    with pytest.raises(SourceError, match='row 5: the description of 11111 points to 999999'):
        build_codebook(as_source(census))


def test_pointers_in_a_circle_are_an_error(census, as_source):
    census.describe(111110, 'See industry description for 11111.')
    with pytest.raises(SourceError, match='only point to each other'):
        build_codebook(as_source(census))


def test_repeated_missing_and_untitled_codes_are_errors(census, as_source):
    census.codes.append([24, 111110, 'Grain again'])
    with pytest.raises(SourceError, match='row 26: code 111110 is listed a second time'):
        build_codebook(as_source(census))
    census.codes[-1] = [24, 111130, None]
    with pytest.raises(SourceError, match='row 26: code 111130 has no title'):
        build_codebook(as_source(census))
    census.codes[-1] = [24, 222222, 'An orphan']
    with pytest.raises(SourceError, match=r'Codes.xlsx: code 222222 has no parent'):
        build_codebook(as_source(census))


def test_no_codes_is_an_error(census, as_source):
    del census.codes[1:]
    with pytest.raises(SourceError, match='holds no codes'):
        read_taxonomy(as_source(census))


def test_description_of_an_unknown_or_repeated_code_is_an_error(census, as_source):
    census.descriptions.append([999, 'X', 'Y'])
    with pytest.raises(SourceError, match=r"Descriptions.xlsx, column 'Code'.*row 25: '999'"):
        build_codebook(as_source(census))
    census.descriptions[-1] = [111, 'Plants', 'Y']
    with pytest.raises(SourceError, match='row 25: code 111 is listed a second time'):
        build_codebook(as_source(census))
