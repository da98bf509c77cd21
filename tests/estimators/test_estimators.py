import pickle
from unittest import SkipTest

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import naics_embed
from naics_embed.errors import CodeError, UserError
from naics_embed.estimators.coordinates import NaicsCoordinates
from naics_embed.estimators.text import NaicsTextEncoder
from naics_embed.geometry.lorentz import log0
from naics_embed.search.code_table import CodeTable
from naics_embed.search.searcher import Searcher
from tests.tiny_bundle import SPACE

CODES = ['111110', '31-33', '5413', '722511']
TEXTS = ['corn farming', 'dental office', 'corn farming']

NOT_APPLICABLE = {
    'check_complex_data': 'a complex number is an unknown code',
    'check_fit1d': 'one column may come without a second dimension',
}


@pytest.fixture(scope='module')
def table(bundle_path) -> CodeTable:
    return CodeTable.load(bundle_path)


@pytest.fixture
def coordinates(bundle_path) -> NaicsCoordinates:
    return NaicsCoordinates(bundle_path)


@pytest.fixture
def encoder(bundle_path) -> NaicsTextEncoder:
    return NaicsTextEncoder(bundle_path)


def test_checks_of_scikit_learn(bundle_path):
    failed = {}
    passed = 0
    for estimator, check in estimator_checks_generator(NaicsCoordinates(bundle_path)):
        name = check.func.__name__
        if name in NOT_APPLICABLE:
            continue
        try:
            check(estimator)
            passed += 1
        except SkipTest:
            continue
        except Exception as error:  # noqa: BLE001
            failed[name] = f'{type(error).__name__}: {error}'
    assert failed == {}, failed
    assert passed > 40


def wanted(table):
    return table.tangents[[table.position(code) for code in CODES]]


@pytest.mark.parametrize(
    'column',
    [
        CODES,
        [[code] for code in CODES],
        np.array(CODES),
        np.array(CODES, dtype=object)[:, None],
        pd.Series(CODES, name='naics'),
        pd.DataFrame({'naics': CODES}),
        pl.Series('naics', CODES),
        pl.DataFrame({'naics': CODES}),
    ],
    ids=['list', 'rows', 'array', 'objects', 'series', 'pandas', 'polars series', 'polars'],
)
def test_codes_in_any_container(coordinates, table, column):
    np.testing.assert_array_equal(coordinates.fit_transform(column), wanted(table))


@pytest.mark.parametrize('value', [111110, 111110.0, ' 111110 ', np.int64(111110)])
def test_codes_in_any_spelling(coordinates, table, value):
    found = coordinates.fit(CODES).transform([value])
    np.testing.assert_array_equal(found[0], table.tangents[table.position('111110')])


def test_several_columns_stand_side_by_side(coordinates, table):
    frame = pd.DataFrame({'buyer': CODES, 'seller': CODES[::-1]})
    found = coordinates.fit_transform(frame)
    np.testing.assert_array_equal(found, np.hstack([wanted(table), wanted(table)[::-1]]))
    names = coordinates.get_feature_names_out()
    assert list(names[:2]) == ['buyer_x00', 'buyer_x01']
    assert names[SPACE.dim] == 'seller_x00'


@pytest.mark.parametrize('value', [None, np.nan, '', '  ', pd.NA, pd.NaT])
def test_missing_codes(bundle_path, value):
    column = ['111110', value]
    assert np.isnan(NaicsCoordinates(bundle_path).fit_transform(column)[1]).all()
    origin = NaicsCoordinates(bundle_path, missing='origin').fit_transform(column)
    assert (origin[1] == 0).all()
    with pytest.raises(UserError, match='row 1: the code is missing'):
        NaicsCoordinates(bundle_path, missing='error').fit_transform(column)


