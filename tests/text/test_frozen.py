import copy

import pytest
import torch
from safetensors.torch import load_file, save_file

from naics_embed.errors import ArtifactError
from naics_embed.text.backbone import load_transformer
from naics_embed.text.inference.frozen import PairedEncoder, read_frozen, write_difference
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import load_tokenizer

TEXTS = ['corn', 'dog grooming salon', 'corn', 'a much longer text of several words']


def changed(model, layer):
    other = copy.deepcopy(model)
    with torch.no_grad():
        module = other.embeddings.word_embeddings if layer is None else other.encoder.layer[layer]
        weight = module.weight if layer is None else module.output.dense.weight
        weight += 0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    return other


def plain(model, tokenizer):
    rows = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            hidden = model(input_ids=ids).last_hidden_state
        rows.append(mean_pool(hidden, torch.ones_like(ids, dtype=torch.bool))[0])
    return torch.stack(rows)


@pytest.mark.parametrize(('layer', 'shared'), [(None, 0), (0, 0), (1, 1), (2, 2)])
def test_a_pair_gives_what_each_gives_alone(tiny_backbone, layer, shared):
    frozen = load_transformer(tiny_backbone)
    trained = changed(frozen, layer)
    tokenizer = load_tokenizer(tiny_backbone, 32)
    pair = PairedEncoder(tokenizer, trained, frozen)
    assert pair.shared == shared
    upper, lower = pair.embed(TEXTS, 64)
    torch.testing.assert_close(upper, plain(trained, tokenizer), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(lower, plain(frozen, tokenizer), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(upper, lower, atol=1e-3)


def test_one_transformer_is_its_own_pair(tiny_backbone):
    model = load_transformer(tiny_backbone)
    one, other = PairedEncoder(load_tokenizer(tiny_backbone, 32), model, model).embed(TEXTS, 64)
    assert torch.equal(one, other)
    torch.testing.assert_close(one[0], one[2])


def test_the_difference_restores_the_frozen_backbone(tiny_backbone, tmp_path):
    frozen = load_transformer(tiny_backbone)
    trained = changed(frozen, 2)
    write_difference(tmp_path / 'frozen.safetensors', frozen, trained)
    assert list(load_file(tmp_path / 'frozen.safetensors')) == [
        'encoder.layer.2.output.dense.weight'
    ]
    result = read_frozen(tmp_path / 'frozen.safetensors', trained).state_dict()
    assert all(torch.equal(value, result[name]) for name, value in frozen.state_dict().items())


def test_no_difference_is_no_second_model(tiny_backbone, tmp_path):
    model = load_transformer(tiny_backbone)
    write_difference(tmp_path / 'same.safetensors', model, load_transformer(tiny_backbone))
    assert read_frozen(tmp_path / 'same.safetensors', model) is model


def test_weights_of_another_transformer_are_refused(tiny_backbone, tmp_path):
    model = load_transformer(tiny_backbone)
    save_file({'encoder.layer.9.bias': torch.ones(2)}, tmp_path / 'other.safetensors')
    with pytest.raises(ArtifactError, match='does not fit'):
        read_frozen(tmp_path / 'other.safetensors', model)
    (tmp_path / 'bad.safetensors').write_bytes(b'no')
    with pytest.raises(ArtifactError, match='damaged'):
        read_frozen(tmp_path / 'bad.safetensors', model)
