"""Look-ups of codes and texts in frames, of which some are empty."""

import numpy as np
import polars as pl
import pytest

from naics_embed.artifacts import Artifact
from naics_embed.errors import ArtifactError, CodeError
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.encoding import write_encoding
from naics_embed.text.tokens import TokenTable, load_tokenizer
from tasks.frames import positions
from tasks.text_training import labelled_queries
from tasks.texts import corpus_of, of_codes, query_set

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


def test_each_channel_of_a_code_has_its_own_text(tokens, tmp_path):
    tokens.write(tmp_path / 'tokens.parquet')
    write_encoding(
        tmp_path / 'encoding.safetensors',
        np.zeros((len(tokens), 2), np.float32),
        np.zeros((len(tokens.ids), 2), np.float16),
    )
    pl.DataFrame(
        {
            'code': ['11', '111', '31'],
            'title': ['bread', 'corn', 'bread'],
            'examples': [None, 'bread', None],
            'description': ['corn', None, 'corn'],
        }
    ).write_parquet(tmp_path / 'channels.parquet')
    names = ('tokens.parquet', 'encoding.safetensors', 'channels.parquet')
    files = [Artifact.of(tmp_path / name) for name in names]
    corpus = corpus_of(*files, ('title', 'description', 'examples'))
    assert corpus.channels.tolist() == [[0, 1, -1], [1, -1, 0], [0, 1, -1]]
    assert corpus_of(*files, ('examples',)).channels.tolist() == [[-1], [0], [-1]]


def test_training_reads_its_queries_in_the_order_of_the_file(tmp_path):
    count = 5_000
    split = ['train', 'test', 'validation', 'hidden']
    frame = pl.DataFrame(
        {
            'text': [f'text {row}' for row in range(count)],
            'code': ['111'] * count,
            'kind': ['index'] * count,
            'split': [split[row % 4] for row in range(count)],
            'more': ['unread'] * count,
        }
    )
    frame.write_parquet(tmp_path / 'queries.parquet', row_group_size=100)
    found = labelled_queries(Artifact.of(tmp_path / 'queries.parquet'))
    assert found.columns == ['text', 'code', 'kind', 'split']
    assert found['text'].to_list() == [f'text {row}' for row in range(0, count, 2)]