def test_unknown_codes(bundle_path, table):
    column = ['111119', '999999', 'farm']
    found = NaicsCoordinates(bundle_path).fit_transform(column)
    np.testing.assert_array_equal(found[0], table.tangents[table.position('11111')])
    assert np.isnan(found[1:]).all()
    assert np.isnan(NaicsCoordinates(bundle_path, unknown='nan').fit_transform(column)).all()
    with pytest.raises(CodeError, match="column 0, row 0: '111119' is not a code"):
        NaicsCoordinates(bundle_path, unknown='error').fit_transform(column)


@pytest.mark.parametrize('parameters', [{'unknown': 'x'}, {'missing': 'x'}])
def test_unknown_policies(bundle_path, parameters):
    with pytest.raises(UserError, match='must be one of'):
        NaicsCoordinates(bundle_path, **parameters).fit(CODES)


def test_set_output(coordinates, encoder):
    frame = pd.DataFrame({'naics': CODES}, index=[3, 1, 4, 2])
    out = coordinates.set_output(transform='pandas').fit_transform(frame)
    assert list(out.columns)[:2] == ['naics_x00', 'naics_x01']
    assert list(out.index) == [3, 1, 4, 2]
    out = encoder.set_output(transform='polars').fit_transform(pl.DataFrame({'what': TEXTS}))
    assert isinstance(out, pl.DataFrame)
    assert out.columns[0] == 'what_x00'


def test_columns_must_be_those_of_the_fit(coordinates):
    coordinates.fit(pd.DataFrame({'a': CODES, 'b': CODES}))
    with pytest.raises(ValueError, match='X has 1 features, but NaicsCoordinates is expecting 2'):
        coordinates.transform(pd.DataFrame({'a': CODES}))
    with pytest.raises(ValueError, match='feature names should match'):
        coordinates.transform(pd.DataFrame({'b': CODES, 'a': CODES}))
    with pytest.raises(ValueError, match='input_features'):
        coordinates.get_feature_names_out(['x', 'y'])


def test_nothing_without_a_fit(coordinates, encoder):
    for transformer in (coordinates, encoder):
        with pytest.raises(NotFittedError):
            transformer.transform(['111110'])


def test_a_pipeline_from_codes_to_a_metric(bundle_path):
    frame = pd.DataFrame({'naics': CODES * 5, 'size': range(20), 'text': ['corn farming'] * 20})
    y = np.arange(20.0)
    model = make_pipeline(
        ColumnTransformer(
            [
                ('codes', NaicsCoordinates(bundle_path), ['naics']),
                ('texts', NaicsTextEncoder(bundle_path), 'text'),
                ('size', 'passthrough', ['size']),
            ]
        ),
        SimpleImputer(),
        StandardScaler(),
        Ridge(),
    )
    fitted = clone(model).fit(frame, y)
    assert fitted.score(frame, y) > 0.9
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(again.predict(frame), fitted.predict(frame))
    assert len(pickle.dumps(fitted)) < 2_000_000


def test_texts_are_where_the_searcher_puts_them(encoder, bundle_path):
    searcher = Searcher.load(bundle_path)
    points = log0(searcher.encode(TEXTS), c=SPACE.curvature).numpy()
    np.testing.assert_allclose(encoder.fit_transform(TEXTS), points)


def test_missing_texts(bundle_path):
    column = ['corn farming', None, ' ']
    found = NaicsTextEncoder(bundle_path).fit_transform(column)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()
    assert not NaicsTextEncoder(bundle_path, missing='origin').fit_transform(column)[1:].any()
    with pytest.raises(UserError, match='row 1: the text is missing'):
        NaicsTextEncoder(bundle_path, missing='error').fit_transform(column)
    with pytest.raises(UserError, match='row 0: the text is not valid Unicode'):
        NaicsTextEncoder(bundle_path).fit_transform(['caf\udce9'])


def test_public_names():
    assert naics_embed.NaicsCoordinates is NaicsCoordinates
    assert naics_embed.NaicsTextEncoder is NaicsTextEncoder
