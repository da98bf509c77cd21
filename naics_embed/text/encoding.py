"""Storage of the encodings of every text by the frozen backbone."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file
from safetensors.torch import load_file

from naics_embed.errors import ArtifactError

NAMES = ('embeddings', 'states')


def write_encoding(path: Path, embeddings: np.ndarray, states: np.ndarray) -> None:
    """Write float32 ``(texts, width)`` embeddings and float16 ``(tokens, width)`` states."""
    save_file({'embeddings': embeddings, 'states': states}, path)


def read_encoding(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read what `write_encoding` wrote: arrays mapped from the file and read on access.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ArtifactError(f'{path} is damaged ({error}); delete it and run again') from error
    if set(tensors) != set(NAMES):
        raise ArtifactError(f'{path} holds {sorted(tensors)}, not {", ".join(NAMES)}')
    return tensors['embeddings'].numpy(), tensors['states'].numpy()
