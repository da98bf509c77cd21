"""What only the pages need: two codes side by side, tables, the map, the texts of codes."""

import io
import re

import fastexcel
import polars as pl
import pytest
from fastapi.testclient import TestClient

from naics_embed.artifacts import MANIFEST, read_json
from naics_embed.bundle.storage import CODER
from naics_embed.search.code_table import CodeTable
from naics_embed.search.code_texts import CODE_TEXTS, CodeTexts
from naics_embed.service.guard import HEADERS
from tests.service.service_help import is_problem
from tests.tiny_bundle import DESCRIPTION, change_manifest, write_tiny_bundle, write_tiny_encoder


def compare(client, first: str, second: str, q: str | None = None) -> dict:
    given = {'first': first, 'second': second} | ({} if q is None else {'q': q})
    answer = client.get('/v1/compare', params=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_two_codes_side_by_side(client, engine):
    found = compare(client, '111150', '111140', 'corn farming')
    first, second = found['first'], found['second']
    assert (first['official'], second['official']) == ('111150', '111140')
    assert found['common']['official'] == '1111'
    assert found['tree_distance'] == 4
    assert first['cues'] == ['corn'], 'farming is in both'
    assert second['cues'] == []
    assert (first['deciding_words'], second['deciding_words']) == (['corn'], ['wheat'])
    [answer] = engine.coder.search('corn farming', k=50, evidence=3)
    [own] = [e for hit, e in zip(answer.hits, answer.evidence, strict=True) if hit.code == '111150']
    assert first['evidence']['texts'][0]['text'] == own.texts[0][0] == 'Corn Farming'


def test_cross_references_count_in_both_directions(client):
    for first, second in (('111120', '111110'), ('111110', '111120'), ('11112', '1111')):
        [one] = compare(client, first, second)['cross_references'][:1]
        assert (one['source']['code'], one['activity']) == ('111120', 'Growing soybeans')
    assert compare(client, '111150', '111140')['cross_references'] == []


def test_codes_of_other_levels_and_sectors(client):
    found = compare(client, '31-33', '541511', 'software')
    assert found['common'] is None
    assert found['first']['evidence'] is None
    assert found['first']['deciding_words'] == found['second']['cues'] == []
    assert compare(client, '541511', '541511')['common']['code'] == '541511'


def test_what_cannot_be_compared(client):
    assert (
        'became 513210' in is_problem(client.get('/v1/compare?first=511210&second=11'), 404).detail
    )
    is_problem(client.get('/v1/compare?first=11'), 422)
    is_problem(client.get('/v1/compare?first=11&second=21&q=%20'), 422)


def test_a_card_has_the_texts_of_its_code(client):
    texts = client.get('/v1/codes/111150').json()['texts']
    assert texts == {
        'description': DESCRIPTION,
        'examples': ['Sweet corn farming', 'Popcorn farming'],
        'index_entries': ['Corn farming, field', 'Popcorn'],
        'known_texts': ['Corn Farming'],
    }
    assert client.get('/v1/codes/11').json()['texts']['description'] is None


def test_a_bundle_of_before_has_known_texts_only(tmp_path):
    path = write_tiny_bundle(
        tmp_path / 'bundle', write_tiny_encoder(tmp_path / 'encoder'), coder=True
    )
    files = read_json(path / MANIFEST)['files']
    del files[f'{CODER}/{CODE_TEXTS}']
    change_manifest(path, files=files)
    (path / CODER / CODE_TEXTS).unlink()
    table = CodeTable.load(path)
    assert table.texts('111150') == CodeTexts(known_texts=('Corn Farming',))
    assert table.texts('11') == CodeTexts()


def read(client: TestClient, name: str, content: bytes):
    return client.post('/v1/table', params={'name': name}, content=content)


def test_a_table_is_read_whatever_its_dialect(client):
    rows = {'columns': ['id', 'what'], 'rows': [['1', 'soup; bread'], ['2', 'café']]}
    text = 'id;what\n1;"soup; bread"\n2;café\n'
    for content in (text.encode(), text.encode('utf-16'), b'\xef\xbb\xbf' + text.encode()):
        found = read(client, 'a.csv', content).json()
        assert {name: found[name] for name in rows} == rows
    book = io.BytesIO()
    pl.DataFrame({'id': [1, 2], 'what': ['soup; bread', 'café']}).write_excel(book)
    found = read(client, 'a.xlsx', book.getvalue())
    # The limit of these tests is smaller than a workbook.
    assert found.status_code == (200 if len(book.getvalue()) <= 4096 else 413)


def test_workbooks_there_and_back(serve):
    client = serve(max_body_bytes=100_000)
    table = {'columns': ['what', 'naics_code'], 'rows': [['=1+1', '111150'], ['soup', '']]}
    answer = client.post('/v1/workbook', json=table)
    assert answer.status_code == 200
    sheet = fastexcel.read_excel(answer.content).load_sheet(0, dtypes='string').to_polars()
    assert sheet.columns == table['columns']
    assert sheet['what'].to_list() == ['=1+1', 'soup'], 'a text, not a formula'
    found = read(client, 'back.xlsx', answer.content).json()
    assert (found['columns'], found['rows']) == (table['columns'], table['rows'])
    is_problem(client.post('/v1/workbook', json={'columns': ['a'], 'rows': [['1', '2']]}), 422)


def test_tables_that_are_refused_say_what_to_do(serve):
    client = serve(max_rows=3)
    assert 'naics-embed code' in is_problem(read(client, 'a.csv', b'a\n1\n2\n3\n4\n'), 413).detail
    assert read(client, 'a.csv', b'a\n1\n2\n3\n').status_code == 200
    assert 'must end in one of .csv' in is_problem(read(client, 'a.pdf', b'%PDF'), 422).detail
    assert 'is empty' in is_problem(read(client, 'a.csv', b''), 422).detail
    damaged = is_problem(read(client, 'a.xlsx', b'PK\x03\x04' + b'\0' * 99), 422).detail
    assert 'corrupt' in damaged
    for answer in (read(client, 'a.xlsx', b'no workbook'), read(client, 'a.csv', b'\xff\xfe\0')):
        assert '/tmp' not in is_problem(answer, 422).detail
    assert (
        'at most 3'
        in is_problem(
            client.post('/v1/workbook', json={'columns': ['a'], 'rows': [['1']] * 4}), 413
        ).detail
    )


def test_the_map_runs_its_own_scripts_only(client):
    answer = client.get('/atlas')
    policy = answer.headers['content-security-policy']
    assert 'unsafe' not in policy
    assert re.search(r"script-src 'sha256-[\w+/]+=*'", policy)
    assert {'x-frame-options', 'x-content-type-options'} <= set(answer.headers)
    assert 'class="back"' in answer.text
    plain = client.get('/').headers['content-security-policy']
    assert plain == HEADERS['Content-Security-Policy']


@pytest.mark.parametrize('word', ['corn', 'dentists'])
def test_the_map_finds_codes_by_words_of_known_texts(client, word):
    assert f'"{word}"' in client.get('/atlas').text
