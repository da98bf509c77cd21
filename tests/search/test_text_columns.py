"""Several texts of a row: which weigh how much, and what they say together."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from benchmarks.company_names import trade_words
from naics_embed.errors import UserError
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.partitions import (
    PartitionSettings,
    bundle_key,
    code_partition,
    plan_partitions,
)
from naics_embed.search.several_texts import pooled, search_several
from naics_embed.search.text_columns import (
    NAME_WEIGHT,
    TextColumn,
    describe,
    row_texts,
    text_columns,
)
from naics_embed.tabular.part import Part


def test_a_column_of_names_weighs_less_unless_it_is_alone():
    both = text_columns(['Company Name', 'activity'])
    assert both == (TextColumn('Company Name', NAME_WEIGHT), TextColumn('activity', 1.0))
    assert text_columns(['name']) == (TextColumn('name', 1.0),)
    assert text_columns(['name', 'what'], ['name=0.5'])[0].weight == 0.5
    assert describe(both) == 'Company Name (weight 0.2), activity (weight 1)'


@pytest.mark.parametrize('weight', ['what=2', 'what=0', 'what', 'what=x', 'other=0.5'])
def test_weights_that_are_none(weight):
    with pytest.raises(UserError, match='must be COLUMN=WEIGHT'):
        text_columns(['what', 'more'], [weight])


def test_a_column_is_named_once():
    with pytest.raises(UserError, match="'what' is named twice"):
        text_columns(['what', 'what'])


def test_full_columns_are_one_text_and_lighter_ones_stay_apart():
    table = pa.table(
        {
            'name': ['A', None, 'C'],
            'what': ['dog grooming', 'N/A', ''],
            'more': [b'pet shampoo', None, b'dog grooming'],
        }
    )
    found = row_texts(
        Part(table.column_names, table, [None] * 3), text_columns(['name', 'what', 'more'])
    )
    assert found.main == ['dog grooming. pet shampoo', 'N/A', 'dog grooming']
    assert found.lighter == ((NAME_WEIGHT, ['A', None, 'C']),)


def test_the_pool_is_the_weighted_product():
    first, second = np.array([[0.7, 0.2, 0.1]]), np.array([[0.1, 0.8, 0.1]])
    np.testing.assert_allclose(pooled([first], [1.0]), first)
    np.testing.assert_allclose(pooled([first, second], [1.0, 0.0]), first)
    product = first * second**0.5
    np.testing.assert_allclose(pooled([first, second], [1.0, 0.5]), product / product.sum())
    none = np.array([[1.0, 0.0, 0.0]])
    assert np.isfinite(pooled([none, none], [1.0, 1.0])).all()


@pytest.mark.parametrize('level', [2, 4, 6])
def test_one_text_of_full_weight_gets_the_answer_of_the_coder(coder, level):
    texts = ['corn farming', 'dental offices', 'shoe repair', 'motor vehicles']
    wanted = coder.search(texts, k=3, level=level, confidence=0.2)
    found = search_several(coder, [((text, 1.0),) for text in texts], 3, level, 0.2)
    for one, other in zip(found, wanted, strict=True):
        assert [hit.code for hit in one.hits] == [hit.code for hit in other.hits]
        assert [hit.title for hit in one.path] == [hit.title for hit in other.path]
        np.testing.assert_allclose(
            [hit.probability for hit in (*one.hits, *one.path)],
            [hit.probability for hit in (*other.hits, *other.path)],
        )
        assert (one.confident and one.confident.code) == (other.confident and other.confident.code)


def test_a_light_text_changes_little_and_a_heavy_one_much(coder):
    corn, dental = ('corn farming', 1.0), 'offices of dentists'
    alone, light, heavy = (
        search_several(coder, [row], 1, 6, 0.8)[0]
        for row in ((corn,), (corn, (dental, 0.01)), (('corn farming', 0.01), (dental, 1.0)))
    )
    assert light.hits[0].code == alone.hits[0].code
    assert light.hits[0].probability == pytest.approx(alone.hits[0].probability, abs=0.05)
    assert heavy.hits[0].code == coder.search(dental, k=1)[0].hits[0].code


ROWS = {
    'name': ['Miller LLC', 'Corn Farming Inc', 'Miller LLC', None, ''],
    'what': ['corn farming', 'N/A', None, 'dental offices', ' '],
}


def test_a_file_with_two_columns_of_texts(coder, tmp_path):
    source, out = tmp_path / 'in.csv', tmp_path / 'out.parquet'
    pl.DataFrame(ROWS).write_csv(source)
    columns = text_columns(['name', 'what'])
    report = code_file(coder, FileJob(source, columns, out))
    frame = pl.read_parquet(out)
    assert (report.rows, report.bad) == (5, 1)
    assert frame['naics_code'].null_count() == 1
    alone = coder.search('dental offices', k=1)[0].hits[0]
    assert frame['naics_code'][3] == alone.official
    assert frame['naics_probability'][3] == pytest.approx(alone.probability)
    both = search_several(coder, [(('corn farming', 1.0), ('Miller LLC', NAME_WEIGHT))], 1, 6, 0.8)
    assert frame['naics_probability'][0] == pytest.approx(both[0].hits[0].probability)
    # A name alone is weak evidence: flat probabilities.
    name = coder.search('Corn Farming Inc', k=1)[0].hits[0].probability
    assert frame['naics_probability'][1] < name / 2
    assert frame['naics_status'].to_list()[1:] == [*['uncertain'] * 3, 'says nothing']
    assert frame['naics_error'].null_count() == 4


def test_partitions_with_two_columns_of_texts(coder, tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    pl.DataFrame(ROWS).write_csv(source / 'a.csv')
    [partition] = plan_partitions(str(source), out, 100)
    key = bundle_key(coder.searcher.bundle)

    def coded(columns):
        settings = PartitionSettings(columns, 6, 0.8, 100)
        return code_partition(partition, out, settings, key, lambda: coder)

    columns = text_columns(['name', 'what'])
    assert not coded(columns).kept
    assert coded(columns).kept
    assert not coded(text_columns(['name', 'what'], ['name=0.3'])).kept, 'another weight'
    single = tmp_path / 'single.parquet'
    code_file(
        coder, FileJob(source / 'a.csv', text_columns(['name', 'what'], ['name=0.3']), single)
    )
    assert pl.read_parquet(out / 'a.parquet').equals(pl.read_parquet(single))


def test_every_text_column_must_be_there_and_hold_text(coder, tmp_path):
    source = tmp_path / 'in.parquet'
    pl.DataFrame({'what': ['a'], 'n': [1]}).write_parquet(source)
    for names, message in ((['what', 'more'], "no column 'more'"), (['what', 'n'], 'holds int64')):
        with pytest.raises(UserError, match=message):
            code_file(coder, FileJob(source, text_columns(names), tmp_path / 'out.csv'))


def test_a_name_of_a_company_alone_gets_no_code(coder, tmp_path, monkeypatch):
    # The tiny bundle knows too few texts to tell which words name a trade.
    assert not coder.search('Smith & Sons LLC')[0].name_alone
    monkeypatch.setitem(coder.__dict__, '_trade_words', trade_words())
    [none, trade] = coder.search(['Smith & Sons LLC', 'Miller Plumbing Inc'])
    assert (none.name_alone, none.status, trade.name_alone) == (True, 'says nothing', False)
    source, out = tmp_path / 'in.csv', tmp_path / 'out.parquet'
    rows = {
        'name': ['Smith & Sons LLC', 'Ortiz Holdings', 'Miller Plumbing Inc'],
        'what': [None, 'corn farming', None],
    }
    pl.DataFrame(rows).write_csv(source)
    code_file(coder, FileJob(source, text_columns(['name', 'what']), out))
    frame = pl.read_parquet(out)
    assert frame['naics_status'].to_list()[0] == 'says nothing'
    assert 'says nothing' not in frame['naics_status'].to_list()[1:]
    assert frame['naics_code'].is_null().to_list() == [True, False, False]
