"""Packed inference against the padded one of `transformers`."""

import numpy as np
import pytest
import torch

from naics_embed.text.backbone import load_transformer
from naics_embed.text.inference.frozen import PairedEncoder
from naics_embed.text.inference.packed import PackedEncoder, blocks
from naics_embed.text.inference.precisions import BFLOAT16, FLOAT32
from naics_embed.text.tokens import TokenTable, load_tokenizer
from tests.tiny_bundle import write_tiny_encoder

TEXTS = ['corn farming', 'a', 'dental offices and clinics', 'corn farming', 'soy', 'shoe repair']


@pytest.fixture(scope='module')
def parts(tmp_path_factory):
    """Tokenizer, a transformer, and one that differs from it in the last layer."""
    folder = write_tiny_encoder(tmp_path_factory.mktemp('packed') / 'encoder')
    trained, frozen = load_transformer(folder), load_transformer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        weight = frozen.encoder.layer[-1].output.dense.weight
        weight.data += 0.1 * torch.randn_like(weight)
    return load_tokenizer(folder, 16), trained, frozen


@pytest.mark.parametrize('tokens', [1, 9, 4096])
def test_it_computes_what_the_padded_one_does(parts, tokens):
    packed = PackedEncoder(*parts, FLOAT32)
    paired = PairedEncoder(*parts)
    assert packed.shared == paired.shared
    results, references = packed.embed(TEXTS, tokens), paired.embed(TEXTS, 4096)
    for result, expected in zip(results, references, strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
        assert torch.equal(result[0], result[3])


def test_two_that_are_one_and_two_that_share_nothing(parts):
    tokenizer, trained, frozen = parts
    same = PackedEncoder(tokenizer, trained, trained, FLOAT32).embed(TEXTS, 64)
    assert torch.equal(*same)
    torch.testing.assert_close(
        same[0], PackedEncoder(*parts, FLOAT32).embed(TEXTS, 64)[0], rtol=1e-5, atol=1e-5
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        other = load_transformer_like(frozen)
    result = PackedEncoder(tokenizer, trained, other, FLOAT32).embed(TEXTS, 64)
    expected = PairedEncoder(tokenizer, trained, other).embed(TEXTS, 64)
    for one, two in zip(result, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)


def load_transformer_like(model):
    other = type(model)(model.config, add_pooling_layer=False).eval()
    return other


def test_bfloat16_is_near_and_not_the_same(parts):
    exact = PackedEncoder(*parts, FLOAT32).embed(TEXTS, 4096)
    rough = PackedEncoder(*parts, BFLOAT16).embed(TEXTS, 4096)
    for one, two in zip(exact, rough, strict=True):
        assert two.dtype == torch.float32
        cosine = (one * two).sum(-1)
        assert cosine.min() > 0.999
        assert not torch.equal(one, two)


def test_blocks_hold_each_token_once(parts):
    table = TokenTable.build(TEXTS, parts[0])
    result = list(blocks(table, 12))
    assert sorted(np.concatenate([block.rows for block in result]).tolist()) == list(range(5))
    for block in result:
        assert len(block.ids) <= 12 or len(block.rows) == 1
        texts = [table.ids[table.offsets[r] : table.offsets[r + 1]] for r in block.rows]
        assert np.array_equal(block.ids.numpy(), np.concatenate(texts))
        assert [i for _, n, size in block.groups for _ in range(n) for i in range(size)] == (
            block.positions.tolist()
        )
