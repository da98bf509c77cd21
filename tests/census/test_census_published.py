"""Facts of the published workbooks; runs where they are at hand, which it does not need."""

import os
from collections import Counter
from pathlib import Path

import pytest

from naics_embed.census.codebook import build_codebook, read_taxonomy
from naics_embed.census.download import HttpSettings
from naics_embed.census.index_entries import read_index
from naics_embed.census.redirections import build_redirections
from naics_embed.census.sources import acquire, package_titles
from naics_embed.supervision.index_roles import assign_roles, count_leaks
from naics_embed.taxonomy import canonical_code

FOLDER = os.environ.get('NAICS_EMBED_CENSUS_FOLDER')

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        FOLDER is None, reason='NAICS_EMBED_CENSUS_FOLDER does not name the folder of workbooks'
    ),
]


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    cache = tmp_path_factory.mktemp('cache')
    return acquire('folder', folder=Path(FOLDER), cache_dir=cache, settings=HttpSettings())


@pytest.fixture(scope='module')
def codebook(source):
    return build_codebook(source)


@pytest.fixture(scope='module')
def redirections(source):
    return build_redirections(source, read_taxonomy(source))


@pytest.fixture(scope='module')
def entries(source):
    return read_index(source, read_taxonomy(source))


def test_codes_and_titles_are_those_of_the_package(codebook):
    titles = {canonical_code(code): title for code, title in package_titles().items()}
    assert dict(codebook.select('code', 'title').iter_rows()) == titles
    assert codebook['title'].is_duplicated().sum() == 1291


def test_origins_of_descriptions(codebook):
    origins = Counter(codebook['description_origin'])
    assert origins == {'own': 1449, 'pointer': 522, 'only child': 140, 'absent': 14}
    own = codebook.filter(description_origin='own')
    assert own['illustrative'].count() == 381
    marks = r'<\w|Cross-Ref|Illustrative Examples:|Sector as a Whole|See industry description'
    assert not codebook['description'].str.contains(marks).any()


def test_redirections(redirections):
    assert len(redirections) == 4601
    assert redirections['text'].str.contains('classified in').sum() == 4559
    unnamed = redirections.filter(redirections['targets'].list.len() == 0)
    assert len(unnamed) == 68
    assert redirections['phrase'].null_count() <= 1
    lineal = redirections.filter('lineal').select('code', 'targets').rows()
    expected = {'111191': '1111', '111336': '1113', '211120': '2111', '211130': '2111'}
    expected |= {'32111': '321', '321114': '321', '424410': '42', '488490': '48'}
    assert {code: targets[0] for code, targets in lineal} == expected


def test_index_and_roles(entries, codebook, redirections):
    assert (len(entries), entries['code'].n_unique()) == (20373, 1010)
    texts = [
        *codebook['title'],
        *codebook['description'].drop_nulls(),
        *codebook['illustrative'].drop_nulls(),
        *redirections['phrase'].drop_nulls(),
    ]
    fractions = {'examples': 0.2, 'train': 0.5, 'validation': 0.15, 'test': 0.15}
    roles = assign_roles(entries, texts, fractions=fractions, seed=1, jaccard=0.9)
    free = roles.filter(~roles['leaks'])
    for role, fraction in fractions.items():
        assert (free['role'] == role).mean() == pytest.approx(fraction, abs=0.005)
    assert roles.filter(role='train')['code'].n_unique() == 1010
    held_out = roles.filter(roles['role'].is_in(['validation', 'test']))
    training = roles.filter(roles['role'].is_in(['examples', 'train']))
    assert count_leaks(held_out['text'], [*texts, *training['text']], 0.9) == 0
