"""Commands on a bundle that has a coder."""

import json
import sqlite3

import fsspec
import polars as pl
import pytest

from naics_embed.bundle.provenance import FIELDS
from naics_embed.search.coder import Coder
from naics_embed.tabular.open import open_table as _open
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('coding')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


def test_search_gives_answer_path_and_evidence(cli, bundle):
    done = cli('search', 'corn farming', '--evidence', 2, '--json', '--bundle', bundle)
    assert done.status == 0
    [row] = json.loads(done.out)
    assert row['text'] == 'corn farming'
    assert row['hits'][0]['title'] == 'Corn Farming'
    assert {'code', 'official', 'title', 'level', 'distance', 'probability'} == set(row['hits'][0])
    assert [step['level'] for step in row['path']] == [2, 3, 4, 5, 6]
    assert row['status'] in ('coded', 'coarser', 'uncertain')
    assert row['evidence'][0]['texts'][0][0] == 'Corn Farming'


def test_search_shows_what_it_is_sure_of(cli, bundle):
    query = ('search', 'corn farming', '--bundle', bundle, '--confidence')
    assert 'sure: 111150 Corn Farming (' in cli(*query, 0.01).out
    coarse = cli(*query, 0.01, '--level', 4).out
    assert 'sure: 1111 Oilseed and Grain Farming (' in coarse
    assert '111150' not in coarse, 'no more digits than were asked for'


def test_search_ranks_nothing_where_not_enough_was_said(cli, bundle):
    for text, why in (('xyzzy', 'not even a sector has 100%'), ('n/a', 'names no activity')):
        out = cli('search', text, '--confidence', 1, '--bundle', bundle).out
        assert 'not enough said' in out
        assert why in out
        assert 'probability' not in out


def test_search_by_distance_alone(cli, bundle):
    done = cli('search', 'corn farming', '--distance', '--json', '--bundle', bundle)
    [row] = json.loads(done.out)
    assert set(row) == {'text', 'hits'}
    distances = [hit['distance'] for hit in row['hits']]
    assert distances == sorted(distances)


def test_a_file_is_coded(cli, bundle, tmp_path):
    pl.DataFrame({'what': ['corn farming', '']}).write_csv(tmp_path / 'in.csv')
    arguments = ('--text-column', 'what', '-o', tmp_path / 'out.csv', '--bundle', bundle)
    done = cli('code', tmp_path / 'in.csv', *arguments)
    assert done.status == 0
    assert '2 rows written' in done.err
    assert '1 could not be read (see naics_error)' in done.err
    rows = pl.read_csv(tmp_path / 'out.csv', infer_schema=False)
    assert rows['naics_code'].to_list()[0] == '111150'
    missing = cli('code', tmp_path / 'none.csv', *arguments)
    assert (missing.status, missing.out) == (2, '')
    assert 'does not exist' in missing.err


def test_a_file_names_where_its_answers_come_from(cli, bundle, tmp_path):
    pl.DataFrame({'what': ['corn farming', 'dental offices']}).write_csv(tmp_path / 'in.csv')
    expected = Coder.load(bundle).provenance
    for out, more in (('plain.parquet', ()), ('named.parquet', ('--provenance',))):
        arguments = ('--text-column', 'what', '-o', tmp_path / out, '--bundle', bundle, *more)
        assert cli('code', tmp_path / 'in.csv', *arguments).status == 0
        metadata = pl.read_parquet_metadata(tmp_path / out)
        said = [value for name, value in metadata.items() if 'naics' in name]
        assert [json.loads(value) for value in said] == [expected.lasting()], 'without the time'
    plain, named = (pl.read_parquet(tmp_path / out) for out in ('plain.parquet', 'named.parquet'))
    added = {f'naics_{name}' for name in FIELDS}
    assert set(named.columns) - set(plain.columns) == added
    first = named.row(0, named=True)
    assert {name: first[f'naics_{name}'] for name in expected.lasting()} == expected.lasting()
    assert first['naics_time'] is not None


def test_a_file_is_coded_in_bfloat16_where_that_is_faster(cli, bundle, tmp_path):
    pl.DataFrame({'what': ['corn farming', 'dental offices']}).write_csv(tmp_path / 'in.csv')

    def coded(precision, *more):
        out = tmp_path / 'out.parquet'
        arguments = ('--text-column', 'what', '-o', out, '--bundle', bundle)
        done = cli(
            'code', tmp_path / 'in.csv', *arguments, '--force', '--precision', precision, *more
        )
        return done, pl.read_parquet(out) if done.status == 0 else None

    _, exact = coded('float32')
    done, rough = coded('bfloat16')
    if rough is None:
        assert done.status == 2
        assert 'bfloat16 takes' in done.err
        assert 'use precision float32, or auto' in done.err
        _, rough = coded('auto')
    assert exact['naics_code'].to_list() == rough['naics_code'].to_list()
    change = (exact['naics_probability'] - rough['naics_probability']).abs().max()
    assert (0 < change < 0.02) if done.status == 0 else change < 1e-6
    wrong, _ = coded('float8')
    assert wrong.status == 2
    assert 'precision must be one of float32, bfloat16' in wrong.err


