"""Texts as callers hand them over."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from naics_embed.errors import UserError
from naics_embed.search.given_texts import as_texts

TEXTS = ['dog grooming', 'roof repair']


@pytest.mark.parametrize(
    'given',
    [
        TEXTS,
        tuple(TEXTS),
        iter(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        pd.Series(TEXTS),
        pl.Series(TEXTS),
        pa.array(TEXTS),
        pa.chunked_array([TEXTS]),
        pd.DataFrame({'what': TEXTS}),
        pl.DataFrame({'what': TEXTS}),
        pa.table({'what': TEXTS}),
    ],
    ids=lambda given: f'{type(given).__module__}.{type(given).__name__}',
)
def test_columns_of_every_kind(given):
    assert as_texts(given) == TEXTS


def test_one_string_is_one_text():
    assert as_texts('dog grooming') == ['dog grooming']


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (pd.DataFrame({'id': [1], 'what': ['x']}), r"such as table\['id'\], not a DataFrame of 2"),
        (pl.DataFrame({'id': [1], 'what': ['x']}), 'not a DataFrame of 2 columns'),
        (pa.table({'id': [1], 'what': ['x']}), 'not a Table of 2 columns'),
        (pl.LazyFrame({'what': ['x']}), 'not a LazyFrame; call collect'),
        ({'what': 'x'}, 'not a dict'),
        (b'x', 'not a bytes'),
        (3, 'not 3'),
        (np.array([['a', 'b']]), 'one dimension'),
    ],
)
def test_what_holds_no_texts_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        as_texts(given)
