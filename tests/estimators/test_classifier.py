import gc
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

import naics_embed
from naics_embed.errors import UserError
from naics_embed.estimators.classifier import NaicsClassifier
from naics_embed.search.coder import Coder
from tests.learning.bundles import ways
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

ASKED = ['animal doctor near the lake', 'hair salon near the lake']


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('classifier')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture(scope='module')
def fitted(bundle):
    return NaicsClassifier(bundle).fit(*ways(4))


def test_it_predicts_what_it_was_shown(fitted):
    assert fitted.predict(ASKED).tolist() == ['541940', '812112']
    p = fitted.predict_proba(ASKED)
    assert p.shape == (2, len(fitted.classes_)) == (2, 1012)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert fitted.classes_[p.argmax(axis=1)].tolist() == ['541940', '812112']
    assert fitted.score(ASKED, ['541940', 812112]) == 1.0
    assert fitted.score(ASKED, ['541940', '111110']) == 0.5
    assert fitted.outcome_.sets[0].texts == 20
    assert fitted.predict([]).shape == (0,)
    assert fitted.predict_proba([]).shape == (0, 1012)


@pytest.mark.parametrize(
    'form', [np.array, pd.Series, pl.Series, lambda x: pd.DataFrame({'t': x}), tuple]
)
def test_texts_in_any_form(fitted, form):
    assert fitted.predict(form(ASKED)).tolist() == ['541940', '812112']


def test_wrong_texts_are_named(fitted, bundle):
    with pytest.raises(UserError, match='text 1 is empty'):
        fitted.predict(['a shop', None])
    with pytest.raises(UserError, match='one column of texts, not 2'):
        fitted.predict(pd.DataFrame({'a': ASKED, 'b': ASKED}))
    with pytest.raises(UserError, match='too few'):
        NaicsClassifier(bundle).fit(ASKED, ['541940', '812112'])
    with pytest.raises(UserError, match='one of each for every text'):
        NaicsClassifier(bundle).fit(ASKED, ['541940'])
    with pytest.raises(NotFittedError):
        NaicsClassifier(bundle).predict(ASKED)


def test_it_is_an_estimator_of_scikit_learn(bundle, fitted):
    assert naics_embed.NaicsClassifier is NaicsClassifier
    assert fitted.get_params() == {'bundle': bundle}
    other = clone(fitted)
    assert other.bundle == bundle
    assert not hasattr(other, 'classes_')
    texts, codes = ways(6)
    scores = cross_val_score(NaicsClassifier(bundle), np.array(texts), np.array(codes), cv=2)
    assert scores.mean() > 0.8


def test_groups_are_heeded(bundle):
    texts, codes = ways(3)
    with pytest.raises(UserError, match='one group'):
        NaicsClassifier(bundle).fit(texts, codes, groups=['one'] * len(texts))


def test_its_folder_goes_with_it(bundle):
    model = NaicsClassifier(bundle).fit(*ways(3))
    first = model._folder
    assert (first / 'bundle').is_dir()
    model.fit(*ways(3))
    second = model._folder
    assert not first.exists()
    del model
    gc.collect()
    assert not second.exists()


def test_a_pickle_holds_the_bundle(fitted):
    content = pickle.dumps(fitted)
    other = pickle.loads(content)
    assert other._folder != fitted._folder
    np.testing.assert_array_equal(other.predict_proba(ASKED), fitted.predict_proba(ASKED))
    folder = other._folder
    del other
    gc.collect()
    assert not folder.exists()
    assert fitted._folder.exists()
    unfitted = pickle.loads(pickle.dumps(clone(fitted)))
    assert unfitted.bundle == fitted.bundle


def test_a_coder_learns(bundle, tmp_path):
    coder = Coder.load(bundle)
    texts, codes = ways(4)
    other, outcome = coder.learn(
        pd.Series(texts), codes, out=tmp_path / 'out', name='mine', groups=texts
    )
    assert other.search(ASKED[0], k=1)[0].hits[0].code == '541940'
    assert outcome.sets[0].name == 'mine'
    assert coder.search(ASKED[0], k=1)[0].hits[0].code != '541940'
    assert other.searcher.bundle.path == tmp_path / 'out'
