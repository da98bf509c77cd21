"""A whole run about another edition: NAICS 2017, from small workbooks of retail trade."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.workbooks import write_xlsx
from flows.pipeline import STAGES
from naics_embed import Coder, CodeTable, NaicsCoordinates
from naics_embed.artifacts import read_json
from naics_embed.census.edition import read_edition
from naics_embed.census.sources import package_titles
from naics_embed.classifications.classification import Classification
from naics_embed.taxonomy import canonical_code
from tests.flows.test_exports import Builder
from tests.flows.test_pipeline import computed

pytestmark = pytest.mark.slow
SECTORS = ('44', '55')
ENTRIES = 6


@pytest.fixture(scope='module')
def run(tmp_path_factory, miniature, tiny_backbone, prefect_server):
    builder = Builder(tmp_path_factory.mktemp('edition'), miniature, tiny_backbone)
    edition = read_edition('naics2017')
    titles = {
        code: title
        for code, title in package_titles(edition).items()
        if canonical_code(canonical_code(code)[:2]) in SECTORS
    }
    folder = builder.home / 'books'
    folder.mkdir()
    codes, index = edition.workbooks['codes'], edition.workbooks['index']
    rows = [[name for _, name in codes.columns], *([code, title] for code, title in titles.items())]
    write_xlsx(folder / codes.file_name, {codes.sheet: rows})
    rng = np.random.default_rng(0)
    entries: list[list[object]] = [[name for _, name in index.columns]]
    for code, title in titles.items():
        if len(code) == 6:
            letters = (''.join(rng.choice(list('aeiourst'), 6)) for _ in range(ENTRIES))
            entries += [[code, f'{title} {word}'] for word in letters]
    write_xlsx(folder / index.file_name, {index.sheet: entries})
    return builder.run('data.edition=naics2017', f'data.folder={folder}'), titles


def test_every_stage_runs_on_codes_of_2017(run):
    summary, titles = run
    assert computed(summary) == set(STAGES)
    codes = pl.read_parquet(f'{summary["bundle"]}/codes.parquet')
    assert set(codes['official']) == set(titles)
    assert set(codes['vintage']) == {2017}
    manifest = read_json(Path(summary['bundle']) / 'manifest.json')
    assert manifest['vintage'] == 2017
    # Own texts of 2022 were carried back: those of new codes are there under their predecessors.
    file = summary['stages']['queries']['files']['queries']
    plain = pl.read_parquet(file).filter(pl.col('kind') == 'plain')
    assert len(plain)
    assert plain['code'].is_in(codes['code'].implode()).all()
    assert plain['code'].is_in(['452210', '452311', '454110']).any()


def test_search_answers_with_codes_of_2017(run):
    summary, titles = run
    coder = Coder.load(summary['bundle'])
    assert coder.own == 'naics2017'
    [own] = coder.search(['department store'], evidence=1)
    assert own.classification == 'naics2017'
    assert {hit.code for hit in own.hits} <= set(titles)
    [later] = coder.search(['department store'], classification='naics2022')
    assert later.classification == 'naics2022'
    known = Classification.load('naics2022')
    assert all(hit.code in known.codes for hit in later.hits)


def test_a_table_of_2017_reads_later_codes(run):
    summary, _ = run
    table = CodeTable.load(summary['bundle'])
    assert table.vintage == 2017
    transformer = NaicsCoordinates(summary['bundle'], vintage=2022)
    with pytest.warns(UserWarning, match='centroid'):
        later = transformer.fit_transform([['455110'], ['551112']])
    assert np.isfinite(later).all()
