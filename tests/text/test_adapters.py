"""Several adapters on one backbone, the other modes, and recomputation of layers."""

import numpy as np
import pytest
import torch

from naics_embed.text.backbone import load_transformer
from naics_embed.text.encoder import (
    QUERY,
    AdapterSettings,
    SentenceEncoder,
    channel_adapter,
    encode_frozen,
)
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, load_tokenizer

TITLE, EXCLUDED = channel_adapter('title'), channel_adapter('excluded')
NAMES = (QUERY, TITLE, EXCLUDED)


def build(folder, **changes) -> SentenceEncoder:
    settings = {'names': NAMES, 'mode': 'adapters', 'checkpointing': False, 'dropout': 0.0}
    settings |= changes
    torch.manual_seed(0)
    encoder = SentenceEncoder(
        load_transformer(folder),
        AdapterSettings(rank=2, alpha=4.0, frozen_layers=1, **settings),
    )
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if 'lora_B' in name:
                parameter.normal_(std=0.3)
    return encoder


@pytest.fixture
def texts(tiny_backbone):
    table = TokenTable.build(
        ['dog grooming', 'a longer text about shoes', 'paint'], load_tokenizer(tiny_backbone, 30)
    )
    return table, *(torch.from_numpy(array) for array in table.padded(np.arange(len(table))))


def gradients(encoder: SentenceEncoder) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in encoder.named_parameters() if p.grad is not None}


def count_passes(encoder: SentenceEncoder) -> list[int]:
    """A list that grows by one each time that an upper layer begins to run."""
    passes: list[int] = []
    for layer in encoder.backbone.encoder.layer[1:]:
        layer.register_forward_pre_hook(lambda *_: passes.append(1))
    return passes


def moved(encoder: SentenceEncoder) -> set[str]:
    """Adapters with a gradient that is not zero."""
    result = gradients(encoder)
    return {name for name in NAMES for key, g in result.items() if name in key and (g != 0).any()}


def test_each_adapter_gives_its_own_embedding(tiny_backbone, texts):
    _, ids, mask = texts
    encoder = build(tiny_backbone).eval()
    with torch.no_grad():
        outs = {name: encoder(ids, mask, name) for name in NAMES}
        again = encoder(ids, mask, QUERY)
        fallback = encoder(ids, mask, 'no such adapter')
    torch.testing.assert_close(outs[QUERY], again)
    torch.testing.assert_close(outs[QUERY], fallback)
    assert float((outs[QUERY] - outs[TITLE]).abs().max()) > 0.01
    assert float((outs[EXCLUDED] - outs[TITLE]).abs().max()) > 0.01


def test_all_adapters_of_a_step_learn_and_the_others_do_not(tiny_backbone, texts):
    _, ids, mask = texts
    encoder = build(tiny_backbone).train()
    out = encoder(ids, mask, TITLE)[:, 0].sum() + encoder(ids, mask, QUERY)[:, 1].sum()
    out.backward()
    assert moved(encoder) == {TITLE, QUERY}
    encoder.zero_grad()
    encoder(ids, mask, EXCLUDED)[:, 0].sum().backward()
    assert moved(encoder) >= {EXCLUDED}


def test_switching_never_freezes_an_adapter(tiny_backbone, texts):
    table, ids, mask = texts
    encoder = build(tiny_backbone).train()
    trainable = {n for n, p in encoder.named_parameters() if p.requires_grad}
    assert all(any(name in key for key in trainable) for name in NAMES)
    encoder(ids, mask, TITLE)
    encode_frozen(encoder, table, 100)
    encoder.train()
    assert {n for n, p in encoder.named_parameters() if p.requires_grad} == trainable
    assert all('lora_' in name for name in trainable)


@pytest.mark.parametrize('mode', ['adapters', 'full'])
def test_recomputation_engages_and_changes_no_gradient(tiny_backbone, texts, mode):
    _, ids, mask = texts
    runs = {}
    for on in (False, True):
        encoder = build(tiny_backbone, mode=mode, checkpointing=on, dropout=0.2).train()
        passes = count_passes(encoder)
        torch.manual_seed(1)
        out = encoder(ids, mask, TITLE)[:, 0].sum() + encoder(ids, mask, QUERY)[:, 1].sum()
        before = len(passes)
        out.backward()
        runs[on] = (gradients(encoder), before, len(passes))
    assert runs[False][1:] == (4, 4)
    assert runs[True][1:] == (4, 8), 'each layer runs again in the backward pass'
    assert set(runs[False][0]) == set(runs[True][0])
    for name, gradient in runs[False][0].items():
        torch.testing.assert_close(runs[True][0][name], gradient)
    encoder.eval()
    passes.clear()
    encoder(ids, mask, TITLE)[:, 0].sum().backward()
    assert len(passes) == 2, 'nothing is recomputed in evaluation'


def test_the_query_side_is_merged_alone(tiny_backbone, texts):
    _, ids, mask = texts
    encoder = build(tiny_backbone).eval()
    with torch.no_grad():
        query = encoder(ids, mask, QUERY)
        encoder(ids, mask, TITLE)
        states = encoder.adapter_states()
        merged = encoder.merged_backbone()
        answer = merged(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    torch.testing.assert_close(mean_pool(answer, mask), query, atol=1e-4, rtol=1e-4)
    assert set(states) == set(NAMES)
    sizes = {sum(value.numel() for value in weights.values()) for weights in states.values()}
    assert len(sizes) == 1
    assert sizes.pop() > 0
    assert not any('lora' in name for name, _ in merged.named_parameters())


def test_full_mode_trains_the_upper_layers_themselves(tiny_backbone, texts):
    _, ids, mask = texts
    encoder = build(tiny_backbone, mode='full').train()
    encoder(ids, mask, TITLE)[:, 0].sum().backward()
    result = gradients(encoder)
    assert all('layer.1.' in name or 'layer.2.' in name for name in result)
    assert any((g != 0).any() for g in result.values())
    assert encoder.adapter_states() == {}
    plain = encoder.eval()(ids, mask).detach()
    answer = encoder.merged_backbone()(input_ids=ids, attention_mask=mask.long())
    torch.testing.assert_close(mean_pool(answer.last_hidden_state, mask), plain)


def test_frozen_mode_trains_nothing(tiny_backbone):
    encoder = build(tiny_backbone, mode='frozen')
    assert not any(p.requires_grad for p in encoder.parameters())
