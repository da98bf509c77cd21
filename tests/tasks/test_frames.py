"""Look-ups of codes and texts in frames, of which some are empty."""

import numpy as np
import polars as pl
import pytest

from naics_embed.errors import ArtifactError, CodeError
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.tokens import TokenTable, load_tokenizer
from tasks.frames import positions
from tasks.texts import of_codes, query_set

TAXONOMY = Taxonomy(['11', '111', '31', '311'])
ROWS = pl.DataFrame({'text': ['corn', 'bread', 'corn'], 'code': ['111', '31-33', '11']})


@pytest.fixture
def tokens(tiny_backbone):
    return TokenTable.build(['bread', 'corn'], load_tokenizer(tiny_backbone, 12))


@pytest.mark.parametrize('count', [0, 3])
def test_positions_are_integers_that_torch_may_write_to(count):
    found = positions(ROWS['code'].head(count), TAXONOMY)
    assert found.dtype == np.int64
    assert found.flags.writeable
    assert found.tolist() == [1, 2, 0][:count]


def test_an_unknown_code_is_named():
    with pytest.raises(CodeError, match='999 is not a code'):
        positions(pl.Series(['111', '999']), TAXONOMY)


@pytest.mark.parametrize('count', [0, 3])
def test_queries_are_located_also_where_there_are_none(tokens, count):
    found = query_set(ROWS.head(count), tokens, TAXONOMY)
    assert found.rows.tolist() == [1, 0, 1][:count]
    assert found.targets.tolist() == [1, 2, 0][:count]
    assert found.rows.dtype == found.targets.dtype == np.int64
    chosen = np.array([True, False, True, True])
    assert (
        of_codes(ROWS.head(count), TAXONOMY, chosen)['text'].to_list() == ['bread', 'corn'][:count]
    )


def test_a_text_without_tokens_is_named(tokens):
    with pytest.raises(ArtifactError, match="'rye' is not in the token cache"):
        query_set(pl.DataFrame({'text': ['rye'], 'code': ['11']}), tokens, TAXONOMY)
