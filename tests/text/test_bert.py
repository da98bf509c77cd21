"""The transformer for inference gives the hidden states of the library's."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from naics_embed.text.backbone import load_transformer
from naics_embed.text.inference.bert import Bert, load_encoder
from naics_embed.text.inference.frozen import PairedEncoder
from naics_embed.text.tokens import load_tokenizer

TEXTS = ['corn', 'dog grooming salon', 'a much longer text of several words', 'x ' * 200]


def test_hidden_states_are_those_of_transformers(tiny_backbone):
    reference, model = load_transformer(tiny_backbone), load_encoder(tiny_backbone)
    assert isinstance(model, Bert)
    assert not model.training
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, reference.config.vocab_size, (5, 40), generator=generator)
    lengths = torch.tensor([40, 3, 17, 1, 40])
    mask = torch.arange(40) < lengths[:, None]
    with torch.no_grad():
        expected = reference(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        result = model(input_ids=ids, attention_mask=mask).last_hidden_state
        whole = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        all_kept = reference(input_ids=ids).last_hidden_state
    torch.testing.assert_close(result[mask], expected[mask], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole, all_kept, atol=1e-5, rtol=1e-5)


def test_embeddings_of_a_pair_are_those_of_transformers(tiny_backbone):
    tokenizer = load_tokenizer(tiny_backbone, 32)
    reference, model = load_transformer(tiny_backbone), load_encoder(tiny_backbone)
    expected, _ = PairedEncoder(tokenizer, reference, reference).embed(TEXTS, 64)
    result, _ = PairedEncoder(tokenizer, model, model).embed(TEXTS, 64)
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize('change', [{'hidden_act': 'relu'}, {'is_decoder': True}])
def test_another_kind_of_bert_is_left_to_transformers(tiny_backbone, tmp_path, change):
    folder = tmp_path / 'other'
    shutil.copytree(tiny_backbone, folder)
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps(config | change))
    assert isinstance(load_encoder(folder), BertModel)


def test_weights_under_other_names_are_left_to_transformers(tiny_backbone, tmp_path):
    folder = tmp_path / 'prefixed'
    shutil.copytree(tiny_backbone, folder)
    weights = load_file(folder / 'model.safetensors')
    save_file(
        {f'bert.{name}': value for name, value in weights.items()},
        folder / 'model.safetensors',
        metadata={'format': 'pt'},
    )
    model = load_encoder(folder)
    assert isinstance(model, BertModel)
    own = load_transformer(tiny_backbone)
    for name, value in own.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_a_coder_is_loaded_without_transformers():
    script = (
        'import sys\n'
        'from naics_embed import Coder, Searcher\n'
        'slow = {"transformers", "sklearn", "scipy", "pandas", "mlflow", "prefect"}\n'
        'print(sorted(slow & set(sys.modules)))'
    )
    result = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == '[]'
