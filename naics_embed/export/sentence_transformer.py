"""The query encoder as a folder that ``SentenceTransformer(path)`` loads."""

import importlib.util
import json
import math
from pathlib import Path
from shutil import copyfile

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from naics_embed.artifacts import atomic_directory
from naics_embed.bundle.storage import HEAD, Bundle
from naics_embed.errors import ArtifactError, UserError
from naics_embed.export.manifest import write_manifest
from naics_embed.export.model_card import model_card
from naics_embed.text.backbone import without_load_report

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
    'encode() returns the coordinates of a text, a tangent vector at the origin, bounded, '
    'and codes.safetensors those of the codes, in the order of codes.csv. Points are their '
    'exponential maps. Cosine and dot product are wrong: use the Lorentz distance, as the '
    'card shows.'
)
CODES_LIST = 'codes.csv'
CODES_TABLE = 'codes.safetensors'
BOUND = 'lorentz_bound.LorentzBound'
"""The last module, in a file of the folder."""
BOUND_FILE = Path(__file__).with_name('lorentz_bound.py')
TRANSFORMER_CONFIG = 'sentence_bert_config.json'
MODULES = 'modules.json'
HEAD_NAMES = {'linear.weight', 'linear.bias', 'hidden.weight', 'hidden.bias', 'out.weight'}


def export_sentence_transformer(bundle: Bundle, out: Path) -> None:
    """Write encoder and table of codes as a folder that needs sentence-transformers only.

    It holds transformer, pooling, head and bound as modules, the coordinates of the codes, and a
    card whose ten lines rank codes for a text.

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
        with without_load_report():
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
        _add_bound(folder, bundle.space.r_max)
        # Else the library makes a pooling layer that nothing uses, and warns that it is random.
        _change_json(folder / TRANSFORMER_CONFIG, model_kwargs={'add_pooling_layer': False})
        _write_codes(folder, bundle)
        for file in plain.iterdir():
            file.unlink()
        plain.rmdir()
        card = model_card(bundle.manifest, bundle.metrics(), library=LIBRARY)
        (folder / README).write_text(card, encoding='utf-8')
        write_manifest(bundle, folder, output=OUTPUT_NOTE)


def _add_bound(folder: Path, r_max: float) -> None:
    modules = json.loads((folder / MODULES).read_text(encoding='utf-8'))
    at = len(modules)
    path = f'{at}_LorentzBound'
    (folder / path).mkdir()
    (folder / path / 'config.json').write_text(json.dumps({'r_max': r_max}), encoding='utf-8')
    copyfile(BOUND_FILE, folder / BOUND_FILE.name)
    modules.append({'idx': at, 'name': str(at), 'path': path, 'type': BOUND})
    (folder / MODULES).write_text(json.dumps(modules, indent=2), encoding='utf-8')


def _change_json(path: Path, **values: object) -> None:
    content = json.loads(path.read_text(encoding='utf-8')) | values
    path.write_text(json.dumps(content, indent=2), encoding='utf-8')


def _write_codes(folder: Path, bundle: Bundle) -> None:
    """Write codes and titles as csv and their coordinates as float32 ``(n, dim)``, in one order."""
    codes = bundle.codes().select('official', 'title', 'level')
    codes.rename({'official': 'code'}).write_csv(folder / CODES_LIST)
    tangents = torch.from_numpy(bundle.tangents()).float().contiguous()
    save_file({'tangents': tangents}, folder / CODES_TABLE)


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
