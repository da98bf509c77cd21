import socket
from collections import Counter

import polars as pl
import pytest

from naics_embed.artifacts import checksum
from naics_embed.census.codebook import build_codebook
from naics_embed.census.edition import DEFAULT, read_edition
from naics_embed.census.index_entries import INDEX_SCHEMA, read_index
from naics_embed.census.redirections import REDIRECTION_SCHEMA, build_redirections
from naics_embed.census.sources import acquire
from naics_embed.errors import SourceError
from naics_embed.taxonomy import Taxonomy

WORKBOOKS = read_edition(DEFAULT).workbooks
CODES, DESCRIPTIONS = WORKBOOKS['codes'], WORKBOOKS['descriptions']


@pytest.fixture
def get(tmp_path, quick):
    def call(kind, folder=None, **changes):
        arguments = {'cache_dir': tmp_path / 'cache', 'settings': quick, **changes}
        return acquire(kind, folder=folder, **arguments)

    return call


@pytest.fixture
def nowhere(monkeypatch):
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return f'http://127.0.0.1:{free.getsockname()[1]}/naics'


@pytest.fixture
def published(tmp_path, census, loopback, answer):
    folder = census.write(tmp_path / 'published')
    for workbook in WORKBOOKS.values():
        name = workbook.url.rsplit('/', 1)[-1]
        loopback.by_name[name] = answer((folder / workbook.file_name).read_bytes())
    return loopback


def test_folder_with_all_four(get, census, tmp_path):
    folder = census.write(tmp_path / 'four')
    source = get('folder', folder)
    assert (source.kind, list(source.files), source.missing) == ('folder', list(WORKBOOKS), ())
    for file in source.files.values():
        assert file.sha256 == checksum(file.path)[0]
        assert not file.known
    assert len(source.warnings) == 4
    assert all('is not the known file' in warning for warning in source.warnings)


@pytest.mark.parametrize(
    'name',
    [
        '2-6%20digit_2022_Codes.xlsx',
        '2-6_digit_2022_codes.XLSX',
        '2_6 Digit 2022 Codes.xlsx',
        '2-6+digit_2022_Codes.xlsx',
    ],
)
def test_folder_accepts_variants_of_a_name(get, census, tmp_path, name):
    folder = census.write(tmp_path / 'variant')
    (folder / CODES.file_name).rename(folder / name)
    assert get('folder', folder).files['codes'].path.name == name


def test_folder_prefers_the_official_name(get, census, tmp_path):
    folder = census.write(tmp_path / 'double')
    census.codes.pop()
    other = census.write(tmp_path / 'other') / CODES.file_name
    (folder / '2-6_digit_2022_Codes.xlsx').write_bytes(other.read_bytes())
    assert get('folder', folder).files['codes'].path.name == CODES.file_name


def test_folder_with_differing_variants_is_an_error(get, census, tmp_path):
    folder = census.write(tmp_path / 'double')
    (folder / CODES.file_name).rename(folder / '2-6_digit_2022_Codes.xlsx')
    census.codes.pop()
    other = census.write(tmp_path / 'other') / CODES.file_name
    (folder / '2-6%20digit_2022_Codes.xlsx').write_bytes(other.read_bytes())
    with pytest.raises(SourceError, match='several files could be'):
        get('folder', folder)


def test_folder_says_what_is_missing_and_what_that_costs(get, census, tmp_path, caplog):
    absent = ('descriptions', 'index', 'cross_references')
    source = get('folder', census.write(tmp_path / 'one', leave_out=absent))
    assert source.missing == absent
    said = ' '.join(source.warnings)
    for phrase in ('no description channel', 'no examples channel', 'no exclusion channel'):
        assert phrase in said
        assert phrase in caplog.text
    codebook = build_codebook(source)
    assert codebook['description'].null_count() == len(codebook)
    assert set(codebook['description_origin']) == {'absent'}
    taxonomy = Taxonomy(codebook['code'])
    assert read_index(source, taxonomy).schema == INDEX_SCHEMA
    assert build_redirections(source, taxonomy).schema == REDIRECTION_SCHEMA


def test_folder_needs_the_codes(get, census, tmp_path):
    folder = census.write(tmp_path / 'three', leave_out=('codes',))
    with pytest.raises(SourceError, match=r'2-6 digit_2022_Codes.xlsx.*required.*Descriptions'):
        get('folder', folder)


def test_folder_must_exist(get, tmp_path):
    with pytest.raises(SourceError, match='is not a directory'):
        get('folder', tmp_path / 'no such place')
    with pytest.raises(SourceError, match=r'needs data\.folder'):
        get('folder')