def test_several_columns_of_texts(cli, bundle, tmp_path):
    frame = pl.DataFrame({'name': ['Miller LLC', 'Sato Inc'], 'what': ['corn farming', None]})
    frame.write_csv(tmp_path / 'in.csv')
    out = tmp_path / 'out.csv'
    texts = ('--text-column', 'name', '--text-column', 'what')
    done = cli('code', tmp_path / 'in.csv', *texts, '-o', out, '--bundle', bundle)
    assert done.status == 0, done.err
    assert 'texts are name (weight 0.2), what (weight 1)' in done.err
    assert pl.read_csv(out, infer_schema=False)['naics_code'][0] == '111150'
    wrong = cli(
        'code', tmp_path / 'in.csv', *texts, '--weight', 'x=1', '-o', out, '--bundle', bundle
    )
    assert (wrong.status, '--weight' in wrong.err) == (2, True)


def test_a_query_is_coded(cli, bundle, tmp_path, monkeypatch):
    database = sqlite3.connect(tmp_path / 'firms.db')
    database.execute('create table firms (id integer, what text)')
    database.executemany('insert into firms values (?, ?)', [(1, 'corn farming'), (2, 'x')])
    database.commit()
    database.close()
    address = f'sqlite:///{tmp_path}/firms.db'
    out = tmp_path / 'out.parquet'
    query = ('--query', 'select * from firms where id = 1', '--text-column', 'what')
    arguments = (*query, '-o', out, '--bundle', bundle)
    done = cli('code', *arguments, '--connection', address)
    assert done.status == 0, done.err
    assert pl.read_parquet(out)['naics_code'].to_list() == ['111150']
    assert pl.read_parquet(out)['id'].to_list() == [1]
    assert 'needs --connection' in cli('code', *arguments).err
    monkeypatch.setenv('NAICS_EMBED_CONNECTION', address)
    assert cli('code', *arguments, '--force').status == 0
    assert 'name a file, or a query' in cli('code', '-o', out, '--bundle', bundle).err
    assert 'name a file, or a query' in cli('code', 'in.csv', *arguments).err


def test_addresses_are_read_and_written(cli, bundle, tmp_path):
    with fsspec.open('memory://coding/in.csv', 'wt') as stream:
        stream.write('what\ncorn farming\n')
    arguments = ('--text-column', 'what', '-o', 'memory://coding/out.csv', '--bundle', bundle)
    done = cli('code', 'memory://coding/in.csv', *arguments)
    assert done.status == 0, done.err
    with fsspec.open('memory://coding/out.csv', 'rt') as stream:
        assert '111150' in stream.read()
    assert 'exists' in cli('code', 'memory://coding/in.csv', *arguments).err
    assert cli('code', 'memory://coding/in.csv', *arguments, '--force').status == 0


def test_a_file_is_opened_once(cli, bundle, tmp_path, monkeypatch):
    from naics_embed.search import bulk

    pl.DataFrame({'what': ['corn farming']}).write_excel(tmp_path / 'in.xlsx')
    opened = []
    monkeypatch.setattr(bulk, 'open_table', lambda *given: opened.append(given) or _open(*given))
    arguments = ('--text-column', 'what', '-o', tmp_path / 'out.csv', '--bundle', bundle)
    assert cli('code', tmp_path / 'in.xlsx', *arguments).status == 0
    assert len(opened) == 1


def test_progress_is_told_in_a_log(cli, bundle, tmp_path):
    pl.DataFrame({'what': ['corn farming'] * 6}).write_csv(tmp_path / 'in.csv')
    arguments = ('--text-column', 'what', '-o', tmp_path / 'out.csv', '--bundle', bundle)
    more = ('--part-rows', 2, '--log-every', 1e-6)
    done = cli('code', tmp_path / 'in.csv', *arguments, *more)
    lines = [line for line in done.err.splitlines() if 'of about 6 rows' in line]
    assert [line.partition(' of')[0] for line in lines] == [
        'naics-embed: 2',
        'naics-embed: 4',
        'naics-embed: 6',
    ]
    assert 'a second' in lines[1]
    assert 'left' in lines[1]
    quiet = cli('code', tmp_path / 'in.csv', *arguments, '--force', '--log-every', 0)
    assert 'of about' not in quiet.err


