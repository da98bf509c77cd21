"""The query encoder as a folder that ``SentenceTransformer(path)`` loads."""

import importlib.util
import json
import math
from pathlib import Path
from shutil import copyfile

import torch
from safetensors.torch import load_file
from torch import Tensor

from naics_embed.artifacts import atomic_directory
from naics_embed.bundle.storage import HEAD, Bundle
from naics_embed.errors import ArtifactError, UserError
from naics_embed.export.manifest import write_manifest
from naics_embed.export.model_card import model_card

PACKAGE = 'sentence_transformers'
LIBRARY = 'sentence-transformers'
README = 'README.md'
TOKENIZER_CONFIG = {
    'tokenizer_class': 'PreTrainedTokenizerFast',
    'cls_token': '[CLS]',
    'mask_token': '[MASK]',
    'pad_token': '[PAD]',
    'sep_token': '[SEP]',
    'unk_token': '[UNK]',
}
OUTPUT_NOTE = (
    'encode() returns the tangent vector v at the origin before its bound. The coordinates are '
    'r_max · tanh(|v| / r_max) · v / |v|, the point their exponential map. Cosine is the wrong '
    'similarity: use the Lorentz distance, as naics_embed.Searcher does.'
)
HEAD_NAMES = {'linear.weight', 'linear.bias', 'hidden.weight', 'hidden.bias', 'out.weight'}


def export_sentence_transformer(bundle: Bundle, out: Path) -> None:
    """Write transformer, pooling and head as modules of sentence-transformers, with a model card.

    The head is a linear map plus a hidden layer, v = L·x + O·gelu(H·x). With x = gelu(x) − gelu(−x)
    that is two dense layers: gelu of (L·x, −L·x, H·x), then (1, −1, O).

    Raises:
        UserError: sentence-transformers is not installed.
        ArtifactError: the head of the bundle has another form.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise UserError('this export needs the package sentence-transformers: pip install it')
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Normalize,
        Pooling,
        Transformer,
    )

    head = load_file(bundle.encoder / HEAD)
    if set(head) != HEAD_NAMES:
        raise ArtifactError(f'the head of {bundle.path} holds {sorted(head)}, which is not known')
    width, dim = head['linear.weight'].shape[1], bundle.space.dim
    with atomic_directory(out) as folder:
        plain = folder / 'transformer'
        plain.mkdir()
        for name in ('config.json', 'model.safetensors', 'tokenizer.json'):
            copyfile(bundle.encoder / name, plain / name)
        settings = {**TOKENIZER_CONFIG, 'model_max_length': bundle.space.window}
        (plain / 'tokenizer_config.json').write_text(json.dumps(settings), encoding='utf-8')
        first, second = _dense_weights(head, math.sqrt(width))
        widen = Dense(width, len(first[1]), bias=True, activation_function=torch.nn.GELU())
        narrow = Dense(len(first[1]), dim, bias=False, activation_function=torch.nn.Identity())
        with torch.no_grad():
            widen.linear.weight.copy_(first[0])
            widen.linear.bias.copy_(first[1])
            narrow.linear.weight.copy_(second)
        model = SentenceTransformer(
            modules=[
                Transformer(
                    str(plain),
                    max_seq_length=bundle.space.window,
                    model_kwargs={'add_pooling_layer': False},
                ),
                Pooling(width, pooling_mode='mean'),
                Normalize(),
                widen,
                narrow,
            ],
            device='cpu',
            similarity_fn_name='euclidean',
        )
        model.save(str(folder), create_model_card=False)
        for file in plain.iterdir():
            file.unlink()
        plain.rmdir()
        card = model_card(bundle.manifest, bundle.metrics(), library=LIBRARY)
        (folder / README).write_text(card, encoding='utf-8')
        write_manifest(bundle, folder, output=OUTPUT_NOTE)


def _dense_weights(head: dict[str, Tensor], scale: float) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return weight and bias of the first dense layer, and the weight of the second."""
    linear, bias = head['linear.weight'] * scale, head['linear.bias']
    one = torch.eye(len(bias))
    return (
        (
            torch.cat([linear, -linear, head['hidden.weight'] * scale]),
            torch.cat([bias, -bias, head['hidden.bias']]),
        ),
        torch.cat([one, -one, head['out.weight']], dim=1),
    )
