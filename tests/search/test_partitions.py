"""Plans of partitions, and coding of one: spans, exactly once, no row lost."""

import csv
import os
from dataclasses import replace

import polars as pl
import pyarrow.parquet as pq
import pytest
from pyarrow.dataset import dataset

from naics_embed.artifacts import read_json
from naics_embed.errors import ArtifactError, UserError
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.coding_options import coding_options
from naics_embed.search.partitions import (
    PartitionSettings,
    bundle_key,
    code_partition,
    discard_temporary,
    manifest_of,
    plan_partitions,
)
from naics_embed.search.prior_column import PriorColumn
from naics_embed.tabular.open import open_table

SETTINGS = PartitionSettings('what', 6, 0.8, 3)


@pytest.fixture
def code(coder):
    """Code all partitions of a plan; how often the coder was asked for is in ``code.loads``."""

    def run(source, out, settings=SETTINGS, rows=100):
        def load():
            run.loads += 1
            return coder

        key = bundle_key(coder.searcher.bundle)
        plan = plan_partitions(str(source), out, rows)
        return [code_partition(one, out, settings, key, load) for one in plan]

    run.loads = 0
    return run


def awkward_csv(path):
    """Line breaks in fields, both kinds of line ends, a byte order mark, bytes of no UTF-8."""
    path.write_bytes(
        b'\xef\xbb\xbfid,what\r\n0,"corn\nfarming"\r\n1,caf\xe9\n2,"dental ""x"" offices"\n\n'
        b'4,shoe repair\r5,"soy\r\nbeans"\n6,\xe5\xaf\xbf\xe5\x8f\xb8\n7,b,c\n'
    )


@pytest.mark.parametrize('rows', [1, 2, 3, 7, 8, 100])
def test_spans_of_a_csv_file_are_the_file(tmp_path, rows):
    source = tmp_path / 'in.csv'
    awkward_csv(source)
    table = open_table(source)
    [whole] = table.parts(1000)
    spans = table.spans(rows)
    assert [span.first for span in spans] == list(range(0, 8, rows))
    parts = [part for span in spans for part in table.parts(2, span)]
    assert [row for part in parts for row in part.rows] == whole.rows
    assert [fault for part in parts for fault in part.faults] == whole.faults
    with source.open(encoding='utf-8-sig', errors='surrogateescape', newline='') as stream:
        assert [row[1] if row else '' for row in list(csv.reader(stream))[1:]] == whole.column(
            'what'
        )


@pytest.mark.parametrize('rows', [1, 4, 5, 9, 100])
def test_spans_of_a_parquet_file_are_the_file(tmp_path, rows):
    source = tmp_path / 'in.parquet'
    frame = pl.DataFrame({'id': range(20), 'what': [f'text {i}' for i in range(20)]})
    pq.write_table(frame.to_arrow(), source, row_group_size=6)
    spans = open_table(source).spans(rows)
    parts = [part for span in spans for part in open_table(source).parts(4, span)]
    assert [text for part in parts for text in part.column('what')] == frame['what'].to_list()
    assert max(len(part) for part in parts) <= 4
    assert sum(span.rows for span in spans) == 20


def test_a_single_file_is_divided_and_coded_once(code, tmp_path):
    source, out = tmp_path / 'in.csv', tmp_path / 'out'
    awkward_csv(source)
    reports = code(source, out, rows=3)
    assert [(r.name, r.rows, r.bad) for r in reports] == [
        ('part-00000.parquet', 3, 1),
        ('part-00001.parquet', 3, 1),
        ('part-00002.parquet', 2, 1),
    ]
    rows = pl.concat([pl.read_parquet(out / r.name) for r in reports])
    assert rows['id'].to_list() == ['0', '1', '2', '', '4', '5', '6', '7']
    assert rows['naics_error'].is_null().to_list() == [True, False, True, False, *[True] * 3, False]
    assert rows['naics_code'].is_null().to_list() == [
        fault is not None for fault in rows['naics_error'].to_list()
    ]
    assert (code.loads, [r.kept for r in code(source, out, rows=3)]) == (3, [True] * 3)
    assert code.loads == 3, 'what is coded needs no coder'
    assert dataset(out).count_rows() == 8, 'the folder of manifests is no data'