def test_similar(cli, bundle):
    rows = json.loads(cli('similar', '111150', '-k', 3, '--json', '--bundle', bundle).out)
    assert len(rows) == 3
    assert rows[0]['distance'] <= rows[1]['distance']
    assert 'tree distance' in cli('similar', '111150', '--bundle', bundle).out
    wrong = cli('similar', '511210', '--bundle', bundle)
    assert wrong.status == 2
    assert 'became 513210' in wrong.err


def test_compare(cli, bundle):
    done = cli('compare', '111110', '111120', '--bundle', bundle)
    assert 'common ancestor   1111 Oilseed and Grain Farming' in done.out
    assert '111120 sends "Growing soybeans" to 111110' in done.out
    content = json.loads(cli('compare', '111110', '722511', '--json', '--bundle', bundle).out)
    assert content['common'] is None
    assert content['redirections'] == []


def test_concord(cli, bundle, tmp_path):
    rows = json.loads(cli('concord', '511210', '111110', '--json').out)
    assert [row['target'] for row in rows] == ['513210', '111110']
    assert {row['fraction_method'] for row in rows} == {'exact'}
    split = json.loads(
        cli('concord', '541870', '--fractions', 'text', '--json', '--bundle', bundle).out
    )
    assert sum(row['fraction'] for row in split) == pytest.approx(1)
    out = tmp_path / 'concordance.csv'
    assert cli('concord', '--from', 2022, '--to', 2017, '-o', out).status == 0
    assert pl.read_csv(out, infer_schema=False)['source'].n_unique() == 1012
    assert cli('concord', '--from', 2012, '--to', 2017, '517110', '--json').status == 0
    assert cli('concord', '--from', 2007).status == 2


def test_classifications_are_listed(cli):
    rows = json.loads(cli('classifications', '--json').out)
    assert [row['name'] for row in rows][:3] == ['naics2022', 'naics2017', 'naics2012']
    assert rows[-1]['name'] == 'sic1987'
    assert (rows[0]['codes'], rows[0]['deepest'], rows[-1]['levels']) == (2125, 1012, '1-4')


def test_concord_between_any_two(cli, tmp_path):
    ends = ('--from', 'sic', '--to', 'NACE Rev. 2.1')
    done = cli('concord', '7371', '9999', *ends, '--json')
    assert done.status == 0
    assert '9999 of SIC 1987 has no counterpart in NACE Rev. 2.1' in done.err
    assert {row['target'] for row in json.loads(done.out)} == {'62.10'}
    steps = json.loads(cli('concord', '7371', *ends, '--steps', '--json').out)
    assert [step['target_classification'] for step in steps][:2] == ['naics2017', 'isic4']
    shown = cli('concord', '7371', '--from', 'sic', '--steps').out
    assert 'sic1987' in shown
    assert 'exact' in shown
    out = tmp_path / 'all.csv'
    done = cli('concord', '--from', 'sic', '-o', out)
    assert '1 codes have no counterpart in NAICS 2022: 9999' in done.err
    assert pl.read_csv(out, infer_schema=False)['source'].n_unique() == 1004
    levels = json.loads(
        cli('concord', '541511', '--from', 2022, '--to', 'isic4', '--level', 1, '--json').out
    )
    assert [row['target'] for row in levels] == ['J']
    assert cli('concord', '541511', '--from', 'isic9').status == 2


def test_concord_with_counts_and_totals(cli, tmp_path):
    counts, totals = tmp_path / 'counts.csv', tmp_path / 'totals.csv'
    counts.write_text('source,target,weight\n7379,541512,3\n7379,541519,1\n7379,111110,1\n')
    ends = ('7379', '--from', 'sic', '--json')
    done = cli('concord', *ends, '--weights', counts)
    assert {r['target']: r['fraction'] for r in json.loads(done.out)} == {
        '541512': 0.75,
        '541519': 0.25,
    }
    assert '1 row is left out, with a pair that no table has (row 3: 7379 → 111110)' in done.err
    totals.write_text(
        'classification,code,weight\nsic1987,7379,10\nnaics2022,518210,1\nnaics2022,541512,4\n'
        'naics2022,541519,5\n'
    )
    done = cli('concord', *ends, '--totals', totals)
    rows = json.loads(done.out)
    assert {r['target']: round(r['fraction'], 6) for r in rows} == {
        '518210': 0.1,
        '541512': 0.4,
        '541519': 0.5,
    }
    assert {r['fraction_method'] for r in rows} == {'fitted'}
    assert 'codes with several counterparts have no total' in done.err