def test_folder_refuses_what_is_no_workbook(get, census, tmp_path):
    folder = census.write(tmp_path / 'page')
    (folder / DESCRIPTIONS.file_name).write_text('<html>Not found</html>')
    with pytest.raises(
        SourceError, match=r'2022_NAICS_Descriptions\.xlsx is not an Excel workbook'
    ):
        get('folder', folder)


def test_package_gives_every_code_and_title(get, caplog):
    source = get('package')
    assert source.kind == 'package'
    assert source.files['codes'].known
    assert source.warnings == ()
    assert not caplog.records
    codebook = build_codebook(source)
    assert len(codebook) == 2125
    counts = codebook.group_by('level').len().sort('level').rows()
    assert counts == [(2, 20), (3, 96), (4, 308), (5, 689), (6, 1012)]
    assert codebook.row(by_predicate=pl.col('code') == '31', named=True) == {
        'code': '31',
        'official': '31-33',
        'level': 2,
        'parent': None,
        'vintage': 2022,
        'title': 'Manufacturing',
        'description': None,
        'description_origin': 'absent',
        'illustrative': None,
        'excluded': None,
    }


def test_package_has_the_sizes_of_the_sectors(get):
    codes = build_codebook(get('package'))['code'].to_list()
    taxonomy = Taxonomy(codes)
    sizes = Counter(taxonomy.codes[sector] for sector in taxonomy.sector)
    expected = (
        '11:131 21:41 22:25 23:73 31:630 42:161 44:139 48:140 51:71 52:79 '
        '53:53 54:95 55:7 56:87 61:38 62:92 71:61 72:34 81:93 92:75'
    )
    assert ' '.join(f'{sector}:{size}' for sector, size in sizes.items()) == expected


def test_census_fetches_all_four(get, published):
    source = get('census', base_url=published.url)
    assert (source.kind, source.missing) == ('census', ())
    assert len(published.requests) == 4
    assert len(build_codebook(source)) == 23


def test_census_goes_on_without_an_optional_workbook(get, published, answer):
    published.by_name['2022_NAICS_Index_File.xlsx'] = answer(status=404)
    source = get('census', base_url=published.url)
    assert source.missing == ('index',)
    assert any('404' in w and 'no examples channel' in w for w in source.warnings)


def test_census_needs_the_codes(get, published, answer):
    published.by_name['2-6%20digit_2022_Codes.xlsx'] = answer(status=404)
    with pytest.raises(SourceError, match='404'):
        get('census', base_url=published.url)


def test_census_offline_says_that_copies_are_used(get, published, answer):
    get('census', base_url=published.url)
    published.by_name.clear()
    published.answers = [answer(status=503)]
    source = get('census', base_url=published.url)
    assert source.missing == ()
    assert sum('comes from the cache' in w for w in source.warnings) == 4


def test_auto_takes_a_given_folder_first(get, census, tmp_path, published):
    folder = census.write(tmp_path / 'given')
    assert get('auto', folder, base_url=published.url).kind == 'folder'
    with pytest.raises(SourceError, match='is not a directory'):
        get('auto', tmp_path / 'typo', base_url=published.url)
    assert published.requests == []


def test_auto_then_takes_the_cache_without_asking_anyone(get, census, tmp_path, nowhere):
    census.write(tmp_path / 'cache', leave_out=('index',))
    source = get('auto', base_url=nowhere)
    assert (source.kind, source.missing) == ('census', ('index',))
    assert any('data.source=census fetches it' in w for w in source.warnings)


def test_auto_then_asks_the_census(get, published):
    source = get('auto', base_url=published.url)
    assert (source.kind, source.missing) == ('census', ())


def test_auto_falls_back_on_the_package_unmistakably(get, nowhere, caplog):
    source = get('auto', base_url=nowhere)
    assert source.kind == 'package'
    assert source.missing == ('descriptions', 'index', 'cross_references')
    assert source.warnings[0].startswith('TITLES ONLY')
    assert 'TITLES ONLY' in caplog.text
    assert 'ConnectError' in source.warnings[0]


def test_auto_does_not_believe_a_damaged_cache(get, tmp_path, nowhere):
    (tmp_path / 'cache').mkdir()
    (tmp_path / 'cache' / CODES.file_name).write_text('<html>')
    assert get('auto', base_url=nowhere).kind == 'package'


def test_unknown_kind(get):
    with pytest.raises(SourceError, match="no source 'web'; choose one of auto, census"):
        get('web')