def test_what_changed_or_broke_is_coded_again(code, tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    for name in ('a', 'b', 'c'):
        pl.DataFrame({'what': ['corn farming', f'shop {name}']}).write_parquet(
            source / f'{name}.parquet'
        )
    (source / '_SUCCESS').touch()
    code(source, out)
    first = {name: (out / f'{name}.parquet').read_bytes() for name in 'abc'}
    with (out / 'a.parquet').open('r+b') as stream:
        stream.seek(10)
        stream.write(b'?')
    pl.DataFrame({'what': ['shoe repair']}).write_parquet(source / 'b.parquet')
    assert [r.kept for r in code(source, out)] == [False, False, True]
    assert (out / 'a.parquet').read_bytes() == first['a']
    assert pl.read_parquet(out / 'b.parquet')['what'].to_list() == ['shoe repair']
    manifest = read_json(manifest_of(out, 'a.parquet'))
    assert {'sha256', 'span'} == set(manifest['input'])
    assert (manifest['rows'], manifest['bad'], manifest['level']) == (2, 0, 6)
    manifest_of(out, 'c.parquet').write_text('{')
    assert [r.kept for r in code(source, out)] == [True, True, False]
    other = PartitionSettings('what', 4, 0.8, 3)
    assert [r.kept for r in code(source, out, other)] == [False] * 3
    assert pl.read_parquet(out / 'c.parquet')['naics_code'].str.len_chars().to_list() == [4, 4]
    larger = PartitionSettings('what', 4, 0.8, 64)
    assert all(r.kept for r in code(source, out, larger)), 'rows in memory change no answer'


def test_another_bundle_is_not_used_by_mistake(coder, tmp_path):
    source = tmp_path / 'in.parquet'
    pl.DataFrame({'what': ['corn farming']}).write_parquet(source)
    [partition] = plan_partitions(str(source), tmp_path / 'out', 10)
    with pytest.raises(ArtifactError, match='exported again'):
        code_partition(partition, tmp_path / 'out', SETTINGS, 'another', lambda: coder)
    assert not (tmp_path / 'out' / 'part-00000.parquet').exists()


def test_a_file_that_changes_meanwhile_is_not_believed(coder, tmp_path):
    source, out = tmp_path / 'in.parquet', tmp_path / 'out'
    pl.DataFrame({'what': ['corn farming']}).write_parquet(source)
    [partition] = plan_partitions(str(source), out, 10)

    def load():
        os.utime(source, ns=(0, 0))
        return coder

    key = bundle_key(coder.searcher.bundle)
    with pytest.raises(UserError, match='was changed while it was read'):
        code_partition(partition, out, SETTINGS, key, load)
    assert list(out.rglob('*.parquet')) == []


def test_an_empty_partition_has_all_columns(code, tmp_path):
    source, out = tmp_path / 'in.parquet', tmp_path / 'out'
    pl.DataFrame({'what': pl.Series([], dtype=pl.String), 'n': pl.Series([], dtype=pl.Int8)})
    frame = pl.DataFrame(schema={'what': pl.String, 'n': pl.Int8})
    frame.write_parquet(source)
    [report] = code(source, out)
    written = pl.read_parquet(out / report.name)
    assert (report.rows, written.height, written['n'].dtype) == (0, 0, pl.Int8)
    assert 'naics_error' in written.columns


def test_inputs_that_cannot_be_meant(tmp_path):
    source = tmp_path / 'in'
    source.mkdir()
    frame = pl.DataFrame({'what': ['x']})
    frame.write_parquet(source / 'a.parquet')
    out = tmp_path / 'out'

    def plan(given, target=out):
        return plan_partitions(str(given), target, 10)

    assert [p.name for p in plan(source / '[a-c].parquet')] == ['a.parquet']
    with pytest.raises(UserError, match='lies in the folder of the input'):
        plan(source, source / 'out')
    with pytest.raises(UserError, match='does not exist'):
        plan(tmp_path / 'none')
    with pytest.raises(UserError, match='has no file in a format that is read'):
        plan(source / '*.csv')
    single = source / 'part-00000.parquet'
    frame.write_parquet(single)
    before = single.read_bytes()
    with pytest.raises(UserError, match=r'part-00000\.parquet is the input'):
        plan(single, source)
    assert single.read_bytes() == before
    single.unlink()
    (tmp_path / 'x.doc').write_text('x')
    with pytest.raises(UserError, match='must end in'):
        plan(tmp_path / 'x.doc')
    out.mkdir()
    frame.write_parquet(out / 'old.parquet')
    with pytest.raises(UserError, match=r'old.parquet is no partition of this input'):
        plan(source)
    (out / 'old.parquet').unlink()
    frame.write_csv(source / 'a.csv')
    with pytest.raises(UserError, match='two files of the input'):
        plan(source)


def test_what_a_killed_process_left_is_removed_and_nothing_else(code, tmp_path):
    source, out = tmp_path / 'in.parquet', tmp_path / 'out'
    pl.DataFrame({'what': ['corn farming', 'shoe repair']}).write_parquet(source)
    (out / '_manifests').mkdir(parents=True)
    for left in ('.part-00000.parquet.x1y2.parquet', '_manifests/.part-00000.parquet.json.z.json'):
        (out / left).write_text('half')
    (out / '.mine.parquet').write_text('mine')
    plan = plan_partitions(str(source), out, 10)
    discard_temporary(out, plan)
    assert [path.name for path in out.rglob('.*')] == ['.mine.parquet']
    [report] = code(source, out)
    assert (report.kept, report.rows) == (False, 2)


def test_prior_codes_are_evidence_in_each_partition_as_in_a_file(code, coder, tmp_path):
    source = tmp_path / 'in.csv'
    texts = ['corn farming', 'dental offices', 'shoe repair', 'soybean farming', 'we sell things']
    old = ['111150', '', '8114//', 'no code', '722511']
    pl.DataFrame({'what': texts, 'old': old}).write_csv(source)
    settings = replace(SETTINGS, prior=PriorColumn('old'))
    [report] = code(source, tmp_path / 'out', settings)
    assert "old: 1 value is not a code, such as 'no code'" in report.notes[-2]
    manifest = read_json(manifest_of(tmp_path / 'out', report.name))
    assert manifest['prior']['name'] == 'old'
    assert manifest['notes'] == list(report.notes)
    job = FileJob(source, 'what', tmp_path / 'file.parquet', part_rows=3, prior=settings.prior)
    code_file(coder, job)
    own = pl.read_parquet(tmp_path / 'out' / report.name)
    assert own.equals(pl.read_parquet(job.out))
    [plain] = code(source, tmp_path / 'plain')
    without = pl.read_parquet(tmp_path / 'plain' / plain.name)
    assert own['naics_probability'][4] != without['naics_probability'][4]
    assert own['naics_probability'][1] == pytest.approx(without['naics_probability'][1])
    [again] = code(source, tmp_path / 'out', settings)
    assert (again.kept, again.notes) == (True, report.notes)
    [other] = code(source, tmp_path / 'out', replace(settings, prior=PriorColumn('old', 2017)))
    assert not other.kept, 'another vintage'
    with pytest.raises(UserError, match="no column 'older'"):
        code(source, tmp_path / 'out', replace(settings, prior=PriorColumn('older')))


def test_prior_codes_of_a_span_are_those_of_its_rows(code, tmp_path):
    source = tmp_path / 'in.csv'
    pl.DataFrame({'what': ['corn farming'] * 4, 'old': ['x1', 'x2', '111150', '']}).write_csv(
        source
    )
    settings = replace(SETTINGS, prior=PriorColumn('old'))
    first, second = code(source, tmp_path / 'out', settings, rows=2)
    assert 'old: 2 values are not codes' in first.notes[-2]
    assert not any('are not codes' in note for note in second.notes)


def test_codes_of_another_classification(code, coder, tmp_path):
    source = tmp_path / 'in.csv'
    pl.DataFrame({'what': ['corn farming', 'dental offices']}).write_csv(source)
    options = coding_options(level=None, confidence=0.8, classification='ISIC Rev. 4', top=2)
    settings = PartitionSettings('what', options.level, 0.8, 3, columns=options.columns)
    [report] = code(source, tmp_path / 'out', settings)
    frame = pl.read_parquet(tmp_path / 'out' / report.name)
    answers = coder.search(frame['what'].to_list(), k=2, classification='isic4')
    assert frame['isic4_code'].to_list() == [answer.hits[0].official for answer in answers]
    assert frame['isic4_code_2'].to_list() == [answer.hits[1].official for answer in answers]
    assert [len(code) for code in frame['isic4_code']] == [4, 4]