def test_codes_across_classifications(cli, bundle):
    near = json.loads(
        cli('similar', '111160', '--to', 'isic4', '-k', 2, '--json', '--bundle', bundle).out
    )
    assert (near[0]['code'], near[0]['fraction']) == ('0112', 1.0)
    assert 'Growing of rice' in cli('similar', '111160', '--to', 'isic4', '--bundle', bundle).out
    compared = cli('compare', '0112', '111160', '--from', 'isic4', '--to', 2022, '--bundle', bundle)
    assert 'part of 0112 in 111160: 100.0%' in compared.out
    content = json.loads(
        cli('compare', '0112', '0111', '--from', 'isic4', '--json', '--bundle', bundle).out
    )
    assert content['second']['code'] == '0111'
    assert cli('similar', '9810', '--from', 'isic4', '--bundle', bundle).status == 2


def test_texts_get_codes_of_any_classification(cli, bundle, tmp_path):
    source, out = tmp_path / 'in.csv', tmp_path / 'out.csv'
    source.write_text('text\ncorn farming\n')
    done = cli('code', source, '--classification', 'isic4', '-o', out, '--bundle', bundle)
    assert done.status == 0, done.err
    assert len(pl.read_csv(out, infer_schema=False)['isic4_code'][0]) == 4
    wrong = cli('code', source, '--classification', 'isic4', '--level', 6, '-o', out)
    assert 'level must be one of 1, 2, 3, 4, not 6' in wrong.err or wrong.status == 2
    [answer] = json.loads(
        cli('search', 'corn farming', '--classification', 'sic', '--json', '--bundle', bundle).out
    )
    assert answer['classification'] == 'sic1987'
    assert [step['level'] for step in answer['path']] == [1, 2, 3, 4]
    by_distance = cli('search', 'corn', '--classification', 'sic', '--distance', '--bundle', bundle)
    assert '--distance ranks codes of naics2022 only' in by_distance.err


def test_one_wrong_code_ends_nothing(cli):
    done = cli('concord', '5112', '541599', '5415', '--json')
    assert done.status == 0
    assert [row['target'] for row in json.loads(done.out)] == ['5132', '5415']
    assert '541599 is not a code of NAICS 2017; under 5415 there are 541511' in done.err
    assert cli('concord', '999999').status == 2


def test_a_column_is_translated(cli, tmp_path):
    source, out = tmp_path / 'in.csv', tmp_path / 'out.xlsx'
    source.write_text('firm;naics\nA;517110\nB;9x9\n')
    arguments = ('--column', 'naics', '--from', 2012)
    done = cli('concord', source, *arguments, '-o', out)
    assert done.status == 0, done.err
    assert 'read as UTF-8, semicolons' in done.err
    assert '2 rows written to' in done.err
    assert '1 no code, 1 translated' in done.err
    assert "1 values are not codes of NAICS 2012, such as '9x9'" in done.err
    rows = pl.read_excel(out, infer_schema_length=0)
    assert rows['naics2022_code'].to_list() == ['517111', None]
    assert 'exists' in cli('concord', source, *arguments, '-o', out).err
    assert cli('concord', source, *arguments).status == 2, 'no output is named'


def test_a_code_is_shown_with_its_card(cli, bundle):
    done = cli('search', '111120', '-k', 3, '--bundle', bundle)
    assert done.status == 0, done.err
    assert '111120  Oilseed (except Soybean) Farming  (NAICS 2022)' in done.out
    assert '1111   Oilseed and Grain Farming' in done.out
    assert 'Growing soybeans → 111110' in done.out
    assert done.out.count('distance') == 3
    card, answer = json.loads(
        cli('search', '31-33', 'corn farming', '--json', '-k', 2, '--bundle', bundle).out
    )
    assert (card['text'], card['code']['code'], card['code']['official']) == (
        '31-33',
        '31',
        '31-33',
    )
    assert len(card['code']['children']) == 21
    assert answer['hits'][0]['title'] == 'Corn Farming'
    wrong = cli('search', '517110', '--bundle', bundle)
    assert wrong.status == 2
    assert 'it is a code of NAICS 2012 that became 517111' in wrong.err


def test_cluster(cli, bundle, tmp_path):
    out = tmp_path / 'clusters.parquet'
    arguments = ('--method', 'agglomerative', '--level', 4, '--bundle', bundle)
    assert cli('cluster', '-k', 7, '-o', out, *arguments).status == 0
    assert pl.read_parquet(out)['cluster'].n_unique() == 7
    assert cli('cluster', '-k', 999, *arguments).status == 2


@pytest.mark.parametrize('name', ['projector', 'safetensors'])
def test_export_formats(cli, bundle, tmp_path, name):
    out = tmp_path / f'table.{name}'
    done = cli('export', '-o', out, '--format', name, '--bundle', bundle)
    assert done.status == 0
    assert out.exists()
    again = cli('export', '-o', out, '--format', name, '--bundle', bundle)
    assert again.status == (2 if name == 'projector' else 0)
